"""Made-up rules, probes and verdicts: the doors and reports are tested without any real one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from sm_contracts.evidence import Missing
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Rule, Severity, Status, registered
from sm_contracts.rules import harness
from sm_contracts.subject import Subject
from sm_contracts.verdict import ProbeRun, RuleResult, Verdict
from sm_emulate.engine.memory import MemoryEngine

assert harness  # its import registers SM001 and SM002


@dataclass(frozen=True)
class Weight:
    kilos: float


@dataclass(frozen=True)
class Colour:
    name: str


@dataclass(eq=False)
class FakeProbe:
    """Gives what it is told to give, and remembers what was wanted of it."""

    name: str
    evidence: dict[type, Any]
    act: Any = None
    lives: int = 1
    alone: bool = False
    wanted: list[frozenset[type]] = field(default_factory=list)

    @property
    def gives(self):
        return tuple(self.evidence)

    def run(self, bench, wanted):
        self.wanted.append(wanted)
        if self.act is not None:
            self.act(bench)
        return {kind: self.evidence[kind] for kind in wanted}


def make_rule(rule_id, name, needs, judge, *, severity=Severity.ERROR, roles=(Role.SERVE,)):
    return Rule(
        id=rule_id,
        name=name,
        severity=severity,
        roles=frozenset(roles),
        needs=needs if isinstance(needs, tuple) else (needs,),
        source="https://docs.example.org/page",
        judge=judge,
        summary="It must be so.",
        sections={"What": "What is.", "Why": "Why so.", "Fix": "Do it otherwise."},
    )


def too_heavy(weight):
    if weight.kilos > 10:
        yield Fail(f"it weighs {weight.kilos:g} kg", {"kilos": weight.kilos})


def not_green(colour):
    if colour.name != "green":
        yield Fail(f"it is {colour.name}", {"colour": colour.name})


@dataclass
class Made:
    """What tests of the runner are made from."""

    Weight = Weight
    Colour = Colour
    Missing = Missing
    FakeProbe = FakeProbe
    rule = staticmethod(make_rule)
    heavy = make_rule("SM901", "too-heavy", Weight, too_heavy)
    green = make_rule("SM902", "not-green", Colour, not_green, severity=Severity.WARNING)

    @property
    def harness(self):
        return [rule for rule_id, rule in registered().items() if rule_id.startswith("SM0")]

    subject = Subject(image="fake:1", roles=frozenset({Role.SERVE}), roles_found_by="asked for")


@pytest.fixture
def made():
    return Made()


@pytest.fixture
def engine():
    engine = MemoryEngine()
    engine.add_image("fake:1", lambda box: box.write(b"hello\n"))
    yield engine
    assert not engine.leftovers({}), "something was left behind"
    engine.close()


def result(rule_id, name, status, **more):
    given = {
        "severity": Severity.ERROR,
        "message": "",
        "fix": "Bind to `0.0.0.0`.\n\n- one\n- two",
        "source": "https://docs.example.org/ping",
    }
    return RuleResult(id=rule_id, name=name, status=status, **(given | more))


HOSTILE = '<script>alert(1)</script>\x1b[2J]]> & "quotes" %0A ::error:: \ud800'


@pytest.fixture
def verdict():
    """A check that met everything that can happen."""
    return Verdict(
        image="registry.example.org:5000/team/image:1.0",
        image_id="sha256:" + "ab" * 32,
        platform="linux/amd64",
        roles=("serve", "train"),
        roles_found_by="found: the programs /usr/bin/serve and /usr/bin/train",
        rules=(
            result("SM101", "oci-manifest", Status.SKIP, message="a local image has no manifest"),
            result("SM103", "architecture-mismatch", Status.PASS, evidence={"architecture": "amd64"}),
            result(
                "SM112",
                "image-too-large",
                Status.SKIP,
                severity=Severity.WARNING,
                message="ignored: our base is large on purpose",
            ),
            result("SM202", "train-failed", Status.SKIP, message="not checked for the role train"),
            result(
                "SM304",
                "ping-slow",
                Status.FAIL,
                message="an idle ping took 3.2 s",
                evidence={
                    "slowest_seconds": 3.2,
                    "seconds": [0.1, 3.2, 0.2],
                    "pings": [{"at": 1, "seconds": 3.2}, {"at": 2, "seconds": 0.2}],
                    "listeners": {"address": "0.0.0.0", "port": 8080},
                },
                probes=("serving",),
            ),
            result(
                "SM311",
                "invocation-failed",
                Status.INCONCLUSIVE,
                message="no sample payload; give --data @FILE",
            ),
            result(
                "SM330",
                "development-server",
                Status.FAIL,
                severity=Severity.WARNING,
                message=f"the Server header says {HOSTILE}",
                evidence={"header": HOSTILE, "traceback": f"one\n{HOSTILE}"},
            ),
        ),
        probes=(
            ProbeRun(name="image", seconds=0.4, containers=0, started_at=0.0),
            ProbeRun(
                name="serving",
                seconds=12.5,
                containers=2,
                container_seconds=11.0,
                log_tail=("starting", HOSTILE),
                started_at=0.4,
            ),
        ),
        seconds=13.1,
        timeline=(
            {
                "at": 0.5,
                "probe": "serving",
                "what": "container",
                "name": "1 algo-1",
                "until": 6.0,
                "exit_code": 0,
            },
            {
                "at": 0.6,
                "probe": "serving",
                "what": "log",
                "container": "1 algo-1",
                "line": f"starting {HOSTILE}",
            },
            {"at": 1.0, "probe": "serving", "what": "ping", "status": 200, "seconds": 0.004, "failure": ""},
            {"at": 2.0, "probe": "serving", "what": "ping", "status": 200, "seconds": 3.2, "failure": ""},
            {
                "at": 5.0,
                "probe": "serving",
                "what": "ping",
                "status": None,
                "seconds": 2.0,
                "failure": "timeout",
            },
            {
                "at": 3.0,
                "probe": "serving",
                "what": "invocation",
                "path": "/invocations",
                "status": 500,
                "seconds": 0.02,
                "failure": "",
            },
            {"at": 5.5, "probe": "serving", "what": "signal", "name": "SIGTERM", "container": "1 algo-1"},
            {
                "at": 6.5,
                "probe": "serving",
                "what": "container",
                "name": "2 algo-1",
                "until": 12.0,
                "exit_code": 137,
            },
        ),
        command=(
            "sm-emulate",
            "validate",
            "registry.example.org:5000/team/image:1.0",
            "--environment",
            "KEY=$KEY",
        ),
    )


@pytest.fixture
def hostile():
    return HOSTILE
