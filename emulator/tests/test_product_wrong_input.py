"""Each kind of wrong input has its own message and exit code, starts nothing and leaves nothing behind."""

from __future__ import annotations

import json
import re

import pytest
from product import golden

pytestmark = pytest.mark.engine

LONG = "x" * 2501
TRAIN = {
    # name: (exit code, words after `train`), with IMAGE and the files of `folder` below
    "unknown-image": (3, ["no-such-image-here:none"]),
    "channel-without-name": (2, ["IMAGE", "--channel", "./data"]),
    "channel-without-path": (2, ["IMAGE", "--channel", "train"]),
    "channel-not-there": (2, ["IMAGE", "--channel", "train=./dota"]),
    "channel-option": (2, ["IMAGE", "--channel", "train=./data,mood=File"]),
    "channel-mode": (2, ["IMAGE", "--channel", "train=./data,mode=Fast"]),
    "channel-name": (2, ["IMAGE", "--channel", "my train=./data"]),
    "channel-twice": (2, ["IMAGE", "--channel", "train=./data", "--channel", "train=./data"]),
    "channel-s3": (2, ["IMAGE", "--channel", "train=s3://bucket/train", "--s3", "embedded"]),
    "channel-s3-without-credentials": (3, ["IMAGE", "--channel", "train=s3://bucket/train"]),
    "s3": (2, ["IMAGE", "--s3", "minio"]),
    "file-system": (2, ["IMAGE", "--file-system", "fs-0123456789"]),
    "hyperparameters-not-there": (2, ["IMAGE", "--hyperparameters", "nothing.json"]),
    "hyperparameters-not-json": (2, ["IMAGE", "--hyperparameters", "broken.json"]),
    "hyperparameters-list": (2, ["IMAGE", "--hyperparameters", "list.json"]),
    "hyperparameters-null": (2, ["IMAGE", "--hyperparameters", "null.json"]),
    "hyperparameter-too-long": (2, ["IMAGE", "--hyperparameter", f"a={LONG}"]),
    "hyperparameter-without-value": (2, ["IMAGE", "--hyperparameter", "epochs"]),
    "hyperparameter-twice": (2, ["IMAGE", "--hyperparameter", "a=1", "--hyperparameter", "a=2"]),
    "too-many-hyperparameters": (
        2,
        ["IMAGE", *[word for n in range(101) for word in ("--hyperparameter", f"p{n}=1")]],
    ),
    "environment-name": (2, ["IMAGE", "--environment", "MY-NAME=secret"]),
    "job-name": (2, ["IMAGE", "--job-name", "my_job"]),
    "job-name-too-long": (2, ["IMAGE", "--job-name", "a" * 64]),
    "instance-type": (2, ["IMAGE", "--instance-type", "ml.m5.lorge"]),
    "instance-count": (2, ["IMAGE", "--instance-count", "-1"]),
    "no-instances": (2, ["IMAGE", "--instance-count", "0"]),
    "max-run": (2, ["IMAGE", "--max-run", "29d"]),
    "max-run-words": (2, ["IMAGE", "--max-run", "soon"]),
    "metric-without-group": (2, ["IMAGE", "--metric", "loss=loss"]),
    "metric-broken": (2, ["IMAGE", "--metric", "loss=(["]),
    "setting": (2, ["IMAGE", "--setting", "shm-sise=1g"]),
    "setting-value": (2, ["IMAGE", "--setting", "shm-size=much"]),
    "gpus": (2, ["IMAGE", "--gpus", "some"]),
    "request-not-there": (2, ["--request", "nothing.json"]),
    "request-not-json": (2, ["--request", "broken.json"]),
    "request-unknown-key": (2, ["--request", "unknown-key.json"]),
    "request-missing-keys": (2, ["--request", "missing.json"]),
}
SERVE = {
    "serve-unknown-image": (3, ["no-such-image-here:none"]),
    "serve-model-not-there": (2, ["IMAGE", "--model", "modle"]),
    "serve-model-s3": (2, ["IMAGE", "--model", "s3://bucket/model.tar.gz"]),
    "serve-startup-timeout": (2, ["IMAGE", "--startup-timeout", "59"]),
    "serve-name": (2, ["IMAGE", "--endpoint-name", "my_endpoint"]),
    "serve-environment": (2, ["IMAGE", "--environment", "secret"]),
}
FILES = {
    "data/a.csv": "1\n",
    "broken.json": '{"epochs": 3,\n "rate" 4}\n',
    "list.json": "[1, 2]",
    "null.json": '{"epochs": null}',
    "unknown-key.json": json.dumps({"TrainingJobNmae": "x"}),
    "missing.json": json.dumps({"TrainingJobName": "x"}),
}


def short(text):
    """Without what others say: the registry of this machine, the lists of the service model's own version."""
    text = re.sub(r"(expected(?:: one of|: [a-z-]+,).{40}).*", r"\1...", text)
    return re.sub(r"(?m)^  \| (?!SageMaker|also)(?=.*(registry|lookup|denied|manifest)).*\n", "", text)


@pytest.fixture
def refused(product, images):
    product.folder(".", files=FILES)

    def run(command, name, code, words, env=None):
        words = [images.base if word == "IMAGE" else word for word in words]
        done = product.run(command, *words, env=env)
        assert done.code == code, str(done)
        assert done.out == ""
        assert "Traceback" not in done.err
        golden(f"wrong-{name}", short(product.plain(done.err).replace(images.base, "BASE")))
        assert product.runs() == []
        assert product.left_on_engine() == []
        return done

    return run


@pytest.mark.parametrize("name", TRAIN)
def test_a_wrong_job_is_refused_before_anything_starts(refused, name):
    refused("train", name, *TRAIN[name])


@pytest.mark.parametrize("name", SERVE)
def test_a_wrong_endpoint_is_refused_before_anything_starts(refused, name):
    refused("serve", name, *SERVE[name])


@pytest.mark.parametrize("command", ["train", "serve"])
def test_without_an_engine_it_says_where_it_looked(product, refused, command):
    dead = {"DOCKER_HOST": f"unix://{product.tmp}/dead.sock"}
    refused(command, f"{command}-no-engine", 3, ["IMAGE"], env=dead)


def test_the_environments_values_are_never_printed(refused):
    assert "secret" not in refused("train", "environment-name", *TRAIN["environment-name"]).err
    assert "secret" not in refused("serve", "serve-environment", *SERVE["serve-environment"]).err


def test_an_error_is_json_where_json_was_asked_for(product, images):
    done = product.run("train", images.base, "--channel", "train=./dota", "--output", "json")
    assert done.code == 2
    error = done.json["error"]
    assert error["code"] == "request"
    assert error["what"].startswith("channel train")
    assert error["value"] == f"{product.tmp}/dota"
    assert done.err.startswith("error: channel train")


def test_a_gpu_that_is_not_there_is_said(product, docker, images):
    if "nvidia" in docker("info", "--format", "{{json .Runtimes}}").stdout:
        pytest.skip("this engine has GPUs to give")
    done = product.run("train", images.base, "--gpus", "1")
    assert done.code == 3, str(done)
    assert "gpu" in done.err.lower()
    assert product.runs() == []
    assert product.left_on_engine() == []
    assert product.run("train", images.base, "--instance-type", "ml.g4dn.xlarge", "--dry-run").code == 0


@pytest.mark.parametrize("words", [["invoke"], ["invoke", "nobody"], ["invoke", "--data", "@nothing.csv"]])
def test_invoking_nobody_is_said(product, words):
    done = product.run(*words)
    assert (done.code, done.out) == (2, "")
    golden(f"wrong-{'-'.join(words).replace('@', '').replace('.', '-')}", product.plain(done.err))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tarin"], "Did you mean 'train'?"),
        (["train"], "Missing argument 'IMAGE' (or --request FILE)."),
        (["train", "image", "--hyperparametr", "a=1"], "--hyperparametr"),
        (["serve", "image", "--port", "70000"], "70000 is not in the range 0<=x<=65535"),
        (["train", "image", "--output", "yaml"], "'yaml' is not one of 'text', 'json'"),
    ],
)
def test_wrong_usage_is_said_with_the_way_to_help(product, words, said):
    done = product.run(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: sm-emulate")
    assert "--help' for help." in done.err
    assert said in done.err


def test_a_state_folder_that_cannot_be_made_is_said(product, images):
    (product.tmp / "file").touch()
    done = product.run("train", images.train("exit 0"), "--home", product.tmp / "file" / "home")
    assert done.code == 3, str(done)
    assert done.err.startswith("error: cannot make the run folder: Not a directory\n")
