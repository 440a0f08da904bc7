"""What a serial inference pipeline asks of each of its containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.evidence.capabilities import InPipeline
from sm_contracts.evidence.image import Configuration
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.capabilities import sources
from sm_contracts.rules.capabilities.label import label_is_true

if TYPE_CHECKING:
    from collections.abc import Iterator

LABEL = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
_DEFAULT_PORT = 8080


@rule(
    "SM601",
    "pipeline-label-missing",
    severity=Severity.ERROR,
    roles=Role.PIPELINE,
    needs=Configuration,
    source=sources.PIPELINES,
)
def pipeline_label_missing(configuration: Configuration) -> Iterator[Outcome]:
    """The image does not say that it can be part of a pipeline.

    What:
        The image has no label com.amazonaws.sagemaker.capabilities.accept-bind-to-port with the value `true`.

    Why:
        CreateModel refuses several containers unless each image has it: "Your Ecr Image XXX does not contain required
        com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true Docker label(s)."

    Fix:
        Write `LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true` into the Dockerfile, and listen on
        the port that SAGEMAKER_BIND_TO_PORT names.
    """
    yield from label_is_true(configuration, LABEL)


@rule(
    "SM602",
    "pipeline-bind-to-port",
    severity=Severity.ERROR,
    roles=Role.PIPELINE,
    needs=InPipeline,
    source=sources.PIPELINE_CONTAINERS,
)
def pipeline_bind_to_port(seen: InPipeline) -> Iterator[Outcome]:
    """The container does not serve at the port that it is given in a pipeline, or takes 8080 as well.

    What:
        Started with SAGEMAKER_BIND_TO_PORT and SAGEMAKER_SAFE_PORT_RANGE, the container was not healthy at that port,
        although it is at 8080 when it is told nothing. Or it answers the sample payload only when it is told nothing.
        Or it still listens at 8080, be it on loopback only.

    Why:
        The containers of a pipeline run on one instance and share its network. Each is given a port of its own, and is
        pinged and invoked there; 8080 belongs to a neighbour. An endpoint with such a container fails with "did not
        pass the ping health check" while its log looks healthy, or two of its containers fight for one port.

    Fix:
        Listen on `os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")`, and make whatever stands in front of the server
        (nginx, a start script, a health check) use the same number. What else must listen takes its ports from
        SAGEMAKER_SAFE_PORT_RANGE (SM332).
    """
    shown = seen.as_evidence()
    told = f"with SAGEMAKER_BIND_TO_PORT={seen.port}"
    if not seen.ping.ok:
        if seen.exit_code is not None:
            instead = f"the container exited with code {seen.exit_code}"
        elif seen.default_ping.ok:
            instead = (
                f"the container {seen.ping}; it is healthy at {_DEFAULT_PORT} as if it had not been told"
            )
        else:
            instead = f"the container {seen.ping}"
        yield Fail(f"{told} GET /ping at that port is not answered 200: {instead}", shown)
        return
    taken = [str(each) for each in seen.listeners or () if each.port == _DEFAULT_PORT]
    if taken:
        yield Fail(f"{told} it listens at {' and '.join(taken)} as well, which is a neighbour's port", shown)
    elif seen.default_ping.ok:
        yield Fail(
            f"{told} it answers GET /ping at {_DEFAULT_PORT} as well, which is a neighbour's port", shown
        )
    if seen.invocation is not None and not seen.invocation.ok:
        if seen.alone.answered:
            yield Fail(
                f"{told} the sample payload is not answered 200: the container {seen.invocation}; one that is told "
                "nothing answers it",
                shown,
            )
        else:
            yield Inconclusive(
                "the sample payload is not answered 200 by a container that is alone, see SM311"
            )
    yield Pass({"port": seen.port, "listeners": shown["listeners"]})
