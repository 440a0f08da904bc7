"""Metric definitions on the log, evaluated as it is written."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

from sm_emulate.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

LONGEST_LINE = 256 << 10
"""Characters of a line that are searched; the rest of a longer one is not."""
TIME_LIMIT = 0.25
"""Seconds that one regex may spend on one line."""
TIMEOUTS = 3
"""After so many such lines the definition is given up: a regex can take longer than the universe."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_LITERAL = re.compile(r"[A-Za-z0-9_ =:,/<>%\"'-]+")


class FinalMetricData(TypedDict):
    """An item of DescribeTrainingJob's FinalMetricDataList."""

    MetricName: str
    Value: float
    Timestamp: datetime


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number found in the log."""

    name: str
    value: float
    timestamp: datetime


@dataclass(frozen=True, kw_only=True)
class MetricDefinition:
    """A name and the regex whose first group is the number, as AWS's MetricDefinition.

    Raises:
        RequestError: the regex cannot be read.
    """

    name: str
    regex: str
    pattern: Any = field(init=False, repr=False, compare=False)
    """The compiled regex, of a library that can be given a time limit."""
    literal: str = field(init=False, repr=False, compare=False)
    """What every matching line contains; may be empty. Most lines are dismissed by it at once."""

    def __post_init__(self) -> None:
        import regex

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compiled = regex.compile(self.regex, regex.VERSION0)
        except (regex.error, OverflowError, RecursionError) as error:
            raise RequestError(
                f"the regex of a metric definition cannot be read: {error}",
                value=f"{self.name}={self.regex}",
                expected="a regular expression whose first group is the number",
                hint=r"for example --metric 'train:loss=loss: ([0-9.]+)'",
            ) from None
        object.__setattr__(self, "pattern", compiled)
        object.__setattr__(self, "literal", _literal_start(self.regex))

    @property
    def has_group(self) -> bool:
        """Whether there is a first group; without one the definition never gives a number."""
        return bool(self.pattern.groups)


class MetricWatcher:
    """Finds metrics line by line.

    Every match in a line counts. The first group, without blanks around it, must be a decimal number (`1`,
    `-.5`, `1.`, `2e-3`); `nan`, `inf`, `1,000` and whatever else is there give no metric, because JSON and
    FinalMetricDataList have no words for them. A regex that runs away costs at most `TIMEOUTS` times
    `TIME_LIMIT` and is then given up.
    """

    def __init__(self, definitions: Sequence[MetricDefinition]) -> None:
        self._definitions = tuple(definitions)
        self._live = [one for one in definitions if one.has_group]
        self._timeouts: dict[MetricDefinition, int] = {}
        self._last: dict[str, Metric] = {}

    def feed(self, line: str, timestamp: datetime) -> list[Metric]:
        """Give the metrics in one line of the log, by definition, then by place."""
        if not self._live:
            return []
        if len(line) > LONGEST_LINE:
            line = line[:LONGEST_LINE]
        found: list[Metric] = []
        for one in tuple(self._live):
            if one.literal not in line:
                continue
            try:
                numbers = list(_numbers(one, line))
            except TimeoutError:
                self._count_timeout(one)
                continue
            found.extend(Metric(name=one.name, value=value, timestamp=timestamp) for value in numbers)
        for metric in found:
            self._last[metric.name] = metric
        return found

    def _count_timeout(self, one: MetricDefinition) -> None:
        self._timeouts[one] = self._timeouts.get(one, 0) + 1
        if self._timeouts[one] >= TIMEOUTS:
            self._live.remove(one)

    def final(self) -> list[FinalMetricData]:
        """Give the last value of each metric that was seen, in the order of the definitions."""
        names = dict.fromkeys(one.name for one in self._definitions)
        return [
            FinalMetricData(MetricName=last.name, Value=last.value, Timestamp=last.timestamp)
            for last in (self._last.get(name) for name in names)
            if last is not None
        ]

    def silent(self) -> list[str]:
        """Give the names that no line gave a number for."""
        return [
            name for name in dict.fromkeys(one.name for one in self._definitions) if name not in self._last
        ]

    def given_up(self) -> list[str]:
        """Give the names whose regex ran out of time too often and is no longer tried."""
        return [one.name for one, count in self._timeouts.items() if count >= TIMEOUTS]


def _numbers(one: MetricDefinition, line: str) -> Iterator[float]:
    for match in one.pattern.finditer(line, timeout=TIME_LIMIT):
        text = (match.group(1) or "").strip()
        if _NUMBER.fullmatch(text):
            value = float(text)
            if abs(value) != float("inf"):  # 1e999
                yield value


def _literal_start(pattern: str) -> str:
    """Give the plain characters that a pattern begins with, as far as they are certain to be needed."""
    if "|" in pattern or "(?" in pattern:
        return ""
    start = _LITERAL.match(pattern)
    if start is None:
        return ""
    text = start.group()
    # a quantifier behind the run belongs to its last character
    return text[:-1] if pattern[start.end() : start.end() + 1] in tuple("*?+{") else text
