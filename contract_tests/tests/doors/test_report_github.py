"""Annotations on a workflow's run."""

from sm_contracts.reports import render


def test_every_broken_rule_is_one_annotation(verdict):
    lines = render(verdict, "github").splitlines()
    commands = [line for line in lines if line.startswith("::")]
    assert [line.split("::")[1] for line in commands] == [
        "error title=SM304 ping-slow",
        "warning title=SM330 development-server",
        "notice title=1 inconclusive",
    ]
    assert "an idle ping took 3.2 s%0AFix: Bind to" in commands[0]
    assert lines[-1] == "fail: SM304"


def test_what_a_container_wrote_cannot_become_a_command(verdict):
    lines = render(verdict, "github").splitlines()
    assert len(lines) == 5
    assert "%250A" in lines[1]
