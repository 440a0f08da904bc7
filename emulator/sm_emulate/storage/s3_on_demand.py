"""The embedded S3, served over HTTP from the first time that somebody asks where."""

from __future__ import annotations

import secrets
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sm_emulate.storage.embedded_s3 import ACCESS_KEY, serving
from sm_emulate.storage.s3_place import S3Place

if TYPE_CHECKING:
    from pathlib import Path


class S3OnDemand:
    """Serves the folder with keys that are good for this one job. Any thread may ask.

    Args:
        folder: each folder in it is a bucket.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._secret_key = secrets.token_hex(20)
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._address: tuple[str, int] | None = None

    @property
    def place(self) -> S3Place:
        """The keys that clients must sign with."""
        return S3Place(access_key=ACCESS_KEY, secret_key=self._secret_key, folder=self._folder)

    def address(self) -> tuple[str, int]:
        """Say where it is served, from now on until `close`.

        Raises:
            MachineError: it cannot be served here.
        """
        with self._lock:
            if self._address is None:
                place = self._open.enter_context(serving(self._folder, secret_key=self._secret_key))
                parts = urlsplit(place.endpoint_url or "")
                self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
            return self._address

    def close(self) -> None:
        """Serve no more, if it ever was."""
        with self._lock:
            self._address = None
            self._open.close()
