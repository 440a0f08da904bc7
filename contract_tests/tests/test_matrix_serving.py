"""Band 3 on a real engine: each broken image breaks exactly its rules, and conforming ones break none."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from sm_contracts import Limits, SamplePayload, Status, check
from sm_emulate import api

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest itself needs it there

pytestmark = pytest.mark.engine

SAMPLES = Path(__file__).parents[2] / "sample_images"
BROKEN = sorted(folder.name for folder in SAMPLES.glob("broken/SM3[0-9][0-9]-*"))
CONFORMING = ["decision_trees", "fastapi_server", "node_server", "static_c"]
SERVING_BASE = "sm-emulate/broken-serving-base"


@pytest.fixture(scope="session")
def serving_base(docker, base_image):
    folder = SAMPLES / "broken/serving-base"
    docker("build", "--quiet", "--build-arg", f"BASE_IMAGE={base_image}", "--tag", SERVING_BASE, str(folder))
    return SERVING_BASE


@pytest.fixture
def broken_server(docker, serving_base):
    def build(name):
        tag = f"sm-emulate/broken-{name.lower()}"
        arguments = ("--build-arg", f"SERVING_BASE={serving_base}", "--tag", tag)
        docker("build", "--quiet", *arguments, str(SAMPLES / "broken" / name))
        return tag

    return build


@pytest.fixture
def downloads(docker, serving_base):
    """Give the address of a server on the engine's default network."""
    container = docker("run", "--detach", "--rm", serving_base, "serve").stdout.strip()
    template = "{{.NetworkSettings.IPAddress}}"
    try:
        address = docker("inspect", "--format", template, container).stdout.strip()
        yield f"http://{address}:8080/ping"
    finally:
        docker("rm", "--force", container)


def judge(folder, tag, *, model=None, environment=None):
    expected = tomllib.loads((folder / "expect.toml").read_text())
    given = expected["serve"]
    if "model" in given:
        model = (folder / given["model"]).resolve()
    verdict = check(
        tag,
        roles=["serve"],
        model=model,
        payload=SamplePayload(
            body=(folder / given["payload"]).read_bytes(),
            content_type=given.get("content_type"),
            accept=given.get("accept"),
        ),
        environment=environment,
        limits=Limits(**({"slow_body_s": 1.5} | given.get("limits", {}))),
        select=["SM0", "SM3"],
    )
    return expected, verdict


def failed(verdict):
    return {result.id: result.message for result in verdict.rules if result.status is Status.FAIL}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_breaks_exactly_its_rules(name, broken_server, request):
    folder = SAMPLES / "broken" / name
    variable = tomllib.loads((folder / "expect.toml").read_text())["serve"].get("download_variable")
    environment = {variable: request.getfixturevalue("downloads")} if variable else None
    expected, verdict = judge(folder, broken_server(name), environment=environment)
    assert set(failed(verdict)) == set(expected["breaks"]), failed(verdict)


def test_what_the_broken_images_are_made_from_breaks_nothing(serving_base):
    _, verdict = judge(SAMPLES / "broken/serving-base", serving_base)
    assert {
        result.id: (result.status, result.message)
        for result in verdict.rules
        if result.status is not Status.PASS
    } == {}


@pytest.mark.parametrize("name", CONFORMING)
def test_a_conforming_image_breaks_nothing(name, sample_image, tmp_path):
    folder = SAMPLES / name
    tag = sample_image(name)
    training = tomllib.loads((folder / "expect.toml").read_text())["train"]
    result = api.train(
        api.training_request(
            tag,
            job_name=name.replace("_", "-"),
            channels=[
                f"{channel}={(folder / path).resolve()}" for channel, path in training["channels"].items()
            ],
            hyperparameters=training.get("hyperparameters"),
        ),
        home=tmp_path / "home",
    )
    model = next((tmp_path / "home").rglob("model.tar.gz"))
    expected, verdict = judge(folder, tag, model=model)
    assert result.succeeded
    assert set(failed(verdict)) == set(expected["breaks"]), failed(verdict)
    assert verdict.judgement == "pass"


def test_every_rule_has_an_image_that_breaks_it():
    broken = {
        rule
        for name in BROKEN
        for rule in tomllib.loads((SAMPLES / "broken" / name / "expect.toml").read_text())["breaks"]
    }
    assert broken == {f"SM3{number:02}" for number in range(1, 41)}


@pytest.mark.parametrize("moment", ["long life", "second start", "many clients", "stop"])
def test_a_check_that_is_interrupted_leaves_nothing_behind(
    serving_base, docker, moment, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    said = []
    verdict = check(
        serving_base,
        roles=["serve"],
        payload=SamplePayload(body=b'{"instances": [[1, 2]]}', content_type="application/json"),
        select=["SM0", "SM3"],
        say=said.append,
        stopping=lambda: any(moment in words for words in said),
    )
    # by the folder of this very check: other tests run the same image now
    homes = docker("ps", "--all", "--format", '{{.Label "dev.sm-emulate.home"}}').stdout.splitlines()
    assert [home for home in homes if home.startswith(str(tmp_path))] == []
    assert list(tmp_path.iterdir()) == []
    assert {result.status for result in verdict.rules if result.id == "SM340"} == {Status.INCONCLUSIVE}
    assert [result.message for result in verdict.rules if result.id == "SM002"] == [""]
