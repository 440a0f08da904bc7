"""GitHub's workflow commands: each broken rule is an annotation on the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.reports.wording import again, conclusion, counts, failures, printable, with_status
from sm_contracts.rule import Severity, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_contracts.verdict import Verdict

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def github_report(verdict: Verdict) -> str:
    """Give one annotation for each broken rule and one for all that are inconclusive, then a plain summary."""
    return "\n".join(_lines(verdict)) + "\n"


def _lines(verdict: Verdict) -> Iterator[str]:
    for result in failures(verdict):
        command = "error" if verdict.counts(result) else _COMMANDS[result.severity]
        words = (
            f"{verdict.image}: {result.message}",
            f"Fix: {result.fix}",
            f"See {result.source}",
            f"Again: {again(verdict, result.id)}",
        )
        yield f"::{command} title={_property(f'{result.id} {result.name}')}::{_data(chr(10).join(words))}"
    unsure = with_status(verdict, Status.INCONCLUSIVE)
    if unsure:
        said = "\n".join(f"{each.id} {each.name}: {each.message}" for each in unsure)
        title = _property(f"{len(unsure)} inconclusive")
        yield f"::notice title={title}::{_data(f'{verdict.image}{chr(10)}{said}')}"
    # a line of ours that begins with two colons would be a command, too: the image's name cannot, nor can these words
    yield f"{verdict.image}: {counts(verdict)}"
    yield conclusion(verdict)


def _data(words: str) -> str:
    return printable(words).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(words: str) -> str:
    return _data(words).replace(":", "%3A").replace(",", "%2C")
