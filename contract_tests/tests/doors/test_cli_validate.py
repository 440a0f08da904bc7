"""`sm-emulate validate`, `rules` and `rule` as a user types them, on made-up rules and an engine in memory."""

import json
import os
import signal
import sys
import threading

import pytest

from sm_contracts import checking as check_module
from sm_contracts.reports import FORMATS
from sm_contracts.roles import Role
from sm_contracts.rule import Severity
from sm_emulate import api
from sm_emulate.cli import main
from sm_emulate.cli import validate as command


class Said:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def scales(made):
    return made.FakeProbe("scales", {made.Weight: made.Weight(12.0)})


@pytest.fixture
def subjects(made, scales, monkeypatch, engine, tmp_path):
    """What the probes were given; rules and engine are made up."""
    seen = []
    eyes = made.FakeProbe("eyes", {made.Colour: made.Colour("red")})
    doubt = made.rule("SM903", "in-doubt", int, lambda _: iter(()))
    rules = {rule.id: rule for rule in (*made.harness, made.heavy, made.green, doubt)}
    scales.act = scales.act or (lambda bench: seen.append(bench.subject))
    monkeypatch.setattr(check_module, "all_rules", lambda: rules)
    monkeypatch.setattr(check_module, "all_probes", lambda: (scales, eyes))
    monkeypatch.setattr(api, "connect", lambda *_, **__: engine, raising=False)
    monkeypatch.setattr(engine, "close", lambda: None)
    monkeypatch.chdir(tmp_path)
    return seen


@pytest.fixture
def sm(subjects, monkeypatch, capfd):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["sm-emulate", *words])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capfd.readouterr()
        return Said(left.value.code, out, err)

    return run


def test_exit_codes(sm, scales, made):
    base = ("validate", "fake:1", "--role", "serve")
    assert sm(*base).code == 1
    assert sm(*base, "--select", "SM902").code == 0
    assert sm(*base, "--select", "SM902", "--fail-on", "warning").code == 1
    assert sm(*base, "--select", "SM903").code == 5
    assert sm("validate", "no/such:image", "--role", "serve").code == 3
    assert sm(*base, "--fail-on", "never").code == 2
    scales.evidence[made.Weight] = made.Weight(1.0)
    assert sm(*base).code == 0


def test_the_report_is_on_stdout_and_the_progress_on_stderr(sm):
    said = sm("validate", "fake:1", "--role", "serve")
    assert said.out.startswith("fake:1  ")
    assert "roles: serve (asked for)" in said.out
    assert "FAIL error  SM901 too-heavy" in said.out
    assert said.out.endswith("fail: SM901\n")
    assert "scales: begins" in said.err
    assert "scales: done in" in said.err
    assert "\x1b" not in said.out + said.err


def test_json_is_pure_and_whole(sm):
    said = sm("validate", "fake:1", "--role", "serve", "--output", "json")
    report = json.loads(said.out)
    assert {rule["id"]: rule["status"] for rule in report["rules"]} == {
        "SM001": "pass", "SM002": "pass", "SM901": "fail", "SM902": "fail", "SM903": "inconclusive",
    }  # fmt: skip
    assert report["roles"] == ["serve"]


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_goes_to_stdout_and_to_files_alike(sm, tmp_path, form):
    said = sm(
        "validate",
        "fake:1",
        "--role",
        "serve",
        "--select",
        "SM901",
        "--output",
        form,
        "--report",
        f"{form}=out",
    )
    assert said.code == 1
    assert (tmp_path / "out").read_text(encoding="utf-8") == said.out


def test_several_reports_at_once(sm, tmp_path):
    sm("validate", "fake:1", "--role", "serve", "--report", "html=a.html", "--report", "sarif=a.sarif")
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "a.sarif").read_text())["version"] == "2.1.0"


def test_select_runs_only_the_probes_it_needs_and_lists_only_its_rules(sm, scales):
    said = sm("validate", "fake:1", "--role", "serve", "--select", "not-green", "--output", "json")
    assert [rule["id"] for rule in json.loads(said.out)["rules"]] == ["SM902"]
    assert scales.wanted == []


def test_several_ids_in_one_word(sm):
    said = sm(
        "validate",
        "fake:1",
        "--role",
        "serve",
        "--select",
        "SM901,SM902",
        "--ignore",
        "SM9",
        "--output",
        "json",
    )
    assert [(rule["id"], rule["status"]) for rule in json.loads(said.out)["rules"]] == [
        ("SM901", "skip"), ("SM902", "skip"),
    ]  # fmt: skip
    assert said.code == 5


def test_a_broken_probe_is_told_even_if_it_was_not_selected(sm, scales):
    def crash(_bench):
        raise RuntimeError("broken")

    scales.act = crash
    said = sm("validate", "fake:1", "--role", "serve", "--select", "SM901", "--output", "json")
    assert [(rule["id"], rule["status"]) for rule in json.loads(said.out)["rules"]] == [
        ("SM002", "fail"), ("SM901", "inconclusive"),
    ]  # fmt: skip


def test_ignored_rules_are_listed_with_the_reason(sm):
    words = ("validate", "fake:1", "--role", "serve")
    assert (
        "SM901 too-heavy  ignored: it is an elephant" in sm(*words, "--ignore", "SM901=it is an elephant").out
    )
    said = sm(*words, "--ignore", "too-heavy")
    assert "ignored: --ignore on the command line" in said.out
    assert said.code == 0


def test_unknown_rules_are_refused_with_a_suggestion_before_anything_starts(sm, scales):
    for flag in ("--select", "--ignore"):
        said = sm("validate", "fake:1", "--role", "serve", flag, "too-havy")
        assert said.code == 2
        assert "did you mean too-heavy?" in said.err
    assert scales.wanted == []


def test_flags_reach_the_probes(sm, subjects, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("1")
    (tmp_path / "model").mkdir()
    (tmp_path / "payload").write_bytes(b"\x00\xff")
    said = sm(
        "validate", "fake:1", "--role", "serve", "--role", "train", "--channel", "train=data,mode=FastFile",
        "--hyperparameter", "epochs=3", "--environment", "KEY=secret", "--metric", "loss=loss: (.*)", "--model", "model",
        "--data", "@payload", "--content-type", "text/csv", "--accept", "application/json",
        "--instance-type", "ml.c5.xlarge", "--gpus", "none", "--enable-network-isolation",
        "--startup-timeout", "60", "--stop-grace", "5",
    )  # fmt: skip
    assert said.code == 1, said.err
    (subject,) = subjects
    assert subject.roles == {Role.SERVE, Role.TRAIN}
    assert subject.training.channels == ("train=data,mode=FastFile",)
    assert subject.training.hyperparameters == {"epochs": "3"}
    assert subject.training.environment == subject.serving_environment == {"KEY": "secret"}
    assert subject.training.metrics == ("loss=loss: (.*)",)
    assert subject.model == tmp_path / "model"
    assert (subject.payload.body, subject.payload.content_type, subject.payload.accept) == (
        b"\x00\xff", "text/csv", "application/json",
    )  # fmt: skip
    assert (subject.instance_type, subject.gpus, subject.network_isolation) == ("ml.c5.xlarge", "none", True)
    limits = subject.limits
    assert (limits.startup_timeout_s, limits.train_stop_grace_s, limits.serve_stop_grace_s) == (
        60.0,
        5.0,
        5.0,
    )
    assert (
        "again  sm-emulate validate fake:1 --role serve --role train --channel train=data,mode=FastFile "
        "--hyperparameter epochs=3 --environment KEY=\"$KEY\" --metric 'loss=loss: (.*)' --model model --data @payload "
        "--content-type text/csv --accept application/json --instance-type ml.c5.xlarge --gpus none "
        "--enable-network-isolation --startup-timeout 60 --stop-grace 5 --select SM901"
    ) in said.out
    assert "secret" not in said.out + said.err


def test_the_file_is_found_and_flags_go_over_it(sm, subjects, tmp_path, monkeypatch):
    (tmp_path / "sm-emulate.toml").write_text(
        'role = "serve"\nhyperparameter = {epochs = 3, rate = 1}\nfail-on = "warning"\noutput = "json"\n'
        'data = "from the file"\nstop-grace = 7\nreport = {github = "notes"}\n'
        'ignore = {SM903 = "it is in doubt"}\nselect = ["SM901", "SM903"]\n'
    )
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    said = sm(
        "validate",
        "fake:1",
        "--hyperparameter",
        "epochs=9",
        "--data",
        "typed",
        "--ignore",
        "SM902=green enough",
    )
    report = json.loads(said.out)
    assert {rule["id"]: rule["message"] for rule in report["rules"]} == {
        "SM901": "it weighs 12 kg", "SM903": "ignored: it is in doubt",
    }  # fmt: skip
    (subject,) = subjects
    assert subject.roles == {Role.SERVE}
    assert subject.training.hyperparameters == {"rate": "1", "epochs": "9"}
    assert subject.payload.body == b"typed"
    assert subject.limits.serve_stop_grace_s == 7.0
    assert (tmp_path / "notes").read_text().startswith("::error title=SM901")


def test_another_file_may_be_named(sm, tmp_path):
    other = tmp_path / "ci.toml"
    other.write_text('select = "SM902"')
    assert sm("validate", "fake:1", "--role", "serve", "--config", str(other)).code == 0
    said = sm("validate", "fake:1", "--config", str(tmp_path / "none.toml"))
    assert (said.code, "cannot be read" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--channel", "./data"), "a channel has no name"),
        (("--channel", "train=nowhere"), "nowhere"),
        (("--hyperparameter", "epochs"), "a hyperparameter has no value"),
        (("--metric", "loss=loss"), "no group"),
        (("--model", "nowhere"), "nowhere"),
        (("--data", "@nowhere"), "the payload cannot be read"),
        (("--content-type", "text/csv"), "--content-type without --data"),
        (("--report", "htm=x"), "--report html=x"),
        (("--report", "html"), "FORMAT=FILE"),
        (("--report", "html=no/such/folder/x"), "no such folder"),
        (("--stop-grace", "-1"), "--stop-grace"),
        (("--role", "trane"), "trane"),
    ],
)
def test_wrong_input_is_refused_before_anything_starts(sm, scales, words, said):
    answer = sm("validate", "fake:1", *words)
    assert answer.code == 2
    assert said in answer.err
    assert scales.wanted == []


def test_the_roles_are_found_when_not_given(sm, monkeypatch):
    monkeypatch.setattr(
        "sm_contracts.image.find_roles",
        lambda *_: (frozenset({Role.SERVE}), "found: the program /usr/bin/serve"),
    )
    assert "roles: serve (found: the program /usr/bin/serve)" in sm("validate", "fake:1").out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_reports_what_was_found_and_leaves_nothing(sm, scales, made, engine, number):
    def act(bench):
        os.kill(os.getpid(), number)
        while not bench.stopping():
            threading.Event().wait(0.01)

    scales.act = act
    said = sm("validate", "fake:1", "--role", "serve", "--output", "json")
    assert said.code == 130
    assert {rule["id"]: rule["status"] for rule in json.loads(said.out)["rules"]}["SM901"] == "fail"


def test_ctrl_c_before_any_probe_runs_just_leaves(sm, monkeypatch, scales):
    def endless_pull(*_):
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(10)

    monkeypatch.setattr("sm_contracts.image.resolve", endless_pull)
    said = sm("validate", "fake:1", "--role", "serve")
    assert (said.code, said.out) == (130, "")
    assert scales.wanted == []


def test_the_choices_of_the_command_line_are_those_of_the_contract():
    assert set(command.ROLES) == {role.value for role in Role}
    assert set(command.FORMATS) == set(FORMATS)
    assert set(command.SEVERITIES) == {severity.value for severity in Severity}


def test_rules_lists_them_all(sm):
    said = sm("rules")
    assert said.code == 0
    assert "SM001  error    rule-crashed" in said.out
    listed = json.loads(sm("rules", "--output", "json").out)
    assert {"id", "name", "severity", "roles", "summary", "what", "why", "fix", "source"} == set(listed[0])
    assert [rule["id"] for rule in listed] == [line.split()[0] for line in said.out.splitlines()]


def test_rule_prints_its_page(sm):
    page = sm("rule", "SM001").out
    assert page.startswith("# SM001 rule-crashed\n")
    assert "\n## Why\n" in page
    assert sm("rule", "rule-crashed").out == page
    assert json.loads(sm("rule", "SM001", "--output", "json").out)["id"] == "SM001"
    said = sm("rule", "rule-crash")
    assert (said.code, "did you mean rule-crashed?" in said.err) == (2, True)
