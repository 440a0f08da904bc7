"""Metrics are found in the log as it is written, by the user's own regexes."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta, timezone

import pytest

from sm_emulate.artifacts.metrics import LONGEST_LINE, TIMEOUTS, Metric, MetricDefinition, MetricWatcher
from sm_emulate.errors import ExitCode, RequestError

NOW = datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def values(regex: str, *lines: str) -> list[float]:
    watcher = MetricWatcher([MetricDefinition(name="m", regex=regex)])
    return [metric.value for line in lines for metric in watcher.feed(line, NOW)]


def test_the_first_group_is_the_number():
    watcher = MetricWatcher([MetricDefinition(name="train:error", regex="Train_error=(.*?);")])
    found = watcher.feed("epoch 1: Train_error=0.138318; Valid_error=0.324557;", NOW)
    assert found == [Metric(name="train:error", value=0.138318, timestamp=NOW)]


def test_every_match_in_a_line_counts_in_order_of_definitions():
    watcher = MetricWatcher(
        [MetricDefinition(name="b", regex="b=([0-9]+)"), MetricDefinition(name="a", regex="a=([0-9]+)")]
    )
    found = watcher.feed("a=1 b=2 a=3", NOW)
    assert [(metric.name, metric.value) for metric in found] == [("b", 2.0), ("a", 1.0), ("a", 3.0)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0), ("-1.5", -1.5), ("+.5", 0.5), ("2.", 2.0), ("2e-3", 0.002), ("1E+2", 100.0), (" 7 ", 7.0), ("0", 0.0),
        ("nan", None), ("inf", None), ("-Infinity", None), ("1e999", None), ("1,000", None), ("1_000", None), ("0x1f", None),
        ("٣", None), ("5%", None), ("", None), ("abc", None), ("1.2.3", None), ("tensor(0.5)", None), ("--1", None),
    ],
)  # fmt: skip
def test_only_decimal_numbers_are_values(text, value):
    assert values("loss=(.*);", f"loss={text};") == ([] if value is None else [value])


@pytest.mark.parametrize(
    ("regex", "line", "value"),
    [
        ("ab*=([0-9]+)", "a=1", 1.0),
        ("ab?=([0-9]+)", "a=1", 1.0),
        ("ab{0,1}=([0-9]+)", "a=1", 1.0),
        ("x|y=([0-9]+)", "y=4", 4.0),
        ("(?i)LOSS=([0-9]+)", "loss=4", 4.0),
        ("loss(?i) ACC=([0-9]+)", "loss acc=4", 4.0),
        (r"\[1\] loss: ([0-9]+)", "[1] loss: 4", 4.0),
        (r"^loss ([0-9]+)$", "loss 4", 4.0),
        (r"(?P<value>[0-9]+) loss", "4 loss", 4.0),
        (r"loss: (?=.*acc)([0-9]+)", "loss: 4 acc: 5", 4.0),
    ],
)
def test_lines_are_dismissed_only_when_they_cannot_match(regex, line, value):
    assert values(regex, "nothing to see", line) == [value]


def test_an_optional_group_that_did_not_take_part_is_no_value():
    assert values("done(=[0-9]+)?", "done") == []


def test_final_values_are_the_last_ones_in_awss_shape_and_fit_in_json():
    watcher = MetricWatcher(
        [MetricDefinition(name=name, regex=f"{name}=([0-9.]+)") for name in ("never", "loss", "acc")]
    )
    later = NOW + timedelta(seconds=9)
    watcher.feed("acc=0.5 loss=2.5", NOW)
    watcher.feed("loss=1.5", later)
    assert watcher.final() == [
        {"MetricName": "loss", "Value": 1.5, "Timestamp": later},
        {"MetricName": "acc", "Value": 0.5, "Timestamp": NOW},
    ]
    assert json.loads(json.dumps(watcher.final(), default=datetime.isoformat))[0]["Value"] == 1.5
    assert watcher.silent() == ["never"]


@pytest.mark.parametrize("regex", ["(", "a**", "[z-a]", "(?P<n>a", "\\"])
def test_a_bad_regex_is_refused_before_anything_starts(regex):
    with pytest.raises(RequestError, match="cannot be read") as caught:
        MetricDefinition(name="loss", regex=regex)
    assert caught.value.value == f"loss={regex}"
    assert caught.value.expected
    assert caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_regex_without_a_group_gives_nothing_and_says_so():
    definition = MetricDefinition(name="loss", regex="loss=[0-9]+")
    watcher = MetricWatcher([definition])
    assert not definition.has_group
    assert watcher.feed("loss=1", NOW) == []
    assert watcher.silent() == ["loss"]


def test_a_regex_that_runs_away_is_given_up_and_the_others_go_on():
    evil = MetricDefinition(name="evil", regex=r"^(a|a?)+$")
    good = MetricDefinition(name="good", regex="x=([0-9]+)")
    watcher = MetricWatcher([evil, good])
    line = "a" * 4000 + " x=1"
    for _ in range(TIMEOUTS):
        assert watcher.given_up() == []
        assert [metric.name for metric in watcher.feed(line, NOW)] == ["good"]
    assert watcher.given_up() == ["evil"]
    assert [metric.name for metric in watcher.feed(line, NOW)] == ["good"]


def test_a_line_is_searched_up_to_its_bound():
    assert values("x=([0-9]+)", " " * (LONGEST_LINE - 3) + "x=1") == [1.0]
    assert values("x=([0-9]+)", " " * LONGEST_LINE + "x=1") == []


def test_values_cannot_be_changed():
    definition = MetricDefinition(name="a", regex="b")
    with pytest.raises(dataclasses.FrozenInstanceError):
        definition.name = "c"
    assert definition == MetricDefinition(name="a", regex="b")
    assert hash(definition) == hash(MetricDefinition(name="a", regex="b"))
