"""Payloads made from the sample: ones that it cannot mean, and ones that mean something else."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_contracts.subject import SamplePayload

MOST_DISTINCT = 8
"""Of the payloads that parallel clients send."""
_LARGEST_DERIVED = 1 << 20
"""Of a sample that others are made from by reading it."""


@dataclass(frozen=True, kw_only=True)
class Malformed:
    """A payload that is not what the model takes."""

    what: str
    body: bytes
    content_type: str | None


def malformed(sample: SamplePayload) -> tuple[Malformed, ...]:
    """Give payloads that no model that takes the sample can take, but for one or the other by chance."""
    kind = sample.content_type
    return (
        Malformed(
            what="the sample payload, truncated",
            body=sample.body[: max(1, len(sample.body) * 2 // 3)],
            content_type=kind,
        ),
        Malformed(what="another kind of value", body=_other_value(sample), content_type=kind),
        Malformed(what="an empty body", body=b"", content_type=kind),
        Malformed(what="256 bytes of binary data", body=bytes(range(256)), content_type=kind),
        Malformed(
            what="the sample payload as application/x-unknown",
            body=sample.body,
            content_type="application/x-unknown",
        ),
    )


def _other_value(sample: SamplePayload) -> bytes:
    """Well-formed where the sample's type is known, and nothing that a model takes."""
    if _is_json(sample):
        return b'{"sm_emulate": "this is not what the model takes"}'
    return b"this,is,not,what,the,model,takes\n"


def _is_json(sample: SamplePayload) -> bool:
    return "json" in (sample.content_type or "") or sample.body.lstrip()[:1] in (b"{", b"[")


def distinct(sample: SamplePayload) -> list[bytes]:
    """Give payloads of the sample's kind that should be answered otherwise than it; which are, must be tried."""
    found: dict[bytes, None] = {sample.body: None}
    if len(sample.body) <= _LARGEST_DERIVED:
        for body in _variants(sample):
            found.setdefault(body)
            if len(found) >= MOST_DISTINCT * 2:
                break
    return list(found)


def _variants(sample: SamplePayload) -> Iterator[bytes]:
    try:
        text = sample.body.decode()
    except UnicodeDecodeError:
        return
    if _is_json(sample):
        try:
            value = json.loads(text)
        except ValueError:
            pass
        else:
            for step in range(1, MOST_DISTINCT):
                yield json.dumps(_shifted(value, step)).encode()
            yield from (json.dumps(part).encode() for part in _parts(value))
            return
    lines = text.splitlines(keepends=True)
    if len(lines) > 1:
        step = max(1, len(lines) // MOST_DISTINCT)
        yield from (line.encode() for line in lines[::step])
        yield from ("".join(lines[: number + 1]).encode() for number in range(0, len(lines) - 1, step))
    for step in range(1, MOST_DISTINCT):
        yield re.sub(r"-?\d+(\.\d+)?", lambda found, step=step: _added(found[0], step), text).encode()  # type: ignore[misc]  # the default binds the loop's value


def _added(number: str, step: int) -> str:
    return f"{float(number) + step:g}" if "." in number else str(int(number) + step)


def _shifted(value: Any, step: int) -> Any:
    """Move every number, and mark every text that is a value."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return value + step
    if isinstance(value, str):
        return f"{value} {step}"
    if isinstance(value, list):
        return [_shifted(each, step) for each in value]
    if isinstance(value, dict):
        return {key: _shifted(each, step) for key, each in value.items()}
    return value


def _parts(value: Any) -> Iterator[Any]:
    """Give the same with each of its records alone."""
    if isinstance(value, list) and len(value) > 1:
        yield from ([each] for each in value)
    elif isinstance(value, dict):
        for key, inside in value.items():
            if isinstance(inside, list) and len(inside) > 1:
                yield from ({**value, key: [each]} for each in inside)


def padded(body: bytes, size: int) -> bytes:
    """Give the body followed by blanks: cheap to read whatever reads it."""
    return body + b" " * (size - len(body))
