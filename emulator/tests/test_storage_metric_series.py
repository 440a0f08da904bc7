"""metrics.ndjson: what is written is read again, also while the job writes."""

from __future__ import annotations

from datetime import datetime, timezone

from sm_emulate.events import MetricRecorded
from sm_emulate.storage.metric_series import as_line, read_points, summaries

AT = datetime(2026, 1, 31, 12, 0, 0, 123000, tzinfo=timezone.utc)


def line(step, value, name="loss", host="algo-1"):
    return as_line(MetricRecorded(at=AT, name=name, value=value, host=host, step=step))


def test_what_is_written_is_read_again(tmp_path):
    file = tmp_path / "metrics.ndjson"
    file.write_text(line(1, 0.5) + line(2, 1e-300, name="ä|b"))
    points, end = read_points(file)
    assert [(point.name, point.value, point.step, point.host, point.timestamp) for point in points] == [
        ("loss", 0.5, 1, "algo-1", AT),
        ("ä|b", 1e-300, 2, "algo-1", AT),
    ]
    assert end == file.stat().st_size
    assert as_line(MetricRecorded(at=AT, name="loss", value=0.5, host="algo-1", step=1)).startswith(
        '{"name": "loss", "value": 0.5, "timestamp": "2026-01-31T12:00:00.123+00:00"'
    )


def test_half_a_line_is_left_until_it_is_whole(tmp_path):
    file = tmp_path / "metrics.ndjson"
    second = line(2, 0.25)
    file.write_text(line(1, 0.5) + second[:20])
    points, offset = read_points(file)
    assert [point.step for point in points] == [1]
    with file.open("a") as more:
        more.write(second[20:])
    assert [point.step for point in read_points(file, offset=offset)[0]] == [2]


def test_a_job_without_metrics_has_no_points(tmp_path):
    assert read_points(tmp_path / "metrics.ndjson") == ([], 0)


def test_each_metric_of_each_host_has_a_summary(tmp_path):
    file = tmp_path / "metrics.ndjson"
    file.write_text(line(1, 3.0) + line(1, 5.0, host="algo-2") + line(2, 1.0) + line(3, 2.0))
    first, second = summaries(read_points(file)[0])
    assert (first.host, first.last, first.minimum, first.maximum, first.count) == ("algo-1", 2.0, 1.0, 3.0, 3)
    assert (second.host, second.count) == ("algo-2", 1)
