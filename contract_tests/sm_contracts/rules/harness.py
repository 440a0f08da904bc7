"""Band 0: the check itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.evidence.harness import ProbeCrashes, RuleCrashes
from sm_contracts.roles import ANY
from sm_contracts.rule import Fail, Outcome, Severity, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = "https://github.com/sm-emulate/sm-emulate/issues"


@rule("SM001", "rule-crashed", severity=Severity.ERROR, roles=ANY, needs=RuleCrashes, source=_HERE)
def rule_crashed(crashes: RuleCrashes) -> Iterator[Outcome]:
    """A rule broke while it judged.

    What:
        A rule raised an exception on what the probes saw. Its own result is inconclusive.

    Why:
        A check that silently leaves out a rule would call an image good that nobody looked at.

    Fix:
        This is a bug of sm-emulate, not of the image. Report it with the traceback in the evidence, and leave the
        rule out with `--ignore` until it is mended.
    """
    for rule_id, text in crashes.tracebacks.items():
        last = text.strip().splitlines()[-1]
        yield Fail(f"{rule_id} broke: {last}", {"rule": rule_id, "traceback": text})


@rule("SM002", "probe-crashed", severity=Severity.ERROR, roles=ANY, needs=ProbeCrashes, source=_HERE)
def probe_crashed(crashes: ProbeCrashes) -> Iterator[Outcome]:
    """A probe could not finish, for a reason that is ours or the engine's.

    What:
        A probe raised an exception. Every rule that needs its evidence is inconclusive.

    Why:
        A check that silently leaves out a probe would call an image good that nobody looked at.

    Fix:
        Read the last line of the traceback: if it names the container engine, `sm-emulate doctor` says what to do.
        Otherwise it is a bug of sm-emulate; report it with the traceback in the evidence.
    """
    for probe, text in crashes.tracebacks.items():
        last = text.strip().splitlines()[-1]
        yield Fail(f"the probe {probe} broke: {last}", {"probe": probe, "traceback": text})
