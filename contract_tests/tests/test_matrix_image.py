"""Band 1 on a real engine: each broken image breaks exactly its rules, and conforming ones break none."""

from __future__ import annotations

import pytest

from sm_contracts import Status, check

BAND = "SM1"
pytestmark = pytest.mark.engine


def failed(verdict):
    return {result.id: result.message for result in verdict.rules if result.status is Status.FAIL}


def test_a_broken_image_breaks_exactly_its_rules(broken_in_band, broken_image, expectation):
    expected = expectation(f"broken/{broken_in_band}")
    verdict = check(broken_image(broken_in_band), roles=expected["roles"], select=[BAND])
    assert set(failed(verdict)) == set(expected["breaks"]), failed(verdict)


@pytest.mark.parametrize("name", ["basic_training", "decision_trees", "static_c", "toolkit_script_mode"])
def test_a_conforming_image_breaks_nothing(name, sample_image, expectation):
    expected = expectation(name)
    verdict = check(sample_image(name), select=[BAND])
    assert failed(verdict) == {}
    assert verdict.judgement == "pass"
    assert set(verdict.roles) == set(expected["roles"]), verdict.roles_found_by
    assert [result for result in verdict.rules if result.status is Status.INCONCLUSIVE] == []


def test_a_saved_image_is_checked_from_its_archive(docker, sample_image, tmp_path):
    sample_image("static_c")
    archive = tmp_path / "image.tar"
    docker("save", "--output", str(archive), "sm-emulate/static-c")
    verdict = check(str(archive), select=[BAND])
    assert failed(verdict) == {}
    assert verdict.image == "sm-emulate/static-c:latest"
    skipped = {result.id: result.message for result in verdict.rules if result.status is Status.SKIP}
    assert {"SM101", "SM102", "SM116"} <= set(skipped)
    assert "archive" in skipped["SM116"]
