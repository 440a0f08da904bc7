"""A folder that a running container writes to, uploaded all the while in a thread of its own."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import Warned
from sm_emulate.lifecycle.companion import Companion, PlatformFailure
from sm_emulate.spec import wordings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sm_emulate.events import Event
    from sm_emulate.storage.mirror import Mirror

PERIOD_SECONDS = 1.0
"""Between two looks at the folder; one with so many files that a look takes long is looked at less often."""
_SHARE = 50
"""Its files are listed for one part in so many of the time. Uploads and whatever else follows do not count."""
_OWN_SECONDS = 5.0
"""So often at most a running container's files are handed to the calling user."""
_LAST_LOOKS = 3


class Uploader:
    """Looks at a folder again and again, from `begin` to `end`.

    Args:
        mirror: the folder, and where its files go.
        hand_back: has what a container made as root in a folder belong to the calling user; may raise MachineError.
        publish: hears what goes wrong on the way.
    """

    def __init__(
        self, mirror: Mirror, *, hand_back: Callable[[Path], None], publish: Callable[[Event], None]
    ) -> None:
        self.mirror, self._hand_back, self._publish = mirror, hand_back, publish
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._owned_at = 0.0
        self._told: str | None = None
        self._ended = False

    def begin(self) -> None:
        """Start the thread."""
        name = f"upload {self.mirror.folder.name}"
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        self._thread.start()

    def end(self) -> str | None:
        """Look a last time; give what could not be done. Only the first call does anything."""
        if self._ended or self._thread is None:
            return None
        self._ended = True
        self._over.set()
        self._thread.join()
        for _ in range(_LAST_LOOKS):
            if self.mirror.look(settled=False):
                return None
            self._own(at_once=True)
        trouble = self.mirror.trouble
        return "files cannot be read" if trouble is None else trouble.what

    def _live(self) -> None:
        pause = PERIOD_SECONDS
        while not self._over.wait(pause):
            self.mirror.look()
            if self.mirror.trouble is not None:
                self._warn(f"{self.mirror.trouble.what}; it is tried again")
            if self.mirror.closed:
                self._own()
            pause = max(PERIOD_SECONDS, _SHARE * self.mirror.scan_seconds)

    def _own(self, *, at_once: bool = False) -> None:
        if at_once or time.monotonic() - self._owned_at > _OWN_SECONDS:
            self._owned_at = time.monotonic()
            try:
                self._hand_back(self.mirror.folder)
            except SmEmulateError as error:
                self._warn(error.what)

    def _warn(self, words: str) -> None:
        if words != self._told:
            self._told = words
            self._publish(Warned(message=words))


class UploadedFolder(Companion):
    """One folder of a job, uploaded from every host all the while.

    Args:
        hosts: the uploader of each host's.
        left_out: says which host's file was not uploaded, and why.
        publish: hears that.
    """

    def __init__(
        self,
        hosts: Mapping[str, Uploader],
        *,
        left_out: Callable[[str, str, str], str],
        publish: Callable[[Event], None],
    ) -> None:
        self._hosts, self._left_out, self._publish = hosts, left_out, publish

    def started(self, host: str, container: str) -> None:
        """Begin to upload what the host writes."""
        del container
        self._hosts[host].begin()

    def finish(self) -> None:
        """Upload the rest.

        Raises:
            PlatformFailure: the store has not taken it; the files stay in the run folder.
        """
        for host, each in self._hosts.items():
            if (trouble := each.end()) is not None:
                raise PlatformFailure(wordings.upload_failed(trouble))
            for name, reason in each.mirror.left_out.items():
                self._publish(Warned(message=self._left_out(name, host, reason)))
            self._uploaded(each.mirror)

    def close(self) -> None:
        """Upload the rest if nobody has asked for it: the job ends in disorder."""
        for each in self._hosts.values():
            each.end()

    def _uploaded(self, mirror: Mirror) -> None:
        """Hear that all of a host's folder was taken."""
