"""Why an endpoint did not come into service, as the error that a person reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.errors import EndpointFailedError, StartError
from sm_emulate.lifecycle.hosting.health import diagnose
from sm_emulate.spec import wordings
from sm_emulate.spec.endpoint import CONTAINER_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sm_emulate.engine.protocol import Exit, Listener
    from sm_emulate.gateway.ping import PingOutcome

PAGE = "https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html"


def could_not_start(
    variant: str, error: BaseException, *, container: str = wordings.PRIMARY
) -> BaseException:
    """Give the error of a program that could not be started; other errors of the engine stay as they are."""
    if not isinstance(error, StartError):
        return error
    failed = EndpointFailedError(
        wordings.ping_failed(variant, container),
        value="the program could not be started",
        expected="an ENTRYPOINT that takes the argument `serve`, or an executable `serve` on PATH",
        link=PAGE,
        evidence=error.evidence,
    )
    failed.containers = (container,)
    return failed


def unhealthy(
    variant: str,
    *,
    container: str = wordings.PRIMARY,
    port: int = CONTAINER_PORT,
    ended: Exit | None,
    last: PingOutcome | None,
    listeners: Sequence[Listener] | None,
    window_s: float,
    tail: Iterable[str],
) -> EndpointFailedError:
    """Give the error of a container that did not pass the ping health check, with its diagnosis."""
    diagnosis = diagnose(ended=ended, last=last, listeners=listeners, window_s=window_s, port=port)
    failed = EndpointFailedError(
        wordings.ping_failed(variant, container),
        value=diagnosis.seen,
        hint=diagnosis.hint,
        link=PAGE,
        evidence=tuple(tail),
    )
    failed.containers = (container,)
    return failed


def together_unhealthy(
    variant: str, failed: Sequence[tuple[str, EndpointFailedError]]
) -> EndpointFailedError:
    """Give the error of an instance of which these containers, by their names, did not pass the health check."""
    names = ", ".join(name for name, _ in failed)
    together = EndpointFailedError(
        wordings.ping_failed(variant, names),
        value="; ".join(f"{name}: {error.value}" for name, error in failed),
        hint=failed[0][1].hint,
        link=PAGE,
        evidence=tuple(f"{name}: {line}" for name, error in failed for line in error.evidence),
    )
    together.containers = tuple(name for name, _ in failed)
    return together
