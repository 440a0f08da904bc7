"""Band 4 on a real engine: each broken image breaks exactly its rules, and conforming ones break none."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from sm_contracts import Limits, SamplePayload, Severity, Status, check
from sm_contracts.registry import all_rules

BAND = "SM4"
SAMPLES = Path(__file__).parents[2] / "sample_images"
MULTI_MODEL_BASE = "sm-emulate/broken-multi-model-base"
KEYS = ("a.tar.gz", "teams/b.tar.gz")


@pytest.fixture(scope="session")
def multi_model_base(docker, base_image):
    folder = SAMPLES / "broken/multi-model-base"
    docker(
        "build", "--quiet", "--build-arg", f"BASE_IMAGE={base_image}", "--tag", MULTI_MODEL_BASE, str(folder)
    )
    return MULTI_MODEL_BASE


def archive(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def models(folder, sample):
    """Make a folder of two archives, as small servers here and Multi Model Server read them."""
    for key in KEYS:
        stem = Path(key).name.removesuffix(".tar.gz")
        files = {"words.txt": stem.encode(), f"{stem}.bin": b"named after TargetModel"}
        files |= {"mib": str(sample.get("mib", 0)).encode()}
        if key == KEYS[0]:  # the one that is not loaded over and over
            files |= {"seconds": str(sample.get("seconds", 0)).encode()}
        archive(folder / key, files)
    return folder


def judge(image, sample, folder, **more):
    """Check an image with a folder of models and a sample payload."""
    return check(
        image,
        roles=["multi-model"],
        model=models(folder / "models", sample),
        payload=SamplePayload(body=sample["payload"].encode(), content_type=sample["content_type"]),
        limits=Limits(**sample.get("limits", {})),
        select=["SM0", BAND],
        **more,
    )


def of_status(verdict, status):
    return {result.id: result.message for result in verdict.rules if result.status is status}


def failed(verdict):
    return of_status(verdict, Status.FAIL)


def undecided(verdict):
    return of_status(verdict, Status.INCONCLUSIVE)


@pytest.mark.engine
def test_a_broken_image_breaks_exactly_its_rules(
    broken_in_band, docker, multi_model_base, expectation, tmp_path
):
    folder = SAMPLES / "broken" / broken_in_band
    expected = expectation(f"broken/{broken_in_band}")
    tag = f"sm-emulate/broken-{broken_in_band.lower()}"
    docker(
        "build", "--quiet", "--build-arg", f"MULTI_MODEL_BASE={multi_model_base}", "--tag", tag, str(folder)
    )
    found = failed(judge(tag, expected["multi-model"], tmp_path))
    assert set(found) == set(expected["breaks"]), found


@pytest.mark.engine
def test_the_server_that_they_stand_on_breaks_nothing(multi_model_base, expectation, tmp_path):
    verdict = judge(multi_model_base, expectation("broken/multi-model-base")["multi-model"], tmp_path)
    assert (failed(verdict), undecided(verdict)) == ({}, {})


@pytest.mark.engine
@pytest.mark.parametrize("name", ["multi_model", "multi_model_server"])
def test_a_sample_image_breaks_what_it_says(name, sample_image, expectation, tmp_path):
    expected = expectation(name)
    verdict = judge(sample_image(name), expected["multi-model"], tmp_path)
    assert set(failed(verdict)) == set(expected["breaks"]), failed(verdict)
    assert set(undecided(verdict)) == set(expected["multi-model"]["undecided"]), undecided(verdict)


@pytest.mark.engine
def test_without_a_model_only_what_needs_none_is_judged(multi_model_base):
    verdict = check(multi_model_base, roles=["multi-model"], select=[BAND])
    assert set(of_status(verdict, Status.PASS)) == {"SM401", "SM402", "SM403", "SM406"}
    assert "--model FOLDER" in undecided(verdict)["SM404"]


def test_every_rule_has_an_image_that_breaks_it():
    broken = {folder.name[:5] for folder in SAMPLES.glob(f"broken/{BAND}*")}
    assert {rule for rule in all_rules() if rule.startswith(BAND)} == broken


def test_the_weight_of_each_rule_is_as_published():
    warnings = {rule.id for rule in all_rules().values() if rule.severity is Severity.WARNING}
    assert {each for each in warnings if each.startswith(BAND)} == {"SM409", "SM410", "SM411"}
