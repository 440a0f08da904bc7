"""Band 5 on a real engine: each broken image breaks exactly its rules, and conforming ones break none."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_contracts import SamplePayload, Severity, Status, check
from sm_contracts.registry import all_rules

BAND = "SM5"
SAMPLES = Path(__file__).parents[2] / "sample_images"
BATCH_BASE = "sm-emulate/broken-batch-base"


@pytest.fixture(scope="session")
def batch_base(docker, base_image):
    folder = SAMPLES / "broken/batch-base"
    docker("build", "--quiet", "--build-arg", f"BASE_IMAGE={base_image}", "--tag", BATCH_BASE, str(folder))
    return BATCH_BASE


def judge(image, folder, sample, *, roles, model=None):
    """Check an image with a sample payload."""
    return check(
        image,
        roles=roles,
        model=model,
        payload=SamplePayload(
            body=(folder / sample["payload"]).read_bytes(),
            content_type=sample["content_type"],
            accept=sample.get("accept"),
        ),
        select=["SM0", BAND],
    )


def failed(verdict):
    return {result.id: result.message for result in verdict.rules if result.status is Status.FAIL}


def undecided(verdict):
    return {result.id: result.message for result in verdict.rules if result.status is Status.INCONCLUSIVE}


@pytest.mark.engine
def test_a_broken_image_breaks_exactly_its_rules(broken_in_band, docker, batch_base, expectation):
    folder = SAMPLES / "broken" / broken_in_band
    expected = expectation(f"broken/{broken_in_band}")
    tag = f"sm-emulate/broken-{broken_in_band.lower()}"
    docker("build", "--quiet", "--build-arg", f"BATCH_BASE={batch_base}", "--tag", tag, str(folder))
    verdict = judge(tag, folder, expected["batch"], roles=expected["roles"])
    found = failed(verdict)
    assert set(found) == set(expected["breaks"]), found
    if broken_in_band == "SM502-one-record-at-a-time":
        (broken,) = [result for result in verdict.rules if result.status is Status.FAIL]
        assert (broken.severity, "send one row" in str(broken.evidence)) == (Severity.WARNING, True)


@pytest.mark.engine
def test_the_server_that_they_stand_on_breaks_nothing(batch_base, expectation):
    expected = expectation("broken/batch-base")
    verdict = judge(batch_base, SAMPLES / "broken/batch-base", expected["batch"], roles=expected["roles"])
    assert (failed(verdict), undecided(verdict)) == ({}, {})


@pytest.mark.engine
def test_a_server_without_wishes_breaks_nothing(sample_image, expectation, docker, tmp_path):
    folder = SAMPLES / "static_c"
    from sm_emulate import api

    image = sample_image("static_c")
    trained = api.train(
        api.training_request(
            image, channels={"training": SAMPLES.parent / "fixtures/iris/train.csv"}, job_name="batch-model"
        ),
        home=tmp_path,
    )
    sample = expectation("static_c")["serve"]
    verdict = judge(image, folder, sample, roles=["batch"], model=trained.model_archive)
    assert (failed(verdict), undecided(verdict)) == ({}, {})


@pytest.mark.engine
def test_records_that_are_no_lines_leave_their_rules_undecided(batch_base, tmp_path):
    (tmp_path / "payload").write_text("[1, 2]")
    sample = {"payload": "payload", "content_type": "application/json"}
    verdict = judge(batch_base, tmp_path, sample, roles=["batch"])
    assert failed(verdict) == {}
    assert {"SM502", "SM504", "SM506"} <= set(undecided(verdict))
    assert "text/csv or application/jsonlines" in undecided(verdict)["SM502"]


@pytest.mark.engine
def test_a_container_that_is_never_healthy_leaves_all_undecided(docker, batch_base, tmp_path):
    from sm_contracts import Limits

    (tmp_path / "Dockerfile").write_text(f"FROM {batch_base}\nRUN sed -i s:/ping:/pong: batch.py\n")
    docker("build", "--quiet", "--tag", "sm-emulate/broken-batch-never-ready", str(tmp_path))
    verdict = check(
        "sm-emulate/broken-batch-never-ready",
        roles=["batch"],
        limits=Limits(startup_timeout_s=2.0),
        select=["SM5"],
    )
    assert {result.status.value for result in verdict.rules if result.id != "SM505"} == {"inconclusive"}


def test_every_rule_has_an_image_that_breaks_it():
    broken = {folder.name[:5] for folder in SAMPLES.glob(f"broken/{BAND}*")}
    assert {rule for rule in all_rules() if rule.startswith(BAND)} == broken
