"""Choosing rules, running the probes they need, judging: one check of one image."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sm_contracts.evidence import Missing
from sm_contracts.evidence.harness import ProbeCrashes, RuleCrashes
from sm_contracts.judging import judge
from sm_contracts.probes import Workbench
from sm_contracts.rule import Rule, Severity, Status
from sm_contracts.verdict import ProbeRun, RuleResult, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sm_contracts.probes import Probe
    from sm_contracts.subject import Subject
    from sm_emulate.api import Engine, Image

AT_ONCE = 2
"""Probes that run beside each other. More would make each other slow, and slowness is what some of them measure."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The probes that a choice of rules needs, and what each of them has to give."""

    wanted: dict[Probe, frozenset[type]]
    rules: tuple[Rule, ...]


def plan(rules: Sequence[Rule], probes: Iterable[Probe], subject: Subject) -> Plan:
    """Choose the smallest set of probes for these rules on this subject."""
    needed = {kind for rule in rules if rule.roles & subject.roles for kind in rule.needs}
    wanted = {probe: frozenset(needed & set(probe.gives)) for probe in probes}
    return Plan(wanted={probe: kinds for probe, kinds in wanted.items() if kinds}, rules=tuple(rules))


@dataclass
class _Findings:
    """What probes gave so far; every access holds the lock."""

    evidence: dict[type, object] = field(default_factory=dict)
    runs: list[ProbeRun] = field(default_factory=list)
    crashes: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def run(
    rules: Sequence[Rule],
    probes: Sequence[Probe],
    subject: Subject,
    *,
    engine: Engine,
    image: Image,
    fail_on: Severity = Severity.ERROR,
    say: Callable[[str], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Verdict:
    """Check one image.

    Args:
        rules: the chosen rules.
        probes: all probes; those that no rule needs are not run.
        subject: what is checked, with its sample input.
        engine: runs the containers.
        image: what the engine knows of the subject's image.
        fail_on: from which severity on a broken rule makes the verdict fail.
        say: told what happens, for a progress display.
        stopping: true once the user wants to leave; probes then end early and rules are inconclusive.
    """
    began = time.monotonic()
    chosen = plan(rules, probes, subject)
    findings = _Findings()
    folder = Path(tempfile.mkdtemp(prefix="sm-emulate-check-"))

    def one(probe: Probe) -> None:
        _run_probe(
            probe,
            chosen.wanted[probe],
            Workbench(subject=subject, engine=engine, folder=folder / probe.name, say=say, stopping=stopping),
            findings,
            began,
        )

    try:
        together = sorted((p for p in chosen.wanted if not p.alone), key=lambda p: -p.lives)
        with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="probe") as pool:
            list(pool.map(one, together))
        for probe in (p for p in chosen.wanted if p.alone):
            one(probe)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    findings.evidence[ProbeCrashes] = ProbeCrashes(tracebacks=dict(findings.crashes))
    return Verdict(
        image=subject.image,
        image_id=image.id,
        platform=f"{image.os}/{image.architecture}",
        roles=tuple(sorted(role.value for role in subject.roles)),
        roles_found_by=subject.roles_found_by,
        rules=tuple(_judge_all(chosen.rules, subject, findings.evidence)),
        probes=tuple(sorted(findings.runs, key=lambda each: each.started_at)),
        seconds=time.monotonic() - began,
        fail_on=fail_on,
    )


def _run_probe(
    probe: Probe, wanted: frozenset[type], bench: Workbench, findings: _Findings, began: float
) -> None:
    started = time.monotonic()
    bench.folder.mkdir(parents=True)
    bench.say(f"{probe.name}")
    try:
        given: Any = probe.run(bench, wanted)
    except Exception as error:  # noqa: BLE001  # whatever it was, the other probes go on and SM002 tells
        with findings.lock:
            findings.crashes[probe.name] = traceback.format_exc()
        given = {kind: Missing(f"the probe {probe.name} broke: {error}", "see SM002") for kind in wanted}
    with findings.lock:
        findings.evidence.update(given)
        findings.runs.append(
            ProbeRun(
                name=probe.name,
                seconds=time.monotonic() - started,
                containers=probe.lives,
                started_at=started - began,
            )
        )


def _judge_all(rules: Sequence[Rule], subject: Subject, evidence: dict[type, object]) -> list[RuleResult]:
    """Judge every rule, and last the one that tells of rules that broke."""
    results = {rule.id: judge(rule, subject, evidence) for rule in rules if RuleCrashes not in rule.needs}
    crashed = {
        result.id: str(result.evidence["traceback"])
        for result in results.values()
        if result.status is Status.INCONCLUSIVE and "crashed" in result.evidence
    }
    about_rules = evidence | {RuleCrashes: RuleCrashes(tracebacks=crashed)}
    for rule in rules:
        if rule.id not in results:
            results[rule.id] = judge(rule, subject, about_rules)
    return [results[rule.id] for rule in rules]
