"""Band 6 without the two-way streams, on a real engine: each broken image breaks exactly its rules, samples none."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from sm_contracts import Limits, SamplePayload, Status, check
from sm_contracts.registry import all_rules

SAMPLES = Path(__file__).parents[2] / "sample_images"
BROKEN = sorted(folder.name for folder in SAMPLES.glob("broken/SM6[013][0-9]-*"))
BASE = "sm-emulate/broken-capabilities-base"


@pytest.fixture(scope="session")
def capabilities_base(docker, base_image):
    folder = SAMPLES / "broken/capabilities-base"
    docker("build", "--quiet", "--build-arg", f"BASE_IMAGE={base_image}", "--tag", BASE, str(folder))
    return BASE


def judge(image, folder, expected, *, roles=None):
    """Check an image as its expect.toml says."""
    given = expected["serve"]
    return check(
        image,
        roles=roles or expected["roles"],
        model=(folder / given["model"]).resolve() if "model" in given else None,
        payload=SamplePayload(
            body=(folder / given["payload"]).read_bytes(),
            content_type=given["content_type"],
            accept=given.get("accept"),
        ),
        limits=Limits(**given.get("limits", {})),
        select=["SM0", "SM6"],
    )


def said(verdict, status):
    return {result.id: result.message for result in verdict.rules if result.status is status}


@pytest.mark.engine
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_breaks_exactly_its_rules(name, docker, capabilities_base, base_image, expectation):
    folder = SAMPLES / "broken" / name
    expected = expectation(f"broken/{name}")
    tag = f"sm-emulate/broken-{name.lower()}"
    arguments = [f"CAPABILITIES_BASE={capabilities_base}"]
    if "BASE_IMAGE" in (folder / "Dockerfile").read_text():
        arguments.append(f"BASE_IMAGE={base_image}")
    words = [word for argument in arguments for word in ("--build-arg", argument)]
    docker("build", "--quiet", *words, "--tag", tag, str(folder))
    verdict = judge(tag, folder, expected)
    found = said(verdict, Status.FAIL)
    assert set(found) == set(expected["breaks"]), found
    assert said(verdict, Status.INCONCLUSIVE) == {}


@pytest.mark.engine
def test_the_server_that_they_stand_on_keeps_every_rule(capabilities_base, expectation):
    expected = expectation("broken/capabilities-base")
    verdict = judge(capabilities_base, SAMPLES / "broken/capabilities-base", expected)
    assert {"SM601", "SM602", "SM611", "SM612", "SM631"} <= set(said(verdict, Status.PASS))
    assert (said(verdict, Status.FAIL), said(verdict, Status.INCONCLUSIVE)) == ({}, {})
    (closed,) = [result.evidence["closed"] for result in verdict.rules if result.id == "SM631"]
    assert closed


@pytest.mark.engine
def test_without_a_payload_streams_are_undecided_and_the_rest_is_not(capabilities_base):
    verdict = check(capabilities_base, roles=["pipeline", "streaming", "sessions"], select=["SM6"])
    undecided = said(verdict, Status.INCONCLUSIVE)
    assert set(undecided) == {"SM611", "SM612"}
    assert "give --data" in undecided["SM611"]
    assert {"SM601", "SM602", "SM631"} <= set(said(verdict, Status.PASS))


@pytest.mark.engine
def test_a_container_that_is_never_healthy_leaves_all_but_the_label_undecided(
    docker, capabilities_base, tmp_path
):
    (tmp_path / "Dockerfile").write_text(f"FROM {capabilities_base}\nRUN sed -i s:/ping:/pong: capable.py\n")
    docker("build", "--quiet", "--tag", "sm-emulate/broken-capabilities-never-ready", str(tmp_path))
    verdict = check(
        "sm-emulate/broken-capabilities-never-ready",
        roles=["pipeline", "streaming", "sessions"],
        payload=SamplePayload(body=b"{}", content_type="application/json"),
        limits=Limits(startup_timeout_s=2.0),
        select=["SM6"],
    )
    assert {"SM602", "SM611", "SM612", "SM631"} <= set(said(verdict, Status.INCONCLUSIVE))
    assert said(verdict, Status.FAIL) == {}


@pytest.mark.engine
@pytest.mark.parametrize(
    ("name", "target", "rules"),
    [
        ("fastapi_streaming", "", {"SM611", "SM612"}),
        ("pipeline", "preprocessor", {"SM601", "SM602"}),
        ("pipeline", "predictor", {"SM601", "SM602"}),
        ("stateful", "", {"SM631"}),
    ],
)
def test_a_sample_keeps_every_rule(name, target, rules, sample_image, expectation):
    expected = expectation(name)
    if target:
        expected |= expected["targets"][target]
    verdict = judge(sample_image(name, target), SAMPLES / name, expected)
    assert set(said(verdict, Status.PASS)) == rules | {"SM001", "SM002"}
    assert (said(verdict, Status.FAIL), said(verdict, Status.INCONCLUSIVE)) == ({}, {})


@pytest.mark.engine
@pytest.mark.parametrize("moment", ["told its port", "a stream"])
def test_a_check_that_is_interrupted_leaves_nothing_behind(
    capabilities_base, docker, moment, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    heard = []
    verdict = check(
        capabilities_base,
        roles=["pipeline", "streaming"],
        payload=SamplePayload(body=b'{"prompt": "some words to stream"}', content_type="application/json"),
        select=["SM6"],
        say=heard.append,
        stopping=lambda: any(moment in words for words in heard),
    )
    # by the folder of this very check: other tests run the same image now
    homes = docker("ps", "--all", "--format", '{{.Label "dev.sm-emulate.home"}}').stdout.splitlines()
    assert [home for home in homes if home.startswith(str(tmp_path))] == []
    assert list(tmp_path.iterdir()) == []
    cut = "SM602" if moment == "told its port" else "SM611"
    assert "interrupted" in said(verdict, Status.INCONCLUSIVE)[cut]
    assert said(verdict, Status.FAIL) == {}


@pytest.mark.engine
def test_the_label_tells_that_an_image_is_for_a_pipeline(capabilities_base):
    verdict = check(capabilities_base, select=["SM601"])
    assert {"pipeline", "serve"} <= set(verdict.roles)
    assert "the label accept-bind-to-port" in verdict.roles_found_by
    assert said(verdict, Status.PASS).keys() == {"SM601"}


def test_every_rule_has_an_image_that_breaks_it():
    two_way = {rule_id for rule_id in all_rules() if rule_id.startswith("SM62")}
    band = {rule_id for rule_id in all_rules() if rule_id.startswith("SM6")}
    assert {name[:5] for name in BROKEN} == band - two_way
