"""SageMaker containers as testcontainers' DockerContainers."""

from __future__ import annotations

from pathlib import Path

import pytest

IRIS = Path(__file__).parents[2] / "fixtures" / "iris"

pytestmark = pytest.mark.engine


@pytest.fixture(autouse=True)
def no_reaper(monkeypatch, docker_endpoint):
    """Its reaper is an image of its own, which cannot be pulled everywhere; the tests stop what they start."""
    from testcontainers.core.config import testcontainers_config

    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)
    monkeypatch.setenv("DOCKER_HOST", docker_endpoint)


def test_a_model_is_trained_and_served(sample_image):
    from sm_contracts.testcontainers import ServingContainer, TrainingContainer

    image = sample_image("decision_trees")
    with TrainingContainer(image, channels={"training": IRIS / "train.csv"}) as job:
        assert job.wait_for_exit() == 0, job.failure
        assert any(job.model_folder.iterdir())
        with ServingContainer(image, model=job.model_folder) as endpoint:
            answer = endpoint.invoke((IRIS / "payload.csv").read_bytes(), content_type="text/csv")
            assert answer.status_code == 200
            assert answer.text.splitlines()[0] == "setosa"


def test_a_failure_is_read_where_the_program_wrote_it(sample_image, tmp_path):
    from sm_contracts.testcontainers import TrainingContainer

    (tmp_path / "bad.csv").write_text("no numbers here\n")
    with TrainingContainer(sample_image("decision_trees"), channels={"training": tmp_path}) as job:
        assert job.wait_for_exit() != 0
        assert job.failure
