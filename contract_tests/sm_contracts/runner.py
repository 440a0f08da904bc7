"""Choosing rules, running the probes they need, judging: one check of one image."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sm_contracts.evidence import Missing
from sm_contracts.evidence.harness import ProbeCrashes, RuleCrashes
from sm_contracts.judging import judge
from sm_contracts.probes import Workbench
from sm_contracts.progress import Lines
from sm_contracts.recorded import RecordedEngine
from sm_contracts.recorder import Recorder
from sm_contracts.rule import Rule, Severity, Status
from sm_contracts.verdict import ProbeRun, RuleResult, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sm_contracts.probes import Probe
    from sm_contracts.progress import Watch
    from sm_contracts.subject import Subject
    from sm_emulate.api import Engine, Image

AT_ONCE = 2
"""Probes that run beside each other. More would make each other slow, and slowness is what some of them measure."""
INTERRUPT_GRACE_S = 5.0
"""After Ctrl-C, probes have this long to end their containers themselves."""
INTERRUPTED = Missing("the check was interrupted before this was looked at", "let it run to its end")


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
    givers: dict[type, str] = field(default_factory=dict)
    runs: list[ProbeRun] = field(default_factory=list)
    crashes: dict[str, str] = field(default_factory=dict)
    timeline: list[Mapping[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, kw_only=True)
class _Turn:
    """One probe and what it works with."""

    probe: Probe
    wanted: frozenset[type]
    bench: Workbench
    engine: RecordedEngine


def run(
    rules: Sequence[Rule],
    probes: Sequence[Probe],
    subject: Subject,
    *,
    engine: Engine,
    image: Image,
    fail_on: Severity = Severity.ERROR,
    ignored: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda _: None,
    watch: Watch | None = None,
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
        ignored: why a chosen rule is left out, by rule id; it is listed as skipped.
        say: told what happens, in sentences.
        watch: told more closely what happens, for a progress display; takes the place of `say`.
        stopping: true once the user wants to leave; probes then end early and rules are inconclusive.
    """
    began = time.monotonic()
    told = watch or Lines(say)
    ignored = ignored or {}
    chosen = plan([rule for rule in rules if rule.id not in ignored], probes, subject)
    findings = _Findings()
    folder = Path(tempfile.mkdtemp(prefix="sm-emulate-check-"))
    turns = []
    for probe, wanted in chosen.wanted.items():
        record = Recorder(probe.name, began)
        recorded = RecordedEngine(engine, record)
        bench = Workbench(
            subject=subject,
            engine=cast("Engine", recorded),
            folder=folder / probe.name,
            say=partial(told.doing, probe.name),
            stopping=stopping,
            record=record,
        )
        turns.append(_Turn(probe=probe, wanted=wanted, bench=bench, engine=recorded))
    try:
        together = sorted(
            (turn for turn in turns if not turn.probe.alone), key=lambda turn: -turn.probe.lives
        )
        alone = [turn for turn in turns if turn.probe.alone]
        told.planned([turn.probe.name for turn in (*together, *alone)])
        _take_turns(together, AT_ONCE, findings, told, began)
        _take_turns(alone, 1, findings, told, began)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    findings.evidence[ProbeCrashes] = ProbeCrashes(tracebacks=dict(findings.crashes))
    results = _judge_all(chosen.rules, subject, findings)
    results += [_left_out(rule, ignored[rule.id]) for rule in rules if rule.id in ignored]
    return Verdict(
        image=subject.image,
        image_id=image.id,
        platform=f"{image.os}/{image.architecture}",
        roles=tuple(sorted(role.value for role in subject.roles)),
        roles_found_by=subject.roles_found_by,
        rules=tuple(sorted(results, key=lambda each: each.id)),
        probes=tuple(sorted(findings.runs, key=lambda each: each.started_at)),
        seconds=time.monotonic() - began,
        fail_on=fail_on,
        interrupted=stopping(),
        timeline=tuple(sorted(findings.timeline, key=lambda each: float(each["at"]))),
    )


def _take_turns(turns: list[_Turn], at_once: int, findings: _Findings, told: Watch, began: float) -> None:
    """Run these probes. After an interruption they come to an end whether they care for it or not."""
    if not turns:
        return
    stopping = turns[0].bench.stopping
    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="probe") as pool:
        running: set[Future[None]] = {pool.submit(_run_probe, turn, findings, told, began) for turn in turns}
        patience: float | None = None
        while running:
            # short waits: a signal handler runs between them
            _, running = wait(running, timeout=0.2)
            if patience is None and stopping():
                patience = time.monotonic() + INTERRUPT_GRACE_S
            if patience is not None and time.monotonic() > patience:
                for turn in turns:
                    turn.engine.kill()


def _run_probe(turn: _Turn, findings: _Findings, told: Watch, began: float) -> None:
    probe, bench, wanted = turn.probe, turn.bench, turn.wanted
    if bench.stopping():
        with findings.lock:
            findings.evidence.update(dict.fromkeys(wanted, INTERRUPTED))
        return
    started = time.monotonic()
    bench.folder.mkdir(parents=True)
    told.began(probe.name)
    try:
        given: Any = probe.run(bench, wanted)
    except Exception as error:  # noqa: BLE001  # whatever it was, the other probes go on and SM002 tells
        given = _broke(turn, error, findings)
    finally:
        turn.engine.sweep()
    seconds = time.monotonic() - started
    record = bench.record
    with findings.lock:
        findings.evidence.update(given)
        findings.givers.update(dict.fromkeys(wanted, probe.name))
        findings.timeline += record.timeline()
        findings.runs.append(
            ProbeRun(
                name=probe.name,
                seconds=seconds,
                containers=record.containers,
                container_seconds=record.container_seconds(),
                log_tail=record.log_tail(),
                started_at=started - began,
            )
        )
    told.ended(probe.name, seconds)


def _broke(turn: _Turn, error: Exception, findings: _Findings) -> dict[type, Missing]:
    """Remember a probe's crash, unless it came from the containers that an interruption took from it."""
    if turn.bench.stopping():
        return dict.fromkeys(turn.wanted, INTERRUPTED)
    with findings.lock:
        findings.crashes[turn.probe.name] = traceback.format_exc()
    missing = Missing(f"the probe {turn.probe.name} broke: {error}", "see SM002")
    return dict.fromkeys(turn.wanted, missing)


def _judge_all(rules: Sequence[Rule], subject: Subject, findings: _Findings) -> list[RuleResult]:
    """Judge every rule, and last the one that tells of rules that broke."""

    def result(rule: Rule, evidence: dict[type, object]) -> RuleResult:
        givers = dict.fromkeys(findings.givers[kind] for kind in rule.needs if kind in findings.givers)
        return replace(judge(rule, subject, evidence), probes=tuple(givers))

    results = [result(rule, findings.evidence) for rule in rules if RuleCrashes not in rule.needs]
    crashed = {
        each.id: str(each.evidence["traceback"])
        for each in results
        if each.status is Status.INCONCLUSIVE and "crashed" in each.evidence
    }
    about_rules = findings.evidence | {RuleCrashes: RuleCrashes(tracebacks=crashed)}
    results += [result(rule, about_rules) for rule in rules if RuleCrashes in rule.needs]
    return results


def _left_out(rule: Rule, reason: str) -> RuleResult:
    return RuleResult(
        id=rule.id,
        name=rule.name,
        severity=rule.severity,
        status=Status.SKIP,
        message=f"ignored: {reason}",
        fix=rule.fix,
        source=rule.source,
    )
