"""What SNS would be told of an asynchronous request that is over.

https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html
"""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.storage.async_queue import Queued


def message(
    queued: Queued,
    outcome: Mapping[str, Any],
    *,
    region: str,
    endpoint_name: str,
    now: datetime,
    response: bytes | None,
) -> dict[str, Any]:
    """Give the document that is the message's text.

    Args:
        queued: the request.
        outcome: what came of it.
        region: of the endpoint.
        endpoint_name: its name.
        now: when it was over.
        response: the container's answer where the topic asks for it; its members' names are UNSURE.
    """
    call = queued.call
    failure = outcome.get("failureReason")
    answered: dict[str, Any] = {}
    if outcome.get("contentType"):
        answered["contentType"] = outcome["contentType"]
    if outcome.get("location"):
        answered["outputLocation"] = outcome["location"]
    told: dict[str, Any] = {
        "awsRegion": region,
        "eventTime": _stamp(now),
        "receivedTime": _stamp(datetime.fromtimestamp(queued.accepted, timezone.utc)),
        "invocationStatus": "Completed" if failure is None else "Failed",
        "requestParameters": {
            **({"accept": call["accept"]} if call.get("accept") else {}),
            **({"contentType": call["contentType"]} if call.get("contentType") else {}),
            **({"customAttributes": call["customAttributes"]} if call.get("customAttributes") else {}),
            "endpointName": endpoint_name,
            **({"inputLocation": call["inputLocation"]} if call.get("inputLocation") else {}),
        },
    }
    if answered:
        told["responseParameters"] = answered
    if failure is not None:
        told["failureReason"] = failure
    if response is not None:
        told["responseBody"] = {"content": base64.b64encode(response).decode(), "encoding": "BASE64"}
    return {
        **told,
        "inferenceId": call["inferenceId"],
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }


def envelope(text: Mapping[str, Any], *, topic: str, message_id: str, now: datetime) -> dict[str, Any]:
    """Give what a subscriber of the topic gets over HTTP, without a signature: there is nobody to sign it."""
    return {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": topic,
        "Message": json.dumps(dict(text), separators=(",", ":")),
        "Timestamp": _stamp(now),
    }


def _stamp(at: datetime) -> str:
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
