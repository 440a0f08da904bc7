"""Band 2 on a real engine: each broken image breaks exactly its rules, and conforming ones break none."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_contracts import Limits, Status, check
from sm_contracts.registry import all_rules

BAND = "SM2"
SAMPLES = Path(__file__).parents[2] / "sample_images"
CONFORMING = sorted(
    each.parent.name for each in SAMPLES.glob("*/expect.toml") if "[train]" in each.read_text()
)


def judge(image, folder, expected):
    """Check an image with the sample input that stands in its expect.toml."""
    sample = expected["train"]
    channels = []
    for name, given in sample.get("channels", {}).items():
        path, comma, options = given.partition(",")
        channels.append(f"{name}={(folder / path).resolve()}{comma}{options}")
    return check(
        image,
        roles=["train"],
        channels=channels,
        hyperparameters=sample.get("hyperparameters"),
        metrics=[f"{name}={regex}" for name, regex in sample.get("metrics", {}).items()],
        limits=Limits(**sample.get("limits", {})),
        select=["SM0", BAND],
    )


def failed(verdict):
    return {result.id: result.message for result in verdict.rules if result.status is Status.FAIL}


@pytest.mark.engine
def test_a_broken_image_breaks_exactly_its_rules(broken_in_band, broken_image, expectation):
    name = f"broken/{broken_in_band}"
    expected = expectation(name)
    found = failed(judge(broken_image(broken_in_band), SAMPLES / name, expected))
    assert set(found) == set(expected["breaks"]), found


@pytest.mark.engine
@pytest.mark.parametrize("name", CONFORMING)
def test_a_conforming_image_breaks_nothing_but_what_its_technique_entails(name, sample_image, expectation):
    expected = expectation(name)
    verdict = judge(sample_image(name), SAMPLES / name, expected)
    found = failed(verdict)
    assert set(found) == set(expected.get("entails", [])), found
    assert verdict.judgement == "pass"


def test_every_rule_has_an_image_that_breaks_it():
    broken = {folder.name[:5] for folder in SAMPLES.glob(f"broken/{BAND}*")}
    # where there is no GPU, nothing can leave it alone
    assert {rule for rule in all_rules() if rule.startswith(BAND)} - broken == {"SM227"}
