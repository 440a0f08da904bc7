"""`sm-emulate validate` as a process of its own, on a real engine."""

import json
import os
import signal
import subprocess
import sys

import jsonschema
import pytest

from sm_contracts.schema import verdict_schema

pytestmark = pytest.mark.engine
MAIN = "from sm_emulate.cli import main; main()"


@pytest.fixture
def start(docker_endpoint, tmp_path):
    """Start `sm-emulate` with its temporary files and runs in a folder of this test."""

    def begin(*words):
        environ = os.environ | {
            "DOCKER_HOST": docker_endpoint,
            "SM_EMULATE_HOME": str(tmp_path / "home"),
            "TMPDIR": str(tmp_path),
            "NO_COLOR": "1",
        }
        return subprocess.Popen(
            [sys.executable, "-c", MAIN, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ, cwd=tmp_path,
        )  # fmt: skip

    return begin


def test_the_static_rules_on_a_sample_in_every_form(start, sample_image, tmp_path):
    image = sample_image("decision_trees")
    forms = {form: tmp_path / f"report.{form}" for form in ("text", "junit", "sarif", "html", "github")}
    reports = [word for form, file in forms.items() for word in ("--report", f"{form}={file}")]
    process = start("validate", image, "--select", "SM1", "--output", "json", *reports)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    verdict = json.loads(out)
    jsonschema.validate(verdict, verdict_schema())
    assert verdict["roles"] == ["serve", "train"]
    assert verdict["summary"]["fail"] == 0
    assert all(file.stat().st_size > 20 for file in forms.values())


def test_ctrl_c_in_mid_life_reports_what_was_found_and_leaves_nothing(start, sample_image, docker, tmp_path):
    image = sample_image("decision_trees")
    process = start("validate", image, "--role", "serve", "--select", "SM302,SM103", "--output", "json")
    for line in process.stderr:
        if "serving: long life" in line:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, f"{out}{err}"
    status = {rule["id"]: rule["status"] for rule in json.loads(out)["rules"]}
    assert status == {"SM103": "pass", "SM302": "inconclusive"}
    labels = docker("ps", "--all", "--format", "{{.Labels}}").stdout
    assert str(tmp_path) not in labels
    assert list(tmp_path.glob("sm-emulate-check-*")) == []


def test_ctrl_c_while_a_model_loads_reports_what_was_found_and_leaves_nothing(
    start, sample_image, docker, tmp_path
):
    model = tmp_path / "model"
    model.mkdir()
    (model / "words.txt").write_text("hello")
    image = sample_image("multi_model")
    words = (
        "--model",
        str(model),
        "--environment",
        "LOAD_SECONDS=300",
        "--select",
        "SM4",
        "--output",
        "json",
    )
    process = start("validate", image, *words)
    for line in process.stderr:
        if "loading models" in line:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, f"{out}{err}"
    verdict = json.loads(out)
    assert verdict["roles"] == ["multi-model"]
    status = {rule["id"]: rule["status"] for rule in verdict["rules"]}
    assert {rule for rule in status if status[rule] == "pass"} == {"SM401", "SM402", "SM403", "SM406"}
    assert set(status.values()) == {"pass", "inconclusive"}
    labels = docker("ps", "--all", "--format", "{{.Labels}}").stdout
    assert str(tmp_path) not in labels
    assert list(tmp_path.glob("sm-emulate-check-*")) == []
