"""Frozen values read from, and written back to, the JSON of the API.

A dataclass names its members in AWS's words with `member`; what the emulator has no use for stays in its
`raw`, so that writing the document back loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, fields, is_dataclass
from typing import Any, TypeVar

T = TypeVar("T")


def member(
    name: str,
    *,
    default: Any = MISSING,
    of: type | None = None,
    decode: Callable[[Any], Any] | None = None,
    encode: Callable[[Any], Any] | None = None,
    secret: bool = False,
) -> Any:
    """Declare a field under its name in the API.

    Args:
        name: the API's name.
        default: what a document without it means; such a value is not written back.
        of: the dataclass that it, or each item of a list, is read into.
        decode: how its JSON is read, if not by `of`.
        encode: how it is written back.
        secret: keep it out of `repr`.
    """
    metadata = {"aws": name, "of": of, "decode": decode, "encode": encode}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


def raw() -> Any:
    """Declare the field that keeps the members no other field names."""
    return field(default_factory=dict, metadata={"aws": None}, repr=False)


def beside(default: Any) -> Any:
    """Declare a field that the API has no name for: it is neither read from a document nor written into one."""
    return field(default=default)


def build(kind: type[T], document: Mapping[str, Any]) -> T:
    """Read a value of `kind` from a document that was found sound."""
    given: dict[str, Any] = {}
    named: set[str] = set()
    keeps_rest: str | None = None
    for one in fields(kind):  # type: ignore[arg-type]  # every kind here is a dataclass
        if "aws" not in one.metadata:
            continue
        name = one.metadata["aws"]
        if name is None:
            keeps_rest = one.name
            continue
        named.add(name)
        if name in document:
            given[one.name] = _read(document[name], one.metadata)
    if keeps_rest is not None:
        given[keeps_rest] = {name: inner for name, inner in document.items() if name not in named}
    return kind(**given)


def write(value: Any) -> dict[str, Any]:
    """Give the document of a value; members at their default are left out."""
    document: dict[str, Any] = {}
    for one in fields(value):
        if "aws" not in one.metadata:
            continue
        inner = getattr(value, one.name)
        name = one.metadata["aws"]
        if name is None:
            document.update(inner)
        elif inner != _default(one):
            document[name] = _written(inner, one.metadata["encode"])
    return document


def _read(inner: Any, how: Mapping[str, Any]) -> Any:
    if how["decode"] is not None:
        return how["decode"](inner)
    kind = how["of"]
    if isinstance(inner, (list, tuple)):
        return tuple(inner if kind is None else (build(kind, item) for item in inner))
    if kind is not None:
        return build(kind, inner)
    return dict(inner) if isinstance(inner, Mapping) else inner


def _written(inner: Any, encode: Callable[[Any], Any] | None) -> Any:
    if encode is not None:
        return encode(inner)
    if isinstance(inner, tuple):
        return [_written(item, None) for item in inner]
    if is_dataclass(inner):
        return write(inner)
    return dict(inner) if isinstance(inner, Mapping) else inner


def _default(one: Any) -> Any:
    return one.default_factory() if one.default_factory is not MISSING else one.default
