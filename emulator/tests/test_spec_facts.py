from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from sm_emulate.spec.fact import Area, Certainty, Fact, Level
from sm_emulate.spec.facts import all_areas
from sm_emulate.spec.facts.shown_by import COMPLETE, SHOWN_BY
from sm_emulate.spec.page import main, page
from sm_emulate.spec.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
AREAS = all_areas()
FACTS = [fact for area in AREAS for fact in area.facts]
BY_ID = {fact.id: fact for fact in FACTS}


def test_every_id_is_unique() -> None:
    assert [name for name, count in Counter(fact.id for fact in FACTS).items() if count > 1] == []


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.prefix)
def test_every_id_is_readable_and_says_its_area(area: Area) -> None:
    shape = re.compile(rf"{re.escape(area.prefix)}(\.[a-z0-9]+(-[a-z0-9]+)*)+")
    assert [fact.id for fact in area.facts if not shape.fullmatch(fact.id)] == []


def test_every_fact_is_one_sentence_with_a_source() -> None:
    for fact in FACTS:
        assert fact.statement.rstrip("`").endswith("."), fact.id
        assert "\n" not in fact.statement, fact.id
        assert fact.source, fact.id
        assert all(source.strip() for source in fact.source), fact.id


def test_an_unsure_fact_that_is_emulated_names_its_setting_or_says_why_there_is_none() -> None:
    silent = [
        fact.id
        for fact in FACTS
        if fact.certainty is not Certainty.CONFIRMED
        and fact.level is Level.EMULATED
        and not fact.setting
        and not fact.note
    ]
    assert silent == []


def test_a_planned_fact_names_the_work_and_no_other_does() -> None:
    assert [fact.id for fact in FACTS if bool(fact.planned) != (fact.level is Level.PLANNED)] == []


def test_a_partly_emulated_fact_says_how_far() -> None:
    assert [fact.id for fact in FACTS if fact.level is Level.PARTLY and not fact.note] == []


def test_settings_and_facts_name_each_other() -> None:
    from_settings = {(setting.name, fact_id) for setting in SETTINGS for fact_id in setting.facts}
    from_facts = {(fact.setting, fact.id) for fact in FACTS if fact.setting}
    assert from_settings == from_facts


def test_shown_by_names_facts_that_exist() -> None:
    assert sorted(set(SHOWN_BY) - set(BY_ID)) == []


def test_every_named_test_is_in_the_tree() -> None:
    assert [test for fact in FACTS for test in fact.tests if not _exists(test)] == []


def test_a_test_that_is_not_there_is_noticed() -> None:
    here = Path(__file__).relative_to(ROOT).as_posix()
    assert _exists(f"{here}::test_a_test_that_is_not_there_is_noticed")
    assert not _exists(f"{here}::test_nobody_wrote")
    assert not _exists("emulator/tests/test_no_such_file.py::test_x")


def test_every_emulated_fact_is_shown_by_a_test() -> None:
    done = (Level.EMULATED, Level.PARTLY)
    assert [fact.id for fact in FACTS if fact.tests and fact.level not in done] == []
    missing = [fact.id for fact in FACTS if fact.level in done and not fact.tests]
    listed = "\n".join(missing)
    if COMPLETE:
        assert missing == [], f"{len(missing)} emulated facts name no test in facts/shown_by.py:\n{listed}"
    else:
        assert missing, "every emulated fact names a test: set COMPLETE in facts/shown_by.py to True"


def test_the_page_shows_every_fact_and_setting() -> None:
    text = page(AREAS)
    assert [fact.id for fact in FACTS if f"`{fact.id}`" not in text] == []
    assert [setting.name for setting in SETTINGS if f"`{setting.name}`" not in text] == []


def test_the_page_lists_plainly_what_is_not_emulated() -> None:
    plain = page(AREAS).split("## Not emulated")[1].replace("\\", "")
    assert [
        fact.id for fact in FACTS if fact.level is Level.NOT_EMULATED and fact.statement not in plain
    ] == []


def test_the_page_keeps_its_tables_whole() -> None:
    fact = Fact(
        id="area.bar",
        statement="A `|` bar.",
        source=("https://github.com/owner/name/issues/7",),
        certainty=Certainty.CONFIRMED,
        level=Level.EMULATED,
        tests=("tests/test_x.py::test_y_and_z",),
    )
    row = next(
        line
        for line in page((Area(prefix="area", title="Area", facts=(fact,)),)).splitlines()
        if "area.bar" in line
    )
    assert row == (
        r"| A `\|` bar.<br>`area.bar` | confirmed | yes | [y and z](../tests/test_x.py) "
        "| [owner/name#7](https://github.com/owner/name/issues/7) |"
    )


def test_the_page_names_its_sources_as_links_where_they_have_an_address() -> None:
    fact = Fact(
        id="area.one",
        statement="One.",
        source=("owner/name some/file.py", "a public job log"),
        certainty=Certainty.CONFIRMED,
        level=Level.PARTLY,
        setting="shm-size",
        note="half",
    )
    row = next(
        line
        for line in page((Area(prefix="area", title="Area", facts=(fact,)),)).splitlines()
        if "area.one" in line
    )
    assert "| partly<br>setting `shm-size`<br>half |" in row
    assert "| [owner/name](https://github.com/owner/name) some/file.py<br>a public job log |" in row


def test_the_overview_leads_to_every_area() -> None:
    text = page(AREAS)
    headings = {
        re.sub(r"[^a-z0-9_ -]", "", line[3:].lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("## ")
    }
    links = re.findall(r"\]\(#([^)]*)\)", text)
    assert len(links) == len(AREAS)
    assert set(links) <= headings


def test_every_test_that_the_page_links_to_is_a_file_beside_it() -> None:
    linked = set(re.findall(r"\]\(\.\./([^)]+)\)", page(AREAS)))
    assert linked
    assert [path for path in linked if not (ROOT / path).is_file()] == []


def test_the_page_shows_stars_and_underscores_as_they_are() -> None:
    text = page(AREAS)
    assert r"no SM\_\* variable" in text
    assert "`*/*`" in text


def test_check_tells_a_stale_page_from_a_fresh_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "docs" / "level-of-support.md"
    assert main(["--check", str(written)]) == 1
    assert "python -m sm_emulate.spec.page" in capsys.readouterr().err
    assert main([str(written)]) == 0
    assert main(["--check", str(written)]) == 0
    written.write_text(written.read_text() + "a line by hand\n")
    assert main(["--check", str(written)]) == 1


def test_the_page_in_the_repository_is_fresh() -> None:
    assert main(["--check", str(ROOT / "docs" / "level-of-support.md")]) == 0


def _exists(node_id: str) -> bool:
    """Whether a test of that pytest node id is written in the tree, parameters aside."""
    path, *names = node_id.split("[", maxsplit=1)[0].split("::")
    file = ROOT / path
    if not names or not file.is_file():
        return False
    body: list[ast.stmt] = ast.parse(file.read_text(encoding="utf-8")).body
    for name in names:
        found = [
            node
            for node in body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name
        ]
        if not found:
            return False
        body = found[0].body
    return True
