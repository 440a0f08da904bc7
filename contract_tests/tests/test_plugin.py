"""`pytest --sm-image IMAGE`, and the fixtures for tests of one's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(pytester, monkeypatch):
    """An empty project in which sm-emulate is installed."""
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'emulator'}{os.pathsep}{ROOT / 'contract_tests'}")
    monkeypatch.setenv("SM_EMULATE_HOME", str(pytester.path / "home"))
    installed = any(found.value == "sm_contracts.plugin" for found in _entry_points())
    pytester.plugins = []
    pytester.run_words = [] if installed else ["-p", "sm_contracts.plugin"]
    return pytester


def _entry_points():
    from importlib.metadata import entry_points

    return entry_points(group="pytest11")


def run(project, *words):
    return project.runpytest_subprocess(*project.run_words, "-p", "no:cacheprovider", *words)


def test_without_an_image_the_plugin_adds_nothing(project):
    project.makepyfile("def test_mine(): assert True")
    result = run(project)
    result.assert_outcomes(passed=1)


def test_collects_one_item_for_each_rule_with_nothing_else_in_the_project(project):
    result = run(project, "--sm-image", "any", "--collect-only", "-q")
    lines = [line for line in result.outlines if "SM" in line]
    assert any("SM001-rule-crashed" in line for line in lines)
    assert result.ret == 0


def test_select_and_ignore_choose(project):
    result = run(
        project, "--sm-image", "any", "--sm-select", "SM0", "--sm-ignore", "SM001", "--collect-only", "-q"
    )
    assert [line for line in result.outlines if "SM0" in line] == ["any::SM002-probe-crashed"]


def test_an_unknown_rule_is_a_usage_error_with_a_suggestion(project):
    result = run(project, "--sm-image", "any", "--sm-select", "probe-crahsed")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "did you mean probe-crashed?" in result.stderr.str() + result.stdout.str()


@pytest.mark.engine
def test_an_image_is_checked_once_and_each_rule_has_its_outcome(project, sample_image):
    image = sample_image("basic_training")
    result = run(
        project,
        "--sm-image",
        image,
        "--sm-role",
        "train",
        "--sm-select",
        "SM104",
        "--sm-select",
        "SM304",
        "-rs",
    )
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*not checked for the role*"])


@pytest.mark.engine
def test_a_broken_rule_fails_with_evidence_fix_and_page(project, base_image):
    result = run(project, "--sm-image", base_image, "--sm-role", "train", "--sm-select", "SM104")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*SM104 program-not-found (error)*", "*fix:*", "*see: https://*"])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.engine
def test_the_check_is_made_once_under_xdist(project, sample_image):
    image = sample_image("basic_training")
    result = run(
        project,
        "--sm-image",
        image,
        "--sm-role",
        "train",
        "--sm-select",
        "SM103",
        "--sm-select",
        "SM104",
        "-n",
        "2",
    )
    result.assert_outcomes(passed=2)


@pytest.mark.engine
def test_an_image_that_is_not_there_is_told_without_a_traceback(project):
    result = run(project, "--sm-image", "sm-emulate.invalid/no-such-image:1", "--sm-select", "SM103")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the image is not on this engine and cannot be pulled*"])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.engine
def test_fixtures_train_serve_and_invoke_any_image(project, sample_image):
    image = sample_image("decision_trees")
    iris = ROOT / "fixtures" / "iris"
    project.makepyfile(
        f"""
        import requests

        def test_model_answers(sm_training_job, sm_endpoint):
            job = sm_training_job({image!r}, channels={{"training": {str(iris / "train.csv")!r}}})
            assert job.status.value == "Completed", job.failure_reason
            endpoint = sm_endpoint({image!r}, model=job.model_archive)
            payload = open({str(iris / "payload.csv")!r}, "rb").read()
            answer = endpoint.invoke(payload, content_type="text/csv")
            assert answer.body.splitlines()[0] == b"setosa"
            direct = requests.post(endpoint.invocations_url, data=payload, headers={{"Content-Type": "text/csv"}})
            assert direct.content == answer.body
        """
    )
    result = run(project)
    result.assert_outcomes(passed=1)
