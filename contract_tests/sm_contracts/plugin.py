"""The pytest plugin: `pytest --sm-image IMAGE` has one test per rule, and fixtures for tests of your own.

It is loaded wherever sm-emulate is installed, so that it imports nothing of the rest until it is asked to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_contracts.fixtures import EndpointFactory, TrainingFactory
    from sm_emulate.api import Engine

_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--sm-image", {"metavar": "IMAGE", "help": "Check this image: one test for each rule of the contract."}),
    (
        "--sm-role",
        {"action": "append", "default": [], "metavar": "ROLE", "help": "train, serve ... (repeatable)."},
    ),
    (
        "--sm-channel",
        {"action": "append", "default": [], "metavar": "NAME=PATH", "help": "Sample training data."},
    ),
    (
        "--sm-input",
        {"action": "append", "default": [], "metavar": "NAME=PATH", "help": "Sample data of processing."},
    ),
    (
        "--sm-processing-output",
        {"action": "append", "default": [], "metavar": "NAME", "help": "What processing is to leave."},
    ),
    (
        "--sm-hyperparameter",
        {"action": "append", "default": [], "metavar": "KEY=VALUE", "help": "For training."},
    ),
    (
        "--sm-environment",
        {"action": "append", "default": [], "metavar": "KEY=VALUE", "help": "For containers."},
    ),
    ("--sm-model", {"metavar": "PATH", "help": "Folder or .tar.gz for /opt/ml/model."}),
    ("--sm-data", {"metavar": "TEXT|@FILE", "help": "A payload that the image understands."}),
    ("--sm-content-type", {"metavar": "TYPE", "help": "MIME type of the payload."}),
    ("--sm-accept", {"metavar": "TYPE", "help": "MIME type that is wanted back."}),
    (
        "--sm-select",
        {"action": "append", "default": [], "metavar": "ID", "help": "Only these rules, such as SM3."},
    ),
    ("--sm-ignore", {"action": "append", "default": [], "metavar": "ID", "help": "Not these rules."}),
    (
        "--sm-fail-on",
        {"default": "error", "choices": ["error", "warning", "info"], "help": "What fails a test."},
    ),
    ("--sm-startup-timeout", {"type": float, "metavar": "SECONDS", "help": "For the first healthy ping."}),
    ("--sm-stop-grace", {"type": float, "metavar": "SECONDS", "help": "Between SIGTERM and SIGKILL."}),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, in a group of their own."""
    group = parser.getgroup("sm-emulate", "SageMaker contract tests (sm-emulate)")
    for name, settings in _OPTIONS:
        group.addoption(name, **settings)


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker that every contract test carries."""
    config.addinivalue_line("markers", "sm_rule(id): a rule of the SageMaker contract (sm-emulate)")


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the rules behind the project's own tests."""
    if config.getoption("--sm-image"):
        from sm_contracts.items import contract_items

        items.extend(contract_items(session))


@pytest.fixture(scope="session")
def sm_engine() -> Iterator[Engine]:
    """The container engine, as `sm_emulate.api` knows it: the first that answers."""
    import os

    from sm_emulate import api

    engine = api.connect(environ=os.environ)
    yield engine
    engine.close()


@pytest.fixture
def sm_training_job(sm_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> TrainingFactory:
    """Run a training job and get its result: `sm_training_job(image, channels={"train": "data"})`.

    Runs lie in pytest's temporary folder. Arguments as `sm_emulate.api.training_request` and `train`.
    """
    from sm_contracts.fixtures import TrainingFactory

    return TrainingFactory(engine=sm_engine, home=tmp_path_factory.mktemp("sm-training"))


@pytest.fixture
def sm_endpoint(sm_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointFactory]:
    """Start an endpoint and get it in service: `sm_endpoint(image, model="model.tar.gz").invoke(b"...")`.

    Every endpoint is stopped when the test is over. Arguments as `sm_emulate.api.endpoint_request` and `serve`.
    """
    from sm_contracts.fixtures import EndpointFactory

    with EndpointFactory(engine=sm_engine, home=tmp_path_factory.mktemp("sm-endpoint")) as factory:
        yield factory
