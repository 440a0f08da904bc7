"""What every call that runs something has around it: the home of its run, and the folder that an early end removes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from sm_emulate.storage.runs import Runs, default_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sm_emulate.errors import SmEmulateError
    from sm_emulate.storage.run_folder import RunFolder


class Runnable(Protocol):
    """A job or an endpoint."""

    @property
    def run_folder(self) -> RunFolder: ...

    @property
    def began(self) -> bool:
        """Whether a container was ever started."""


def runs_at(home: Path | None) -> Runs:
    """Give the runs of a home; that of SM_EMULATE_HOME, or in the user's state folder, by default."""
    return Runs(home.absolute() if home else default_home(os.environ))


@contextmanager
def forgotten_unless_begun(run: Runnable, *errors: type[SmEmulateError]) -> Iterator[None]:
    """Have the run folder removed if one of these errors ends the `with` before any container was started.

    There is no run to look at then: the error says it all.
    """
    try:
        yield
    except errors:
        if not run.began:
            run.run_folder.forget()
        raise
