"""Rules' pages and the schemas are generated, and a stale one is told."""

from sm_contracts.pages import main
from sm_contracts.registry import all_rules


def test_every_rule_has_a_page_with_its_source(tmp_path):
    assert main([str(tmp_path)]) == 0
    contents = (tmp_path / "rules" / "README.md").read_text()
    for rule_id, rule in all_rules().items():
        page = (tmp_path / "rules" / f"{rule_id}.md").read_text()
        assert page.startswith(f"# {rule_id} {rule.name}\n")
        assert rule.source in page
        assert f"[{rule_id}]({rule_id}.md)" in contents


def test_a_stale_a_missing_and_a_left_over_page_are_told(tmp_path, capsys):
    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    (tmp_path / "rules" / "SM001.md").write_text("old")
    (tmp_path / "verdict.schema.json").unlink()
    (tmp_path / "rules" / "SM000.md").write_text("retired")
    assert main(["--check", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert {"SM001.md", "verdict.schema.json", "SM000.md"} == {
        line.split(" is stale")[0].rpartition("/")[2] for line in told.splitlines()
    }
    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
