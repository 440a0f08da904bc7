"""Every image that breaks a training rule breaks exactly that rule on a real engine; the samples break none."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from sm_contracts import Limits
from sm_contracts.check import check

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest itself needs it there

pytestmark = pytest.mark.engine

SAMPLES = Path(__file__).parents[2] / "sample_images"
BROKEN = sorted(folder.name for folder in SAMPLES.glob("broken/SM2*"))
CONFORMING = ["basic_training", "decision_trees", "toolkit_script_mode"]


@pytest.fixture
def broken_image(docker, base_image):
    @contextmanager
    def build(name):
        tag = f"sm-emulate/broken-{name.lower()}"
        docker(
            "build", "--build-arg", f"BASE_IMAGE={base_image}", "--tag", tag, str(SAMPLES / "broken" / name)
        )
        yield tag

    return build


def judge(folder, tag):
    expected = tomllib.loads((folder / "expect.toml").read_text())
    sample = expected["train"]
    channels = []
    for name, given in sample.get("channels", {}).items():
        path, comma, options = given.partition(",")
        channels.append(f"{name}={(folder / path).resolve()}{comma}{options}")
    verdict = check(
        tag,
        roles=["train"],
        channels=channels,
        hyperparameters=sample.get("hyperparameters"),
        metrics=[f"{name}={regex}" for name, regex in sample.get("metrics", {}).items()],
        limits=Limits(**sample.get("limits", {})),
        select=["SM0", "SM2"],
    )
    return expected, verdict


def failed(verdict):
    return {result.id: result.message for result in verdict.rules if result.status.value == "fail"}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_breaks_exactly_its_rule(name, broken_image):
    with broken_image(name) as tag:
        expected, verdict = judge(SAMPLES / "broken" / name, tag)
    found = failed(verdict)
    assert set(found) == set(expected["breaks"]), found


@pytest.mark.parametrize("name", CONFORMING)
def test_a_sample_breaks_no_rule_but_those_it_names(name, sample_image):
    expected, verdict = judge(SAMPLES / name, sample_image(name))
    found = failed(verdict)
    entailed = set(expected.get("entails", ()))
    assert {rule for rule in found if rule.startswith(("SM0", "SM2"))} - entailed == set(
        expected["breaks"]
    ), found
    assert verdict.judgement == "pass"


def test_every_rule_has_an_image_that_breaks_it():
    from sm_contracts.registry import all_rules

    broken = {name[:5] for name in BROKEN}
    # nothing can leave a GPU alone where there is none
    assert {rule for rule in all_rules() if rule.startswith("SM2")} - broken == {"SM227"}
