"""What is checked: an image, the roles it is checked for, and the sample input that the user gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sm_contracts.roles import SERVING, Role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class SamplePayload:
    """A request body that the image is known to understand."""

    body: bytes
    content_type: str | None = None
    accept: str | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingSample:
    """What a training run is given."""

    channels: tuple[str, ...] = ()
    """As `--channel` takes them: NAME=PATH[,OPTION=VALUE...]."""
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    metrics: tuple[str, ...] = ()
    """As `--metric` takes them: NAME=REGEX."""


@dataclass(frozen=True, kw_only=True)
class ProcessingSample:
    """What a processing run is given."""

    inputs: tuple[str, ...] = ()
    """As `--input` takes them: NAME=PATH[,OPTION=VALUE...]."""
    outputs: tuple[str, ...] = ()
    """As `--processing-output` takes them, without a folder: NAME[,from=LOCAL_PATH]."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long probes wait, in seconds; the defaults are SageMaker's own, or shorter where only we would wait."""

    startup_timeout_s: float = 480.0
    """For the first healthy ping."""
    train_stop_grace_s: float = 120.0
    """Of processing, too."""
    serve_stop_grace_s: float = 30.0
    slow_body_s: float = 7.5
    """Over which a request body is sent slowly; most of it is one pause."""
    stream_s: float = 480.0
    """For the whole of a streamed answer."""
    train_timeout_s: float = 600.0
    """For one run of training or processing on the sample data; a longer one makes its rules inconclusive."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One image under examination."""

    image: str
    """A reference or id that the engine knows."""
    roles: frozenset[Role]
    roles_found_by: str
    """How the roles are known: asked for, or found from what."""
    archive: Path | None = None
    """The archive that the image was loaded from; None if it was not."""
    training: TrainingSample = field(default_factory=TrainingSample)
    processing: ProcessingSample = field(default_factory=ProcessingSample)
    model: Path | None = None
    """Folder or .tar.gz for /opt/ml/model; None if no model data was given."""
    payload: SamplePayload | None = None
    """None makes the rules about answers inconclusive."""
    serving_environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    instance_type: str = "ml.m5.large"
    gpus: str = "auto"
    network_isolation: bool = False
    """The user means to run it isolated: needing a network is then an error."""
    limits: Limits = field(default_factory=Limits)

    @property
    def trains(self) -> bool:
        return Role.TRAIN in self.roles

    @property
    def serves(self) -> bool:
        return bool(self.roles & set(SERVING))
