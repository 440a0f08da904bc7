"""`sm-emulate metrics`: what a job printed, as a table, as data, as a plot."""

from __future__ import annotations

import csv
import io
import json

import pytest

pytestmark = pytest.mark.engine

LOSS = ("--metric", "loss=loss: ([0-9.]+)", "--metric", "acc=acc: ([0-9.]+)")
PRINTS = """
for step in 1 2 3 4; do echo "loss: 0.$((9 - 2 * step)) acc: 0.$((step))5"; done
"""


@pytest.fixture(scope="module")
def trained(new_product, images):
    """A job that printed two metrics, four values each."""
    product = new_product("metrics")
    product.train(images.train(PRINTS), "--job-name", "job", *LOSS)
    return product


def test_the_run_folder_holds_every_value(trained):
    lines = [
        json.loads(line)
        for line in (trained.home / "training-jobs/job/metrics.ndjson").read_text().splitlines()
    ]
    assert [(line["value"], line["step"]) for line in lines if line["name"] == "loss"] == [
        (0.7, 1),
        (0.5, 2),
        (0.3, 3),
        (0.1, 4),
    ]
    assert {tuple(line) for line in lines} == {("name", "value", "timestamp", "host", "step")}
    assert {line["host"] for line in lines} == {"algo-1"}


def test_a_table_says_last_least_most_and_how_many(trained):
    assert [line.split() for line in trained.run("metrics", "job").out.splitlines()] == [
        ["METRIC", "LAST", "MINIMUM", "MAXIMUM", "COUNT"],
        ["loss", "0.1", "0.1", "0.7", "4"],
        ["acc", "0.45", "0.15", "0.45", "4"],
    ]


def test_csv_and_json_hold_every_value(trained):
    rows = list(csv.DictReader(io.StringIO(trained.run("metrics", "job", "--output", "csv").out)))
    assert [row["value"] for row in rows if row["name"] == "acc"] == ["0.15", "0.25", "0.35", "0.45"]
    (loss,) = trained.run("metrics", "job", "--name", "loss", "--output", "json").json
    assert [point["Value"] for point in loss.pop("Points")] == [0.7, 0.5, 0.3, 0.1]
    assert loss == {
        "MetricName": "loss",
        "Host": "algo-1",
        "Last": 0.1,
        "Minimum": 0.1,
        "Maximum": 0.7,
        "Count": 4,
    }


@pytest.mark.parametrize(("encoding", "drawn"), [("utf-8", "⠑"), ("ascii", "*")])
def test_a_plot_falls_from_the_most_to_the_least(trained, encoding, drawn):
    env = {"COLUMNS": "40", "PYTHONIOENCODING": encoding}
    name, top, *rest = (
        trained.run("metrics", "job", "--name", "loss", "--plot", env=env).out_bytes.decode().splitlines()
    )
    assert name == "loss"
    assert top.lstrip().startswith("0.7")
    assert rest[-3].lstrip().startswith("0.1")
    assert rest[-1].split() == ["1", "4"]
    assert len(rest[-2]) == 40
    assert any(drawn in line for line in rest) or drawn in top


def test_a_picture_is_a_png_file(trained, tmp_path):
    done = trained.run("metrics", "job", "--png", tmp_path / "both.png")
    assert done.code == 0, str(done)
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_without_matplotlib_the_pip_line_is_told(trained, tmp_path):
    hidden = trained.folder("hidden/matplotlib", files={"__init__.py": "raise ImportError\n"}).parent
    path = f"{hidden}:{trained.env['PYTHONPATH']}"
    done = trained.run("metrics", "job", "--png", tmp_path / "x.png", env={"PYTHONPATH": path})
    assert done.code == 3
    assert "pip install 'sm-emulate[plot]'" in done.err
    assert not (tmp_path / "x.png").exists()


def test_an_unknown_metric_names_those_that_are_there(trained):
    done = trained.run("metrics", "job", "--name", "lost")
    assert done.code == 2
    assert "expected: loss or acc" in done.err


def test_a_running_job_is_followed_to_its_end(product, images):
    image = images.train(
        "echo 'loss: 3'; until [ -e /opt/ml/input/data/go/on ]; do sleep 0.1; done; echo 'loss: 2'"
    )
    data = product.folder("go")
    job = product.start("train", image, "--job-name", "job", "--channel", f"go={data}", *LOSS)
    job.wait_for("loss: 3")
    followed = product.start("metrics", "job", "--follow")
    followed.wait_for("loss  3")
    assert [row["Last"] for row in product.run("metrics", "job", "--output", "json").json] == [3]
    (data / "on").touch()
    lines = followed.finish().out.splitlines()
    assert [line.split("  ")[1:] for line in lines] == [
        ["algo-1", "1", "loss", "3"],
        ["algo-1", "2", "loss", "2"],
    ]
    assert job.finish().code == 0


def test_each_host_has_a_series_of_its_own(product, images):
    product.train(images.train("echo 'loss: 1'"), "--instance-count", "2", "--job-name", "job", *LOSS)
    rows = product.run("metrics", "job").out.splitlines()
    assert rows[0].split() == ["METRIC", "HOST", "LAST", "MINIMUM", "MAXIMUM", "COUNT"]
    assert sorted(row.split()[:3] for row in rows[1:]) == [["loss", "algo-1", "1"], ["loss", "algo-2", "1"]]
