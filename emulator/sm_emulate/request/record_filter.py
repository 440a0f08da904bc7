"""The JSONPath subset of InputFilter and OutputFilter.

https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html (Supported JSONPath Operators).
No JSONPath library gives what the platform does: several names of one object make an object again, not a list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

FORM = "$, $.name, $['a','b'], $[0], $[1:], $[0,-1], $.name[*]"


@dataclass(frozen=True, kw_only=True)
class Names:
    """`.name` or `['a','b']`."""

    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Span:
    """`[start:end]`; None is the first, or one past the last."""

    start: int | None
    end: int | None


@dataclass(frozen=True, kw_only=True)
class Positions:
    """`[0]`, `[0,-1]`, `[1:]` and their mixtures, as `[0,5:]`."""

    positions: tuple[int | Span, ...]


@dataclass(frozen=True)
class Everything:
    """`*`: each element of an array or each value of an object."""


Step = Names | Positions | Everything


class NotInRecordError(LookupError):
    """A record lacks what a filter names."""


@dataclass(frozen=True)
class RecordFilter:
    """What of each record is kept."""

    text: str
    steps: tuple[Step, ...]

    @property
    def keeps_all(self) -> bool:
        """Whether it is `$`."""
        return not self.steps

    @property
    def by_position(self) -> bool:
        """Whether it can be applied to a CSV row."""
        return not any(isinstance(step, Names) for step in self.steps)

    def select(self, record: Any) -> Any:
        """Give what is kept of one record, in the types of JSON.

        Raises:
            NotInRecordError: the record has nothing there.
        """
        found, many = [record], False
        for number, step in enumerate(self.steps):
            if isinstance(step, Names) and len(step.names) > 1 and number == len(self.steps) - 1:
                found = [_pick(each, step.names) for each in found]
                continue
            several = not _is_one(step)
            found = [inner for each in found for inner in self._inner(each, step, strict=not many)]
            many = many or several
        return found if many else found[0]

    def _inner(self, value: Any, step: Step, *, strict: bool) -> Iterator[Any]:
        if isinstance(step, Everything):
            yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        elif isinstance(step, Names):
            for name in step.names:
                if isinstance(value, dict) and name in value:
                    yield value[name]
                elif strict and len(step.names) == 1:
                    raise NotInRecordError(f"{self.text}: the record has no {name!r}")
        elif not isinstance(value, list):
            if strict:
                raise NotInRecordError(f"{self.text}: the record is no array")
        else:
            for position in step.positions:
                if isinstance(position, Span):
                    yield from value[position.start : position.end]
                elif -len(value) <= position < len(value):
                    yield value[position]
                else:
                    raise NotInRecordError(
                        f"{self.text}: the record has {len(value)} elements, none at {position}"
                    )


def _is_one(step: Step) -> bool:
    if isinstance(step, Names):
        return len(step.names) == 1
    return isinstance(step, Positions) and len(step.positions) == 1 and isinstance(step.positions[0], int)


def _pick(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value[name] for name in names if name in value} if isinstance(value, dict) else {}


_STEP = re.compile(
    r"""
      \.(?P<name>[^.\[\]*'",\s]+)
    | \.?\[\s*(?P<names>(?:'[^']*'|"[^"]*")(?:\s*,\s*(?:'[^']*'|"[^"]*"))*)\s*\]
    | \.?\[\s*(?P<positions>[-0-9:][-0-9:,\s]*)\]
    | (?P<all>\.\*|\.?\[\s*\*\s*\])
    """,
    re.VERBOSE,
)
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_POSITION = re.compile(r"(?P<one>-?\d+)|(?P<start>-?\d+)?\s*:\s*(?P<end>-?\d+)?")


def record_filter(text: str, *, what: str) -> RecordFilter:
    """Read a filter.

    Args:
        text: as `$[1:]`; empty is `$`.
        what: what it is called: InputFilter or OutputFilter.

    Raises:
        RequestError: it is none that SageMaker supports.
    """
    if text in {"", "$"}:
        return RecordFilter("$", ())
    steps: list[Step] = []
    here = 1 if text.startswith("$") else len(text) + 1
    while here < len(text):
        found = _STEP.match(text, here)
        step = None if found is None else _step(found)
        if found is None or step is None:
            break
        steps.append(step)
        here = found.end()
    if here != len(text):
        raise RequestError(
            f"{what} is no path that SageMaker supports",
            value=text,
            expected=FORM,
            hint=None if text.startswith("$") else f"it begins with $: ${text}",
            link="https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html",
        )
    return RecordFilter(text, tuple(steps))


def _step(found: re.Match[str]) -> Step | None:
    if found["all"]:
        return Everything()
    if found["name"]:
        return Names(names=(found["name"],))
    if found["names"]:
        return Names(names=tuple(single or double for single, double in _QUOTED.findall(found["names"])))
    positions: list[int | Span] = []
    for part in found["positions"].split(","):
        position = _POSITION.fullmatch(part.strip())
        if position is None:
            return None
        if position["one"] is not None:
            positions.append(int(position["one"]))
        else:
            positions.append(Span(start=_number(position["start"]), end=_number(position["end"])))
    return Positions(positions=tuple(positions))


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
