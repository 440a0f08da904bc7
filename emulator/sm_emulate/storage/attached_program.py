"""A program beside us that ends when we do, however we end."""

from __future__ import annotations

import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from sm_emulate.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# the shell's `read` ends when the other end of its stdin is closed, which the kernel does even after SIGKILL
_GUARD = '"$@" & program=$!; exec 2>/dev/null; read -r _; kill "$program"; wait "$program"'
_LINES_KEPT = 20


class AttachedProgram:
    """Runs until `close`, or until this process has ended; Ctrl-C in a terminal does not reach it.

    Args:
        command: the program and its arguments.
        environ: all of its environment.
    """

    def __init__(self, command: Sequence[str], *, environ: Mapping[str, str]) -> None:
        self.name = command[0].rpartition("/")[2]
        self.last_lines: list[str] = []
        """The end of what it wrote on stderr."""
        self._changed = threading.Condition()
        self._silent = False
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=dict(environ),
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"stderr of {self.name}", daemon=True)
        self._reader.start()

    def wait_for(self, ready: Callable[[], str | None], *, seconds: float, step: float = 0.02) -> str:
        """Wait until `ready` gives something, and give that; it is asked after each line and now and then.

        Raises:
            MachineError: the program has ended, or is not ready after `seconds`.
        """
        import time

        deadline = time.monotonic() + seconds
        while True:
            if (found := ready()) is not None:
                return found
            with self._changed:
                if self._silent or time.monotonic() > deadline:
                    break
                self._changed.wait(step)
        raise MachineError(
            f"{self.name} could not be started"
            if self._silent
            else f"{self.name} is not ready after {seconds:g} s",
            evidence=tuple(self.last_lines),
        )

    def close(self) -> None:
        """End it with SIGTERM and wait for its end."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(OSError):
            stdin.close()
        self._process.wait()
        self._reader.join()
        stderr = self._process.stderr
        assert stderr is not None
        stderr.close()

    def _read(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        for line in stderr:
            with self._changed:
                self.last_lines = [*self.last_lines[1 - _LINES_KEPT :], line.rstrip()]
                self._changed.notify_all()
        with self._changed:
            self._silent = True
            self._changed.notify_all()
