"""What can be known of an image without running it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_contracts.roles import Role


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """What the image is meant for."""

    roles: frozenset[Role]
    instance_type: str = "ml.m5.large"
    model_given: bool = False
    """Model data comes with it, so /opt/ml/model is mounted when it serves."""


@dataclass(frozen=True, kw_only=True)
class Named:
    """How the user named the image."""

    text: str
    kind: Literal["reference", "id", "archive"] = "reference"


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The image's own configuration."""

    os: str = "linux"
    architecture: str = "amd64"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    size_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class History:
    """The instructions that made it, the oldest first, in the builder's words."""

    steps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a registry is given when it is pushed, or holds already."""

    where: str
    """`the registry`, the engine's store, or the archive's name."""
    media_types: tuple[str, ...]
    """Of the manifest, or of the index and the manifests in it."""
    platforms: tuple[str, ...] = ()
    """`linux/amd64` ..., one for each entry of an index; `unknown/unknown` is an attestation."""


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A script's first line, and where it leads."""

    line: str
    ends_in_cr: bool = False
    path: str = ""
    found: bool = True
    behind_env: str = ""
    """The program that `/usr/bin/env` is to find."""
    behind_env_found: bool = True


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program as the engine looks for it in the image."""

    word: str
    """As it stands on the command line: `train`, `/opt/run.sh`."""
    path: str = ""
    """Where it was found; empty if it is not in the image."""
    real_path: str = ""
    """The file at the end of all links."""
    executable: bool = True
    kind: Literal["script", "binary", "text", "empty"] = "binary"
    interpreter: Interpreter | None = None
    """Of a script."""
    searched: tuple[str, ...] = ()
    """The folders that were searched."""

    @property
    def found(self) -> bool:
        return bool(self.path)


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A command line that the platform makes of the image, `ENTRYPOINT train` or `ENTRYPOINT serve`."""

    word: Literal["train", "serve"]
    argv: tuple[str, ...]
    program: Program
    """The first word."""
    from_entrypoint: bool = False
    init: str = ""
    """The first word's name where it is an init such as tini, which runs what follows."""
    behind_init: Program | None = None
    """What that init is to run."""


@dataclass(frozen=True, kw_only=True)
class Launches:
    """How the image is run in each of its roles."""

    each: tuple[Launch, ...]


@dataclass(frozen=True, kw_only=True)
class ImageUser:
    """USER, and who that is in the image."""

    name: str
    """As configured; empty is root."""
    uid: int | None
    """None if /etc/passwd does not know the name."""


@dataclass(frozen=True, kw_only=True)
class HiddenFiles:
    """Files where the platform mounts its own folders: folder -> the first few of them."""

    in_folder: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class DriverLibraries:
    """Libraries of the NVIDIA driver: path -> size in bytes. Stubs and CUDA's compatibility package are none."""

    files: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class KeyFiles:
    """Files with credentials: path -> what shows that."""

    files: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class JavaRuntime:
    """A Java runtime in the image."""

    path: str
    """Empty if there is none."""
    sign: str = ""
    """Where `-XX:-UseContainerSupport` was seen; empty if nowhere."""
    looked_at: int = 0
    """In how many files it was looked for."""
