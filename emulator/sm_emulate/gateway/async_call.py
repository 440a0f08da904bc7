"""InvokeEndpointAsync as it comes in: read, held against the API's limits, and answered with 202."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.gateway.answers import ErrorAnswer, refusal
from sm_emulate.spec import async_inference as spec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Accept = Callable[["AsyncCall"], "Accepted"]
    """Takes a call so that nothing loses it, or raises; called in threads of their own."""


@dataclass(frozen=True, kw_only=True)
class AsyncCall:
    """One sound call of InvokeEndpointAsync."""

    body: bytes | None = None
    """None where `input_location` is given."""
    input_location: str | None = None
    inference_id: str | None = None
    content_type: str | None = None
    accept: str | None = None
    custom_attributes: str | None = None
    extension: str | None = None
    filename: str | None = None
    ttl_s: int = spec.DEFAULT_TTL_SECONDS
    timeout_s: int = spec.DEFAULT_TIMEOUT_SECONDS


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What the caller is told of a call that was taken."""

    inference_id: str
    output_location: str
    failure_location: str | None = None

    @property
    def lines(self) -> list[bytes]:
        """The header lines."""
        found = [(spec.OUTPUT_LOCATION, self.output_location)]
        if self.failure_location is not None:
            found.append((spec.FAILURE_LOCATION, self.failure_location))
        return [
            b"Content-Type: application/json\r\n",
            *(f"{name}: {value}\r\n".encode("latin-1", "replace") for name, value in found),
        ]

    @property
    def body(self) -> bytes:
        return json.dumps({"InferenceId": self.inference_id}).encode()


def read_call(headers: Mapping[str, str], body: bytes) -> AsyncCall | ErrorAnswer:
    """Read a call; `headers` by their names in lower case. Plain Content-Type and Accept are none of its parameters."""
    given = {name: headers.get(name.lower()) for name in (*spec.LENGTHS, *spec.NUMBERS)}
    for name, (member, longest) in spec.LENGTHS.items():
        value = given[name]
        if value is not None and len(value) > longest:
            return refusal(
                "ValidationError",
                f"1 validation error detected: Value at '{member}' failed to satisfy constraint: "
                f"Member must have length less than or equal to {longest}",
            )
        pattern = spec.PATTERNS.get(name)
        if value is not None and pattern is not None and re.fullmatch(pattern, value) is None:
            return refusal(
                "ValidationError", spec.NO_MATCH.format(value=value, member=member, pattern=pattern)
            )
    numbers: dict[str, int | None] = {}
    for name, (member, least, most) in spec.NUMBERS.items():
        text = given[name]
        number = int(text) if text is not None and re.fullmatch(r"[0-9]{1,9}", text) else None
        if text is not None and (number is None or not least <= number <= most):
            return refusal(
                "ValidationError",
                spec.OUT_OF_RANGE.format(value=text, member=member, least=least, most=most),
            )
        numbers[name] = number
    location = given[spec.INPUT_LOCATION] or None
    if (location is not None) == bool(body):
        return refusal("ValidationError", spec.ONE_INPUT)
    if len(body) > spec.MAX_INLINE_BYTES:
        return refusal("ValidationError", spec.INLINE_TOO_LONG)
    if location is not None and re.match(r"(s3|file)://.", location) is None:
        return refusal("ValidationError", spec.NOT_A_PLACE)
    if {".", ".."} & set((given[spec.EXTENSION] or "").split("/")):
        return refusal("ValidationError", "s3OutputPathExtension must be a path without the parts . and ..")
    return AsyncCall(
        body=body or None,
        input_location=location,
        inference_id=given[spec.INFERENCE_ID] or None,
        content_type=given[spec.CONTENT_TYPE] or None,
        accept=given[spec.ACCEPT] or None,
        custom_attributes=given[spec.CUSTOM_ATTRIBUTES],
        extension=given[spec.EXTENSION] or None,
        filename=given[spec.FILENAME] or None,
        ttl_s=numbers[spec.TTL] or spec.DEFAULT_TTL_SECONDS,
        timeout_s=numbers[spec.TIMEOUT] or spec.DEFAULT_TIMEOUT_SECONDS,
    )
