"""The report for people."""

import re
from dataclasses import replace

from sm_contracts.reports import render
from sm_contracts.rule import Severity


def test_a_failure_has_evidence_log_fix_page_and_the_command_that_shows_it_again(verdict):
    text = render(verdict, "text")
    part = text[text.index("FAIL error  SM304") : text.index("FAIL warning")]
    for said in (
        "an idle ping took 3.2 s",
        "slowest_seconds: 3.2",
        "seconds: 0.1, 3.2, 0.2",
        "    | starting",
        "Bind to `0.0.0.0`.",
        "https://docs.example.org/ping",
        "sm-emulate rule SM304",
        'sm-emulate validate registry.example.org:5000/team/image:1.0 --environment KEY="$KEY" --select SM304',
    ):
        assert said in part


def test_it_says_what_was_checked_how_long_phases_took_and_the_verdict(verdict):
    lines = render(verdict, "text").splitlines()
    assert lines[0] == "registry.example.org:5000/team/image:1.0  abababababab  linux/amd64"
    assert lines[1] == "roles: serve, train (found: the programs /usr/bin/serve and /usr/bin/train)"
    assert "serving    12.5 s   11.0 s in 2 containers" in lines
    assert lines[-2:] == ["1 passed, 2 failed, 1 inconclusive, 3 skipped in 13.1 s", "fail: SM304"]


def test_inconclusive_and_ignored_rules_have_a_line_each_and_foreign_roles_none(verdict):
    lines = render(verdict, "text").splitlines()
    assert "  SM311 invocation-failed  no sample payload; give --data @FILE" in lines
    assert "  SM112 image-too-large  ignored: our base is large on purpose" in lines
    assert not any("SM202" in line for line in lines)


def test_a_log_is_shown_once_for_all_failures_of_its_probe(verdict):
    doubled = replace(verdict, rules=(*verdict.rules, replace(verdict.rules[4], id="SM305")))
    assert render(doubled, "text").count("log, last lines (serving)") == 1


def test_colours_are_marks_only_and_a_container_cannot_send_any(verdict):
    plain = render(verdict, "text")
    coloured = render(verdict, "text", colour=True)
    assert "\x1b" not in plain
    assert "\x1b[31m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain
    assert "\x1b[2J" not in coloured


def test_nothing_checked_and_interrupted_are_said(verdict):
    nothing = replace(verdict, rules=verdict.rules[:1], interrupted=True)
    assert render(nothing, "text").splitlines()[-1] == (
        "nothing was checked: no rule could be judged (interrupted before the end)"
    )


def test_warnings_do_not_fail_unless_asked_for(verdict):
    only_warning = replace(verdict, rules=verdict.rules[-1:])
    assert render(only_warning, "text").splitlines()[-1] == "pass, with 1 below --fail-on error"
    strict = replace(only_warning, fail_on=Severity.WARNING)
    assert render(strict, "text").splitlines()[-1] == "fail: SM330"
