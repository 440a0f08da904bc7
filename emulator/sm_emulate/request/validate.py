"""A request of AWS's shape held against the service model: all that is wrong with it, in kind words."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request import pattern
from sm_emulate.request.wording import listed, nearest, shorten, shown

if TYPE_CHECKING:
    from sm_emulate.request.service_model import OperationModel, Shape

_SHOWN_PROBLEMS = 20
_SECRET_MEMBERS = frozenset({"Environment"})
"""Members whose values people put passwords in: messages show how long a value is, never the value."""

_NAME_WORDS = "letters, digits and hyphens, a letter or digit first and last"
_PLAIN_WORDS = {
    r".*": "one line: no line breaks",
    r".+": "one line, not empty: no line breaks",
    r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}": _NAME_WORDS,
    r"[a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?": _NAME_WORDS,
    r"[A-Za-z0-9\.\-_]+": "letters, digits, dots, hyphens and underscores",
    r"[a-zA-Z_][a-zA-Z0-9_]*": "letters, digits and underscores, no digit first",
    r"(https|s3)://([^/]+)/?(.*)": "write it as s3://BUCKET/KEY",
    r"[\S]+": "no spaces or line breaks",
    r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+": "as arn:aws:iam::123456789012:role/NAME",
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that the service would refuse."""

    path: str
    """Where it stands, as `InputDataConfig[0].ChannelName`; empty for the request as a whole."""
    what: str
    value: str | None = None
    """The value as it may be shown: shortened, and not at all where it could be a secret."""
    expected: str | None = None
    hint: str | None = None

    def line(self) -> str:
        """Give the problem in one line, for a list of several."""
        return self.what + (f" (expected: {self.expected})" if self.expected else "")


def check(value: object, operation: OperationModel, *, exempt: Collection[str] = ()) -> list[Problem]:
    """List everything that the service would refuse in a request.

    Args:
        value: the request, as the JSON of the API.
        operation: the model to hold it against.
        exempt: members whose length and pattern are not checked, as `OutputDataConfig.S3OutputPath` or, in a
            list, `InputDataConfig[].DataSource.S3DataSource.S3Uri`.
    """
    walk = _Walk(shapes=operation.shapes, exempt=frozenset(exempt), problems=[])
    walk.value(value, operation.input_shape, _Place())
    return walk.problems


def require(
    value: object,
    operation: OperationModel,
    *,
    exempt: Collection[str] = (),
    rules: Callable[[Any], Sequence[Problem]] | None = None,
) -> None:
    """Raise RequestError for the first problem, with the others as evidence; say nothing of a sound request.

    Args:
        value: the request, as the JSON of the API.
        operation: the model to hold it against.
        exempt: members whose length and pattern are not checked.
        rules: rules across members, asked only when every member by itself is sound.
    """
    problems: Sequence[Problem] = check(value, operation, exempt=exempt)
    if not problems and rules is not None:
        problems = rules(value)
    refuse(problems, link=operation.link)


def refuse(problems: Sequence[Problem], *, link: str | None = None) -> None:
    """Raise RequestError for these problems, if there are any."""
    if not problems:
        return
    first, *others = problems
    hidden = len(others) - _SHOWN_PROBLEMS
    more = (f"and {hidden} more",) if hidden > 0 else ()
    raise RequestError(
        first.what,
        value=first.value,
        expected=first.expected,
        hint=first.hint,
        link=link,
        evidence=(*(f"also: {other.line()}" for other in others[:_SHOWN_PROBLEMS]), *more),
    )


@dataclass(frozen=True, kw_only=True)
class _Place:
    path: str = ""
    pattern_path: str = ""
    """The path with every `[0]` as `[]`, which is how exemptions name it."""
    secret: bool = False

    def member(self, name: str) -> _Place:
        dot = "." if self.path else ""
        return _Place(
            path=f"{self.path}{dot}{name}",
            pattern_path=f"{self.pattern_path}{dot}{name}",
            secret=self.secret or name in _SECRET_MEMBERS,
        )

    def item(self, number: int) -> _Place:
        return _Place(
            path=f"{self.path}[{number}]", pattern_path=f"{self.pattern_path}[]", secret=self.secret
        )

    def entry(self, key: str) -> _Place:
        plain = key.replace("-", "_").isidentifier() and len(key) <= 80
        step = f".{key}" if plain else f"[{json.dumps(shorten(key, 40), ensure_ascii=False)}]"
        return _Place(path=self.path + step, pattern_path=f"{self.pattern_path}.value", secret=self.secret)

    def key(self) -> _Place:
        return _Place(path=f"{self.path} key", pattern_path=f"{self.pattern_path}.key")

    def __str__(self) -> str:
        return self.path or "the request"


@dataclass(frozen=True, kw_only=True)
class _Walk:
    shapes: Mapping[str, Shape]
    exempt: frozenset[str]
    problems: list[Problem]

    def value(self, value: object, name: str, place: _Place) -> None:
        shape = self.shapes[name]
        kind = shape["type"]
        if kind == "structure":
            self._structure(value, shape, place)
        elif kind == "list":
            self._list(value, shape, place)
        elif kind == "map":
            self._map(value, shape, place)
        elif kind == "string":
            self._string(value, shape, place)
        elif kind in _NUMBERS:
            self._number(value, shape, place)
        elif kind == "boolean":
            if not isinstance(value, bool):
                self._wrong_type(value, "true or false", place)
        elif kind == "timestamp":
            if not _is_timestamp(value):
                self._wrong_type(value, "a time, as 2026-01-31T12:00:00Z or seconds since 1970", place)
        elif kind == "blob" and not isinstance(value, (bytes, bytearray, str)):
            self._wrong_type(value, "bytes, in JSON as base64 text", place)

    def _say(
        self,
        place: _Place,
        what: str,
        *,
        value: object = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        text = None if value is None else shown(value, secret=place.secret)
        self.problems.append(Problem(path=place.path, what=what, value=text, expected=expected, hint=hint))

    def _wrong_type(self, value: object, expected: str, place: _Place) -> None:
        hint = None
        if value is None:
            hint = "leave the member out to have none"
        elif expected == "a string" and isinstance(value, (bool, int, float)):
            hint = "write it in quotes" + ("" if place.secret else f': "{json.dumps(value)}"')
        elif expected in _NUMBER_WORDS and isinstance(value, str) and value.strip().isdecimal():
            hint = f"write it without quotes: {value.strip()}"
        elif expected == "true or false" and str(value).lower() in ("true", "false"):
            hint = f"write it without quotes: {str(value).lower()}"
        elif expected == "a list" and isinstance(value, (str, Mapping)):
            hint = "put it in brackets: [...]"
        self._say(
            place,
            f"{place} must be {expected}, not {_kind(value)}",
            value=value,
            expected=expected,
            hint=hint,
        )

    def _structure(self, value: object, shape: Shape, place: _Place) -> None:
        if not isinstance(value, Mapping):
            self._wrong_type(value, "an object", place)
            return
        members = shape["members"]
        for name in shape.get("required", ()):
            if name not in value:
                self._say(
                    place.member(name),
                    f"{place.member(name)} is missing",
                    expected=self._describe(members[name]["shape"]),
                )
        for name, inner in value.items():
            if name in members:
                self.value(inner, members[name]["shape"], place.member(name))
            else:
                self._unknown(str(name), members, place)
        if shape.get("union") and len(value) != 1:
            self._say(
                place,
                f"{place} must have exactly one member",
                value=value,
                expected=f"one of {listed(list(members))}",
            )

    def _unknown(self, name: str, members: Mapping[str, Any], place: _Place) -> None:
        near = nearest(name, members)
        unknown = place.member(shorten(name))
        self._say(
            unknown,
            f"{unknown} is not a member that the API knows",
            expected=f"one of {listed(list(members), near=near)}",
            hint=f"did you mean {near}?"
            if near
            else "a newer botocore may know it: pip install --upgrade botocore",
        )

    def _describe(self, name: str) -> str:
        shape = self.shapes[name]
        if "enum" in shape:
            return f"one of {listed(shape['enum'])}"
        return _KIND_WORDS.get(shape["type"], f"a {shape['type']}")

    def _list(self, value: object, shape: Shape, place: _Place) -> None:
        if not isinstance(value, (list, tuple)):
            self._wrong_type(value, "a list", place)
            return
        self._length(value, "item", shape, place)
        for number, inner in enumerate(value):
            self.value(inner, shape["member"]["shape"], place.item(number))

    def _map(self, value: object, shape: Shape, place: _Place) -> None:
        if not isinstance(value, Mapping):
            self._wrong_type(value, "an object", place)
            return
        self._length(value, "entry", shape, place)
        for key, inner in value.items():
            self.value(key, shape["key"]["shape"], place.key())
            self.value(inner, shape["value"]["shape"], place.entry(str(key)))

    def _string(self, value: object, shape: Shape, place: _Place) -> None:
        if not isinstance(value, str):
            self._wrong_type(value, "a string", place)
            return
        if place.pattern_path in self.exempt:
            return
        if "enum" in shape:
            if value not in shape["enum"]:
                near = nearest(value, shape["enum"])
                self._say(
                    place,
                    f"{place} does not have a value that the API knows",
                    value=value,
                    expected=f"one of {listed(shape['enum'], near=near)}",
                    hint=f"did you mean {near}?" if near else None,
                )
            return
        # a value of the wrong length is not held against its pattern too: one remedy at a time
        if not self._length(value, "character", shape, place):
            return
        if "pattern" in shape and not pattern.matches(shape["pattern"], value):
            self._say(
                place,
                f"{place} does not have the form that the API requires",
                value=value,
                expected=f"Member must satisfy regular expression pattern: {shape['pattern']}",
                hint=_PLAIN_WORDS.get(shape["pattern"]),
            )

    def _length(self, value: Any, noun: str, shape: Shape, place: _Place) -> bool:
        size = len(value)
        plural = noun if size == 1 else {"entry": "entries"}.get(noun, noun + "s")
        if size > shape.get("max", math.inf):
            word, bound, limit = "long" if noun == "character" else "many", "less", shape["max"]
        elif size < shape.get("min", 0):
            word, bound, limit = "short" if noun == "character" else "few", "greater", shape["min"]
        else:
            return True
        what = f"{place} is too {word}: {size} {plural}"
        if noun != "character":
            what = f"{place} has too {word} {plural}: {size}"
        self._say(
            place,
            what,
            value=value if noun == "character" else None,
            expected=f"Member must have length {bound} than or equal to {limit}",
        )
        return False

    def _number(self, value: object, shape: Shape, place: _Place) -> None:
        words, low, high = _NUMBERS[shape["type"]]
        whole = isinstance(value, int) and not isinstance(value, bool)
        fits = whole or (words == "a number" and isinstance(value, float) and math.isfinite(value))
        if not fits:
            self._wrong_type(value, words, place)
            return
        assert isinstance(value, (int, float))
        low, high = max(low, shape.get("min", low)), min(high, shape.get("max", high))
        if value < low:
            self._out_of_range(value, "small", f"greater than or equal to {low}", place)
        elif value > high:
            self._out_of_range(value, "large", f"less than or equal to {high}", place)

    def _out_of_range(self, value: float, word: str, bound: str, place: _Place) -> None:
        self._say(place, f"{place} is too {word}", value=value, expected=f"Member must have value {bound}")


_NUMBERS: dict[str, tuple[str, float, float]] = {
    "integer": ("a whole number", -(2**31), 2**31 - 1),
    "long": ("a whole number", -(2**63), 2**63 - 1),
    "float": ("a number", -math.inf, math.inf),
    "double": ("a number", -math.inf, math.inf),
}
_NUMBER_WORDS = frozenset({"a whole number", "a number"})
_KIND_WORDS = {
    "string": "a string",
    "integer": "a whole number",
    "long": "a whole number",
    "float": "a number",
    "double": "a number",
    "boolean": "true or false",
    "structure": "an object",
    "map": "an object",
    "list": "a list",
}


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, float):
        return "a decimal number" if math.isfinite(value) else "NaN or infinity"
    if isinstance(value, int):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, (list, tuple)) else type(value).__name__


def _is_timestamp(value: object) -> bool:
    if isinstance(value, str):
        try:
            datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            return False
        return True
    return isinstance(value, (int, float, datetime)) and not isinstance(value, bool)
