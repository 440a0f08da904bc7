"""What a gateway stands for, and what it tells about each invocation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sm_emulate.spec import invocation as spec

if TYPE_CHECKING:
    from sm_emulate.gateway.target_models import TargetModels


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """Where the container listens, as seen from this machine."""

    host: str
    port: int
    beside: tuple[Upstream, ...] = ()
    """The other containers of the same instance, in their order; this one is the first."""


RANDOM = "RANDOM"
LEAST_OUTSTANDING = "LEAST_OUTSTANDING_REQUESTS"


@dataclass(frozen=True, kw_only=True)
class VariantFront:
    """One variant: where its instances listen, and which part of the requests they get.

    Args:
        variant_name: what `InvokedProductionVariant` says.
        upstreams: the container of each instance that takes requests now.
        weight: its part of the requests is its weight over the sum of all; none of them without TargetVariant for 0.
        routing: how one of the instances is chosen: `RANDOM` or `LEAST_OUTSTANDING_REQUESTS`.
        container_name: what error messages call the container.
        models: of a multi-model container, which then is the only one of its variant.
        containers: the names of the containers that share each instance; empty where there is one.
        container_ports: where each of them listens inside.
        direct: requests name the container that they are for; else one is asked after the other.
    """

    variant_name: str = "AllTraffic"
    upstreams: tuple[Upstream, ...]
    weight: float = 1.0
    routing: str = RANDOM
    container_name: str = "primary"
    models: TargetModels | None = field(default=None, compare=False, repr=False)
    containers: tuple[str, ...] = ()
    container_ports: tuple[int, ...] = ()
    direct: bool = False


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Who answers, at this moment.

    Args:
        variants: the production variants.
        shadow: gets copies of requests; its answers are dropped.
        shadow_percent: how many of the requests are copied.
    """

    variants: tuple[VariantFront, ...]
    shadow: VariantFront | None = None
    shadow_percent: float = 100.0


@dataclass(frozen=True, kw_only=True)
class PipelineRules:
    """What happens between the containers of a pipeline.

    Args:
        payload_limit_bytes: the longest answer that one hands to the next.
        timeout_each: the time for an answer begins anew with each; else all of them share it.
        accept_of_caller: all of them see the caller's Accept; else only the last.
        attributes: whose custom attributes those after the first see: the `caller`'s, those of the `answer` before
            them, or none (`first`).
    """

    payload_limit_bytes: int = spec.MAX_BYTES_BETWEEN
    timeout_each: bool = False
    accept_of_caller: bool = False
    attributes: str = "caller"


@dataclass(frozen=True, kw_only=True)
class EndpointFront:
    """One endpoint, and the limits that hold for it.

    Args:
        endpoint_name: the only name that the AWS path answers to.
        fleet: who answers from the start.
        region: only for the ARN and the link in error messages.
        account: likewise.
        seed: of the choice between variants and instances; None for a choice that nobody can foresee.
        model_timeout_s: seconds from the last byte of the request to the last byte of the container's answer.
        stream_timeout_s: the same for an answer that is streamed.
        first_part_timeout_s: seconds until the first byte of an answer that is streamed.
        connect_timeout_s: seconds for the container to accept a connection.
        client_timeout_s: seconds without a byte after which a half-sent request is given up.
        max_body_bytes: largest request body.
        long_body_is_invalid: answer a longer one with ValidationError, as the API model has it; else with 413, as
            SageMaker was seen to.
        refuse_unknown_sessions: answer a session that is not open with ValidationError; else any instance is asked.
        hold_bytes: answers up to this size are held until they are whole, so that a container that breaks off
            gives the documented error; what is longer is streamed. InvokeEndpoint does not stream: 0 does.
            Requests up to this size are sent again when a kept-alive connection turns out to be closed.
        keep_alive_s: how long an unused connection to the container is kept. Shorter than gunicorn's 2 s, so
            that the container rarely closes first, and an idle connection does not hold up a server with one
            thread.
        container_host: the Host header that the container sees.
        multi_model: its container serves many models: requests name theirs in X-Amzn-SageMaker-Target-Model.
        default_accept: the Accept header that it sees where the caller gave none; None is no header.
        asynchronous: takes InvokeEndpointAsync, and nothing else.
        pipeline: for the variants that have one.
    """

    endpoint_name: str
    fleet: Fleet
    region: str = "us-east-1"
    account: str = "123456789012"
    seed: int | None = None
    model_timeout_s: float = spec.MODEL_TIMEOUT_S
    stream_timeout_s: float = spec.STREAM_TIMEOUT_S
    first_part_timeout_s: float = spec.STREAM_TIMEOUT_S
    connect_timeout_s: float = spec.CONNECT_TIMEOUT_S
    client_timeout_s: float = 60.0
    max_body_bytes: int = spec.MAX_BODY_BYTES
    long_body_is_invalid: bool = False
    refuse_unknown_sessions: bool = False
    hold_bytes: int = 1024 * 1024
    keep_alive_s: float = 1.0
    multi_model: bool = False
    container_host: str = spec.CONTAINER_HOST
    default_accept: str | None = None
    asynchronous: bool = False
    pipeline: PipelineRules = PipelineRules()

    def __post_init__(self) -> None:
        limits = (
            self.model_timeout_s,
            self.stream_timeout_s,
            self.first_part_timeout_s,
            self.connect_timeout_s,
            self.client_timeout_s,
        )
        if min(limits) <= 0:
            raise ValueError("the time limits of an endpoint are above zero")
        if self.max_body_bytes < 0 or self.hold_bytes < 0:
            raise ValueError("the size limits of an endpoint are not below zero")


class Invocation(NamedTuple):
    """One finished request, as the gateway saw it; a tuple, since one is made for each request.

    Args:
        at: when it was finished, in seconds since 1970.
        path: the path that the client asked for.
        status: what the client was given; None if it had left.
        original_status: what the container answered; None if it gave no answer or was not asked.
        model_s: seconds in the container (CloudWatch's ModelLatency).
        overhead_s: seconds that the gateway added to them (OverheadLatency).
        bytes_in: length of the request's body, as far as it was read.
        bytes_out: length of the body given to the client.
        variant: who was asked; empty if nobody was.
        shadow: it is the copy for a shadow variant, whose answer is given to nobody.
        containers: of an instance with several: the name, the status (None for none) and the seconds of each that was
            asked, in order.
        failure: plain words for what went wrong between gateway and container or client; None if nothing did.
            SageMaker's own message hides this: it blames CPU and memory for every lost answer.
    """

    at: float
    path: str
    status: int | None
    original_status: int | None
    model_s: float
    overhead_s: float
    bytes_in: int
    bytes_out: int
    failure: str | None = None
    variant: str = ""
    shadow: bool = False
    containers: tuple[tuple[str, int | None, float], ...] = ()
