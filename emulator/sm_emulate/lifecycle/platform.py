"""Which SageMaker is emulated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sm_emulate.spec.profiles import DEFAULT_PROFILE, PlatformProfile
from sm_emulate.spec.settings import Settings
from sm_emulate.storage.s3_place import S3Place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Its date, its unsure points, and whose account it is. All have defaults."""

    profile: PlatformProfile = DEFAULT_PROFILE
    settings: Settings = field(default_factory=lambda: Settings(DEFAULT_PROFILE))
    region: str = "us-east-1"
    account: str = "123456789012"
    s3: S3Place = field(default_factory=S3Place)
    credentials: Literal["auto", "none"] = "auto"
    """Whether containers are given temporary keys where they look for their role's."""
    file_systems: Mapping[str, Path] = field(default_factory=dict)
    """The local folder that stands for each EFS or FSx for Lustre file system, by FileSystemId."""
