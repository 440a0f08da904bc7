"""The report for a person at a terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from sm_contracts.reports.wording import (
    again,
    conclusion,
    counted,
    counts,
    evidence_lines,
    failures,
    log_of,
    printable,
    with_status,
)
from sm_contracts.rule import Severity, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sm_contracts.verdict import RuleResult, Verdict

    Say = Callable[..., str]

_PLAIN, _BOLD, _RED, _YELLOW, _GREEN, _GREY = (
    "\x1b[0m",
    "\x1b[1m",
    "\x1b[31m",
    "\x1b[33m",
    "\x1b[32m",
    "\x1b[2m",
)
_BY_SEVERITY = {Severity.ERROR: _RED, Severity.WARNING: _YELLOW, Severity.INFO: _GREY}
_BY_JUDGEMENT = {"pass": _GREEN, "fail": _RED, "nothing-checked": _YELLOW}
_WIDTH = 100


def text_report(verdict: Verdict, *, colour: bool = False) -> str:
    """Give the report: what was checked, how long it took, every failure with its evidence, the rest in short."""

    def say(words: str, paint: str = "") -> str:
        # a container may write anything, commands to the terminal too
        clean = printable(words)
        return f"{paint}{clean}{_PLAIN}" if colour and paint else clean

    return "\n".join(_lines(verdict, say)) + "\n"


def _lines(verdict: Verdict, say: Say) -> Iterator[str]:
    image_id = verdict.image_id.removeprefix("sha256:")[:12]
    yield say(f"{verdict.image}  {image_id}  {verdict.platform}", _BOLD)
    yield say(f"roles: {', '.join(verdict.roles) or 'none'} ({verdict.roles_found_by})")
    yield ""
    if verdict.probes:
        yield from _phases(verdict, say)
    logs_shown: set[str] = set()
    for result in failures(verdict):
        yield from _failure(verdict, result, logs_shown, say)
    yield from _others(verdict, Status.INCONCLUSIVE, say)
    yield from _others(verdict, Status.SKIP, say)
    yield say(f"{counts(verdict)} in {verdict.seconds:.1f} s")
    yield say(conclusion(verdict), _BOLD + _BY_JUDGEMENT[verdict.judgement])


def _phases(verdict: Verdict, say: Say) -> Iterator[str]:
    width = max(len(probe.name) for probe in verdict.probes)
    for probe in verdict.probes:
        lives = (
            f"   {probe.container_seconds:.1f} s in {counted(probe.containers, 'container')}"
            if probe.containers
            else ""
        )
        yield say(f"{probe.name:<{width}}  {probe.seconds:6.1f} s{lives}", _GREY)
    yield ""


def _failure(verdict: Verdict, result: RuleResult, logs_shown: set[str], say: Say) -> Iterator[str]:
    paint = _BY_SEVERITY[result.severity]
    yield say(f"FAIL {result.severity.value}  {result.id} {result.name}", _BOLD + paint)
    yield from (say(f"  {line}") for line in _wrapped(result.message, 2))
    if result.evidence:
        yield say("  evidence", _GREY)
        yield from (say(f"    {line}") for line in evidence_lines(result.evidence))
    probe, log = log_of(verdict, result)
    if log and probe not in logs_shown:
        logs_shown.add(probe)
        yield say(f"  log, last lines ({probe})", _GREY)
        yield from (say(f"    | {line}") for line in log)
    yield say("  fix", _GREY)
    for paragraph in result.fix.split("\n\n"):
        yield from (say(f"    {line}") for line in _wrapped(paragraph, 4))
    yield say(f"  page   {result.source}", _GREY)
    yield say(f"  rule   sm-emulate rule {result.id}", _GREY)
    yield say(f"  again  {again(verdict, result.id)}", _GREY)
    yield ""


def _others(verdict: Verdict, status: Status, say: Say) -> Iterator[str]:
    """Tell of what was not judged, one line each; rules of roles nobody asked for in one line together."""
    results = with_status(verdict, status)
    if status is Status.SKIP:
        results = [each for each in results if not each.message.startswith("not checked for the role")]
    if not results:
        return
    yield say({Status.INCONCLUSIVE: "inconclusive", Status.SKIP: "skipped"}[status], _BOLD)
    width = max(len(each.name) for each in results)
    for each in results:
        yield say(f"  {each.id} {each.name:<{width}}  {' '.join(each.message.split())}")
    yield ""


def _wrapped(paragraph: str, indent: int) -> list[str]:
    """Fill the lines of a paragraph; lists, tables and code stay as they are."""
    lines = paragraph.splitlines()
    if any(line.startswith((" ", "-", "*", "|", "```")) for line in lines):
        return lines
    return textwrap.wrap(" ".join(lines), _WIDTH - indent, break_long_words=False, break_on_hyphens=False)
