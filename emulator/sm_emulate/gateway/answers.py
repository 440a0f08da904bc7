"""SageMaker's error answers, in the shape that rest-json clients parse."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.gateway.event_stream import exception
from sm_emulate.spec import containers
from sm_emulate.spec import invocation as spec

if TYPE_CHECKING:
    from sm_emulate.gateway.front import EndpointFront


@dataclass(frozen=True, kw_only=True)
class ErrorAnswer:
    """One answer of the gateway's own: shape name (empty for what the API does not name), HTTP status, body."""

    code: str
    status: int
    body: bytes
    content_type: str = "application/json"


def model_error(front: EndpointFront, *, container: str, status: int, message: str | None) -> ErrorAnswer:
    """Give ModelError for a container that answered `status`, or 0 for none.

    Args:
        front: the endpoint.
        container: what the message calls the container.
        status: the container's own status.
        message: the container's body, or SageMaker's sentence; None if the body broke off.
    """
    side = "client" if 0 < status < 500 else "server"
    words = {
        "side": side,
        "status": status,
        "container": container,
        "logs": spec.LOGS_SENTENCE.format(
            region=front.region, endpoint=front.endpoint_name, account=front.account
        ),
    }
    if message is None:
        text = spec.MODEL_ERROR_WITHOUT_BODY.format(**words)
    else:
        # the sentence around the body must survive the cap: it says where the logs are
        room = spec.MAX_MESSAGE_CHARS - len(spec.MODEL_ERROR_WITH_BODY.format(**words, message=""))
        text = spec.MODEL_ERROR_WITH_BODY.format(**words, message=message[: max(room, 0)])
    return _answer(
        "ModelError",
        {
            "ErrorCode": spec.CLIENT_ERROR_CODE if side == "client" else spec.SERVER_ERROR_CODE,
            "LogStreamArn": log_stream_arn(front),
            "Message": text[: spec.MAX_MESSAGE_CHARS],
            "OriginalMessage": (message or "")[: spec.MAX_MESSAGE_CHARS],
            "OriginalStatusCode": status,
        },
    )


def too_long_between(front: EndpointFront, giver: str, taker: str, *, status: int, size: int) -> ErrorAnswer:
    """Give the answer for a container of a pipeline whose own is longer than the next one is given."""
    logs = spec.LOGS_SENTENCE.format(region=front.region, endpoint=front.endpoint_name, account=front.account)
    limit = f"{front.pipeline.payload_limit_bytes / (1 << 20):g}"
    text = containers.TOO_LONG_BETWEEN.format(
        giver=giver, taker=taker, status=status, size=size, limit=limit, logs=logs
    )
    return _answer(
        "ModelError",
        {
            "ErrorCode": spec.SERVER_ERROR_CODE,
            "LogStreamArn": log_stream_arn(front),
            "Message": text[: spec.MAX_MESSAGE_CHARS],
            "OriginalMessage": "",
            "OriginalStatusCode": status,
        },
    )


def timed_out(front: EndpointFront, container: str) -> ErrorAnswer:
    """Give the answer for a container that took longer than its limit."""
    return model_error(
        front,
        container=container,
        status=spec.NO_ORIGINAL_STATUS,
        message=spec.TIMED_OUT.format(container=container),
    )


def no_response(front: EndpointFront, container: str) -> ErrorAnswer:
    """Give the answer for a container that is gone, breaks off or does not speak HTTP."""
    return model_error(
        front,
        container=container,
        status=spec.NO_ORIGINAL_STATUS,
        message=spec.NO_RESPONSE.format(endpoint=front.endpoint_name),
    )


def stream_timed_out(container: str) -> bytes:
    """Give the event that ends a stream whose container took longer than its limit."""
    return _stream_error("ModelInvocationTimeExceeded", spec.STREAM_TIMED_OUT.format(container=container))


def stream_broken(container: str) -> bytes:
    """Give the event that ends a stream whose container broke off."""
    return _stream_error("StreamBroken", spec.STREAM_BROKE_OFF.format(container=container))


def stream_failed(front: EndpointFront) -> bytes:
    """Give the event that ends a stream for which the container is not to blame."""
    return exception(
        "InternalStreamFailure", {"Message": spec.STREAM_FAILED.format(endpoint=front.endpoint_name)}
    )


def _stream_error(code: str, message: str) -> bytes:
    return exception("ModelStreamError", {"Message": message, "ErrorCode": code})


def refusal(code: str, message: str) -> ErrorAnswer:
    """Give an error that is settled before the container is asked."""
    return _answer(code, {"Message": message[: spec.MAX_MESSAGE_CHARS]})


def unknown_variant(front: EndpointFront, variant: bytes) -> ErrorAnswer:
    """Give the answer for a TargetVariant that the endpoint does not have."""
    return refusal(
        "ValidationError",
        spec.VARIANT_NOT_FOUND.format(
            variant=variant.decode("latin-1"), endpoint=front.endpoint_name, account=front.account
        ),
    )


def plain(text: str, content_type: str) -> ErrorAnswer:
    """Give what the gateway itself tells, in the shape of its other own answers."""
    return ErrorAnswer(code="", status=200, body=text.encode(), content_type=content_type)


def body_too_long(front: EndpointFront) -> ErrorAnswer:
    """Give the answer for a request body over the limit."""
    message = spec.BODY_TOO_LONG.format(limit=front.max_body_bytes)
    if front.long_body_is_invalid:
        return refusal("ValidationError", message)
    return ErrorAnswer(code="", status=spec.BODY_TOO_LONG_STATUS, body=_json({"Message": message}))


def log_stream_arn(front: EndpointFront) -> str:
    """Give the ARN that ModelError calls LogStreamArn."""
    return spec.LOG_STREAM_ARN.format(
        partition=_partition(front.region),
        region=front.region,
        account=front.account,
        endpoint=front.endpoint_name,
    )


def _partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _answer(code: str, members: dict[str, object]) -> ErrorAnswer:
    return ErrorAnswer(code=code, status=spec.ERROR_STATUS[code], body=_json(members))


def _json(members: dict[str, object]) -> bytes:
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
