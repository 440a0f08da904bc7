"""An S3 of our own: buckets are folders of this machine, served over HTTP while something needs it that way."""

from __future__ import annotations

import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sm_emulate.storage.attached_program import AttachedProgram
from sm_emulate.storage.rclone import rclone, rclone_environ
from sm_emulate.storage.s3_place import S3Place
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCESS_KEY = "sm-emulate"
READY_SECONDS = 20.0
_STARTED = re.compile(r"Starting s3 server on \[?(https?://[^\s\]]+)")


@contextmanager
def serving(
    folder: Path, *, address: str = "127.0.0.1", access_key: str = ACCESS_KEY, secret_key: str | None = None
) -> Iterator[S3Place]:
    """Serve the embedded S3 over HTTP; when this process ends, however it does, the server ends.

    Args:
        folder: each folder in it is a bucket; it is made if need be.
        address: where the server listens, on a port that the kernel chooses.
        access_key: what clients must sign with.
        secret_key: likewise; a random one by default, since other users of this machine reach the address, too.

    Raises:
        MachineError: rclone is not installed, or cannot listen there.
    """
    program = rclone("the embedded S3")
    secret_key = secret_key or secrets.token_hex(20)
    with told("the folder of the embedded S3 cannot be made", folder):
        folder.mkdir(parents=True, exist_ok=True)
    listening = f"[{address}]:0" if ":" in address else f"{address}:0"
    server = AttachedProgram(
        # what we put into the folders ourselves has to be seen at once
        [program, "serve", "s3", "--addr", listening, "--dir-cache-time", "0s", str(folder)],
        environ=rclone_environ() | {"RCLONE_AUTH_KEY": f'"{access_key},{secret_key}"'},
    )
    try:
        url = server.wait_for(lambda: _url(server.last_lines), seconds=READY_SECONDS)
        yield S3Place(endpoint_url=url, access_key=access_key, secret_key=secret_key, folder=folder)
    finally:
        server.close()


def _url(lines: list[str]) -> str | None:
    return next((found[1].rstrip("/") for line in lines if (found := _STARTED.search(line))), None)
