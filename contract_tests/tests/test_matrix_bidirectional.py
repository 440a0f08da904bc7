"""The rules about bidirectional streams on a real engine: each broken image breaks exactly its rules, samples none."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_contracts import Limits, SamplePayload, Status, check
from sm_contracts.registry import all_rules

BAND = "SM62"
SAMPLES = Path(__file__).parents[2] / "sample_images"
BROKEN = sorted(folder.name for folder in SAMPLES.glob(f"broken/{BAND}[0-9]-*"))
BASE = "sm-emulate/broken-bidirectional-base"


@pytest.fixture(scope="session")
def bidirectional_base(docker, base_image):
    folder = SAMPLES / "broken/bidirectional-base"
    docker("build", "--quiet", "--build-arg", f"BASE_IMAGE={base_image}", "--tag", BASE, str(folder))
    return BASE


def judge(image, folder, expected):
    """Check an image as its expect.toml says."""
    given = expected["serve"]
    return check(
        image,
        roles=["bidirectional"],
        payload=SamplePayload(
            body=(folder / given["payload"]).read_bytes(), content_type=given["content_type"]
        ),
        select=["SM0", BAND],
    )


def said(verdict, status):
    return {result.id: result.message for result in verdict.rules if result.status is status}


@pytest.mark.engine
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_breaks_exactly_its_rules(name, docker, bidirectional_base, base_image, expectation):
    folder = SAMPLES / "broken" / name
    expected = expectation(f"broken/{name}")
    tag = f"sm-emulate/broken-{name.lower()}"
    arguments = [f"BIDIRECTIONAL_BASE={bidirectional_base}"]
    if "BASE_IMAGE" in (folder / "Dockerfile").read_text():
        arguments.append(f"BASE_IMAGE={base_image}")
    words = [word for argument in arguments for word in ("--build-arg", argument)]
    docker("build", "--quiet", *words, "--tag", tag, str(folder))
    verdict = judge(tag, folder, expected)
    found = said(verdict, Status.FAIL)
    assert set(found) == set(expected["breaks"]), found
    undecided = {"SM623", "SM624"} if "SM622" in found else set()
    assert set(said(verdict, Status.INCONCLUSIVE)) == undecided


@pytest.mark.engine
def test_the_server_that_they_stand_on_keeps_every_rule(bidirectional_base, expectation):
    expected = expectation("broken/bidirectional-base")
    verdict = judge(bidirectional_base, SAMPLES / "broken/bidirectional-base", expected)
    assert set(said(verdict, Status.PASS)) == {"SM001", "SM002", "SM621", "SM622", "SM623", "SM624"}


@pytest.mark.engine
def test_the_sample_keeps_every_rule(sample_image, expectation):
    verdict = judge(sample_image("bidirectional"), SAMPLES / "bidirectional", expectation("bidirectional"))
    assert set(said(verdict, Status.PASS)) == {"SM001", "SM002", "SM621", "SM622", "SM623", "SM624"}


@pytest.mark.engine
def test_a_message_that_is_not_understood_decides_nothing_and_the_label_tells_the_role(bidirectional_base):
    verdict = check(bidirectional_base, select=[BAND])
    assert {"bidirectional", "serve"} <= set(verdict.roles)
    assert "the label bidirectional-streaming" in verdict.roles_found_by
    assert said(verdict, Status.FAIL) == {}
    undecided = said(verdict, Status.INCONCLUSIVE)
    assert set(undecided) == {"SM623"}
    assert "code 1007 (not JSON)" in undecided["SM623"]
    assert "give --data" in undecided["SM623"]


@pytest.mark.engine
def test_a_container_that_is_never_healthy_leaves_all_but_the_label_undecided(
    docker, bidirectional_base, tmp_path
):
    (tmp_path / "Dockerfile").write_text(
        f"FROM {bidirectional_base}\nRUN sed -i s:/ping:/pong: conversing.py\n"
    )
    docker("build", "--quiet", "--tag", "sm-emulate/broken-bidirectional-never-ready", str(tmp_path))
    verdict = check(
        "sm-emulate/broken-bidirectional-never-ready",
        roles=["bidirectional"],
        limits=Limits(startup_timeout_s=2.0),
        select=[BAND],
    )
    assert set(said(verdict, Status.INCONCLUSIVE)) == {"SM622", "SM623", "SM624"}
    assert said(verdict, Status.FAIL) == {}


def test_every_rule_has_an_image_that_breaks_it():
    assert {name[:5] for name in BROKEN} == {rule for rule in all_rules() if rule.startswith(BAND)}
