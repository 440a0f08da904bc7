"""Band 7 on a real engine: each broken image breaks exactly its rules, and conforming ones break none."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_contracts import Limits, Severity, Status, check
from sm_contracts.registry import all_rules

BAND = "SM7"
SAMPLES = Path(__file__).parents[2] / "sample_images"
CONFORMING = sorted(
    each.parent.name for each in SAMPLES.glob("*/expect.toml") if "[processing]" in each.read_text()
)


def judge(image, folder, expected):
    """Check an image with the sample input that stands in its expect.toml."""
    sample = expected["processing"]
    return check(
        image,
        roles=["processing"],
        inputs=[f"{name}={(folder / path).resolve()}" for name, path in sample.get("inputs", {}).items()],
        outputs=sample.get("outputs", ()),
        limits=Limits(**sample.get("limits", {})),
        select=["SM0", BAND],
    )


def failed(verdict):
    return {result.id: result.message for result in verdict.rules if result.status is Status.FAIL}


@pytest.mark.engine
def test_a_broken_image_breaks_exactly_its_rules(broken_in_band, broken_image, expectation):
    name = f"broken/{broken_in_band}"
    expected = expectation(name)
    verdict = judge(broken_image(broken_in_band), SAMPLES / name, expected)
    found = failed(verdict)
    assert set(found) == set(expected["breaks"]), found
    if broken_in_band == "SM707-sigterm-only":
        (broken,) = [result for result in verdict.rules if result.status is Status.FAIL]
        assert (broken.severity, broken.evidence["heeds_sigterm"]) == (Severity.WARNING, True)


@pytest.mark.engine
@pytest.mark.parametrize("name", CONFORMING)
def test_a_conforming_image_breaks_nothing(name, sample_image, expectation):
    verdict = judge(sample_image(name), SAMPLES / name, expectation(name))
    assert failed(verdict) == {}
    assert verdict.judgement == "pass"
    assert {result.id for result in verdict.rules if result.status is Status.INCONCLUSIVE} == set()


def test_every_rule_has_an_image_that_breaks_it():
    broken = {folder.name[:5] for folder in SAMPLES.glob(f"broken/{BAND}*")}
    assert {rule for rule in all_rules() if rule.startswith(BAND)} == broken
