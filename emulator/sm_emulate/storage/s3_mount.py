"""S3 as a folder whose files are fetched when they are read: FastFile channels."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sm_emulate.storage.attached_program import AttachedProgram
from sm_emulate.storage.mounts import is_mounted, unmount
from sm_emulate.storage.rclone import INSTALL, found_rclone, rclone, rclone_environ
from sm_emulate.storage.s3_uri import bucket_and_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sm_emulate.storage.s3_store import S3Store

READY_SECONDS = 30.0
_FUSE = Path("/dev/fuse")
_FUSE_CONF = Path("/etc/fuse.conf")


def why_not() -> str | None:
    """Say why S3 cannot be mounted on this machine; None where it can."""
    if sys.platform != "linux" or not _FUSE.exists():
        return "this machine has no /dev/fuse"
    if found_rclone() is None:
        return f"rclone is not installed ({INSTALL})"
    if shutil.which("fusermount3") is None and shutil.which("fusermount") is None:
        return "fusermount3 is not installed (apt-get install fuse3)"
    if not os.access(_FUSE, os.R_OK | os.W_OK):
        return "you may not use /dev/fuse"
    if os.geteuid() != 0 and not _others_allowed():
        return f"{_FUSE_CONF} has no line user_allow_other, without which the engine cannot see your mounts"
    return None


def _others_allowed() -> bool:
    try:
        lines = _FUSE_CONF.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return "user_allow_other" in [line.strip() for line in lines]


@contextmanager
def mounted(
    store: S3Store, folder: str, target: Path, *, only: Sequence[str] | None = None
) -> Iterator[None]:
    """Mount a folder of S3, read-only; it is unmounted at the end, or when this process ends.

    Args:
        store: where it lies.
        folder: `s3://BUCKET/KEY/`.
        target: an empty folder of this machine.
        only: show these files only, by their paths below `folder`.

    Raises:
        MachineError: it cannot be mounted.
    """
    bucket, key = bucket_and_key(folder)
    command = [
        rclone("FastFile mode"),
        "mount",
        f":s3:{bucket}/{key.rstrip('/')}",
        str(target),
        "--read-only",
    ]
    command += ["--allow-other", "--dir-perms", "0755", "--file-perms", "0644", "--use-server-modtime"]
    # the objects of a job do not change while it runs
    command += ["--dir-cache-time", "24h", "--attr-timeout", "1h", "--poll-interval", "0"]
    command += [
        "--vfs-cache-mode",
        "off",
        "--vfs-read-chunk-size",
        "16M",
        "--buffer-size",
        "4M",
        "--config",
        "",
    ]
    names = target.with_name(f".{target.name}.names")
    if only is not None:
        names.write_text("".join(f"{name}\n" for name in only), encoding="utf-8")
        command += ["--files-from-raw", str(names)]
    program = AttachedProgram(command, environ=rclone_environ() | _keys(store, bucket))
    try:
        program.wait_for(lambda: "ready" if is_mounted(target) else None, seconds=READY_SECONDS)
        yield
    finally:
        program.close()
        unmount(target)
        names.unlink(missing_ok=True)


def _keys(store: S3Store, bucket: str) -> dict[str, str]:
    """Give rclone what boto3 knows; credentials that end before the job does are left for rclone to renew."""
    url, region, keys = store.connection(bucket)
    environ = {
        "RCLONE_S3_PROVIDER": "AWS" if "amazonaws.com" in url else "Other",
        "RCLONE_S3_ENDPOINT": "" if "amazonaws.com" in url else url,
        "RCLONE_S3_REGION": region or "us-east-1",
        "RCLONE_S3_NO_CHECK_BUCKET": "true",
        "RCLONE_S3_LIST_VERSION": "2",
    }
    if keys is None:
        return environ | {"RCLONE_S3_ENV_AUTH": "true"}
    return environ | {"RCLONE_S3_ACCESS_KEY_ID": keys[0], "RCLONE_S3_SECRET_ACCESS_KEY": keys[1]}
