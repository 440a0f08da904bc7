"""The three sample images on the main road: trained, their artifacts opened, the tree served and asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine

FIXTURES = Path(__file__).parents[2] / "fixtures/iris"


@pytest.mark.xdist_group("decision_trees")
def test_the_decision_tree_is_trained_served_and_asked(product, sample_image):
    image = sample_image("decision_trees")
    job = product.train(
        image, "--channel", f"training={FIXTURES / 'train.csv'}", "--hyperparameter", "max_leaf_nodes=5",
        "--metric", "accuracy=train_accuracy=(.*?);",
    )  # fmt: skip
    assert job.status == ("Completed", "Completed")
    assert list(job.model) == ["tree.joblib"]
    (accuracy,) = job.json["FinalMetricDataList"]
    assert accuracy["Value"] > 0.95
    url = product.serve(image, "--model", job.folder / "model.tar.gz", "--endpoint-name", "tree")["Emulator"][
        "Url"
    ]
    asked = product.run(
        "invoke", "tree", "--data", f"@{FIXTURES / 'payload.csv'}", "--content-type", "text/csv"
    )
    assert asked.out.split() == ["setosa"] * 5 + ["versicolor"] * 5 + ["virginica"] * 5
    assert url.startswith("http://127.0.0.1:")
    refused = product.run("invoke", "tree", "--data", "{}", "--content-type", "application/json")
    assert refused.code == 1
    assert "  OriginalStatusCode: 415\n" in refused.err
    stopped = product.run("stop", "tree", "--output", "json").json
    assert stopped["Emulator"]["ContainerExitCodes"] == {"AllTraffic": 0}


@pytest.mark.xdist_group("decision_trees")
def test_the_decision_tree_says_why_it_failed(product, sample_image):
    data = product.folder("data", files={"bad.csv": "setosa,not a number\n"})
    job = product.train(sample_image("decision_trees"), "--channel", f"training={data}", code=1)
    assert job.reason.startswith(
        "AlgorithmError: ValueError: could not convert string to float: 'not a number'"
    )
    assert job.reason.endswith(", exit code: 1")


def test_basic_training_prints_the_configuration_that_it_is_given(product, sample_image):
    data = product.folder("data", files={"a.csv": "1\n"})
    job = product.train(
        sample_image("basic_training"), "--job-name", "Basic", "--channel", f"train={data}",
        "--channel", f"validation={data}", "--hyperparameter", "epochs=2",
        "--hyperparameter", "seconds_per_epoch=0",
    )  # fmt: skip
    lines = job.log().splitlines()
    assert 'arguments: ["train"]' in lines
    assert "user: 0:0" in lines
    assert "working directory: /opt/program" in lines
    assert "TRAINING_JOB_NAME=Basic" in lines
    assert (
        "/opt/ml/input/config/hyperparameters.json 0644 "
        """b'{"epochs":"2","seconds_per_epoch":"0"}'"""
    ) in lines
    assert job.model


def test_the_training_toolkit_runs_its_script_unchanged(product, sample_image):
    job = product.train(
        sample_image("toolkit_script_mode"), "--channel", f"training={FIXTURES / 'train.csv'}",
        "--hyperparameter", "shrinkage=0.1", "--metric", "accuracy=train_accuracy=(.*?);",
    )  # fmt: skip
    assert "host algo-1, 135 rows" in job.log()
    model = json.loads(job.model["model.json"])
    assert model["classes"] == ["setosa", "versicolor", "virginica"]
    assert job.json["FinalMetricDataList"][0]["Value"] > 0.9
    assert not list(job.folder.glob("opt-ml/algo-1/output/failure"))


def test_the_training_toolkit_reports_a_failing_script_in_its_own_words(product, sample_image):
    job = product.train(sample_image("toolkit_script_mode"), code=1)
    assert job.reason.startswith("AlgorithmError: ExecuteUserScriptError:\nExitCode 1\n")
    assert job.reason.endswith(", exit code: 1")
