"""The sample images on the main road: trained, their artifacts opened, served and asked."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path

import pytest
from product import WAIT_SECONDS

pytestmark = pytest.mark.engine

FIXTURES = Path(__file__).parents[2] / "fixtures/iris"
SAMPLES = Path(__file__).parents[2] / "sample_images"


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


def test_words_are_streamed_as_lines_as_events_and_to_openai_clients(product, sample_image):
    url = product.serve(sample_image("fastapi_streaming"), "--endpoint-name", "writer")["Emulator"]["Url"]
    asked = ("invoke", "writer", "--content-type", "application/json", "--data")
    lines = product.run(*asked, '{"prompt": "hello", "max_tokens": 4}', "--stream")
    assert (lines.code, [json.loads(line)["word"] for line in lines.out.splitlines()]) == (
        0, ["to", "the", "river", "runs"],
    )  # fmt: skip
    events = product.run(
        *asked, '{"prompt": "hello"}', "--stream", "--accept", "text/event-stream", "--verbose"
    )
    assert events.out.startswith('data: {"word": "to"}\n\n')
    assert "text/event-stream" in events.err
    whole = product.run(*asked, '{"prompt": "hello", "max_tokens": 4}')
    assert whole.out == lines.out, "InvokeEndpoint gives the same, when it is complete"
    refused = product.run(*asked, '{"prompt": "hello", "max_tokens": 0}', "--stream")
    assert refused.code == 1
    assert "OriginalMessage: max_tokens: expected 1 to 500" in refused.err
    chat = urllib.request.Request(
        f"{url}/endpoints/writer/openai/v1/chat/completions",
        b'{"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 500, "stream": true}',
        {"Content-Type": "application/json", "Authorization": "Bearer x"},
    )
    with urllib.request.urlopen(
        chat, timeout=WAIT_SECONDS
    ) as stream:  # 25 seconds of it; the first part is enough
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        first = json.loads(stream.readline().removeprefix(b"data: "))
    assert first["choices"][0]["delta"]["content"] == "to "


def test_a_session_remembers_at_its_instance_until_it_is_closed(product, sample_image):
    product.serve(sample_image("stateful"), "--endpoint-name", "mean", "--instance-count", "2")

    def ask(session, data):
        return product.run(
            "invoke", "mean", "--session-id", session, "--content-type", "application/json", "--data", data,
            "--verbose",
        )  # fmt: skip

    opened = ask("NEW_SESSION", '{"requestType": "NEW_SESSION"}')
    told = re.search(r"(?i)x-amzn-sagemaker-new-session-id: (\S+); Expires=\S+Z", opened.err)
    assert opened.json == {"count": 0, "mean": None}
    assert told, opened.err
    means = [ask(told[1], json.dumps({"numbers": [each]})).json["mean"] for each in (1, 3, 5, 7)]
    assert means == [1, 2, 3, 4]
    closed = ask(told[1], '{"requestType": "CLOSE"}')
    assert closed.json == {"count": 4, "mean": 4}
    assert f"x-amzn-sagemaker-closed-session-id: {told[1]}" in closed.err.lower()
    after = ask(told[1], '{"numbers": [1]}')
    assert after.code == 1
    assert f"OriginalMessage: session {told[1]} is not open" in after.err


def test_what_the_preprocessor_answers_is_what_the_predictor_takes(product, sample_image):
    product.serve(sample_image("pipeline", "preprocessor"), "--endpoint-name", "first")
    model = SAMPLES / "pipeline/models/predictor"
    product.serve(sample_image("pipeline", "predictor"), "--model", model, "--endpoint-name", "second")
    payload = SAMPLES / "pipeline/payload.csv"
    first = product.run("invoke", "first", "--data", f"@{payload}", "--content-type", "text/csv")
    assert first.json == json.loads((SAMPLES / "pipeline/payload.json").read_text())
    second = product.run("invoke", "second", "--data", first.out, "--content-type", "application/json")
    assert second.out == "setosa\nversicolor\n"


def test_the_pipeline_answers_as_one_endpoint(product, sample_image):
    model = SAMPLES / "pipeline/models/predictor"
    product.serve(
        "--container", f"prepare={sample_image('pipeline', 'preprocessor')}",
        "--container", f"predict={sample_image('pipeline', 'predictor')},model={model}",
        "--endpoint-name", "pipeline",
    )  # fmt: skip

    def ask(content_type):
        payload = SAMPLES / "pipeline/payload.csv"
        return product.run("invoke", "pipeline", "--data", f"@{payload}", "--content-type", content_type)

    assert ask("text/csv").out == "setosa\nversicolor\n"
    refused = ask("image/png")
    assert refused.code == 1
    assert "Received client error (415) from prepare with message" in refused.err
    stopped = product.run("stop", "pipeline", "--output", "json").json
    assert set(stopped["Emulator"]["ContainerExitCodes"]) == {"AllTraffic/prepare", "AllTraffic/predict"}


def test_the_pipeline_transforms_a_folder(product, sample_image):
    """One command; what each container says of a file that it cannot read is told with its name."""
    data = product.folder(
        "data", files={"a.csv": (SAMPLES / "pipeline/payload.csv").read_text(), "b.csv": "x,1,1,1\n"}
    )
    model = SAMPLES / "pipeline/models/predictor"
    words = (
        "transform",
        "--container", f"prepare={sample_image('pipeline', 'preprocessor')}",
        "--container", f"predict={sample_image('pipeline', 'predictor')},model={model}",
        "--job-name", "rows", "--input", data, "--content-type", "text/csv", "--split-type", "Line",
        "--assemble-with", "Line",
    )  # fmt: skip
    planned = product.run(*words, "--dry-run", "--output", "json").json
    assert [each["Host"] for each in planned] == ["instance-1/prepare", "instance-1/predict"]
    assert product.runs() == []
    done = product.run(*words, "--output", "json")
    assert done.code == 1, str(done)
    folder = product.home / "transform-jobs" / "rows"
    assert {each.name: each.read_text() for each in (folder / "output").iterdir()} == {
        "a.csv.out": "setosa\nversicolor\n"
    }
    assert done.json["FailureReason"] == "ClientError: See job logs for more information"
    assert "b.csv: ClientError: 400 (prepare)" in product.run("logs", "rows", "--host", "data-log").out
    assert [each["ContainerHostname"] for each in done.json["Emulator"]["Containers"]] == [
        "prepare",
        "predict",
    ]
    assert set(done.json["Emulator"]["ContainerExitCodes"]) == {"instance-1/prepare", "instance-1/predict"}
    assert "Uvicorn running on http://0.0.0.0:14002" in product.run("logs", "rows", "--host", "predict").out
    assert product.left_on_engine() == []
