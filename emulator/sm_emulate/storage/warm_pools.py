"""What warm pools leave on disk between two jobs.

    <home>/warm-pools/<id>/pool.json, cache/<host>/

The job that has a pool holds the lock of its `owner` file; the kernel lets go of it however the process ends. A pool
whose lock is free and that waits for nobody is of no more use.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sm_emulate.storage.run_folder import OWNER, RunFolder, locked, owning
from sm_emulate.storage.trouble import told
from sm_emulate.storage.walk import delete_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER = "warm-pools"


@dataclass(frozen=True)
class PoolFolder:
    """One pool's folder."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    def cache(self, host: str) -> Path:
        """What a host sees as its warm pool cache."""
        return self.path / "cache" / host

    @property
    def in_use(self) -> bool:
        """Whether a job that lives has it."""
        return RunFolder(self.path, "training-jobs").owner_pid() is not None

    def read(self) -> dict[str, Any]:
        """Give what was last written down; empty if nothing was."""
        try:
            found = json.loads((self.path / "pool.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, facts: Mapping[str, Any]) -> None:
        """Write it down; a reader sees the old or the new."""
        draft = self.path / ".pool.json.new"
        draft.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        draft.replace(self.path / "pool.json")

    @property
    def available(self) -> bool:
        """Whether it waits for a job, and its time is not over."""
        return not self.in_use and float(self.read().get("Until") or 0) > time.time()

    def delete(self) -> None:
        """Remove the folder. May raise OSError."""
        delete_tree(self.path)


class WarmPools:
    """All pools of one home folder."""

    def __init__(self, home: Path) -> None:
        self.home, self._folder = home, home / FOLDER

    def all(self) -> list[PoolFolder]:
        """Every pool, also those that are of no more use."""
        try:
            entries = list(os.scandir(self._folder))
        except FileNotFoundError:
            return []
        return sorted(
            (PoolFolder(Path(entry.path)) for entry in entries if entry.is_dir(follow_symlinks=False)),
            key=lambda pool: pool.id,
        )

    def find(self, pool: str) -> PoolFolder | None:
        """Give the pool of that id, if it is there."""
        found = PoolFolder(self._folder / pool)
        return found if found.path.is_dir() else None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from taking or removing pools meanwhile."""
        with told("the warm pools cannot be used", self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            with locked(self._folder / ".lock"):
                yield

    @contextmanager
    def holding(self, pool: PoolFolder) -> Iterator[None]:
        """Hold a pool for this process. Begin it while `alone`."""
        with owning(pool.path):
            yield
            (pool.path / OWNER).unlink(missing_ok=True)

    def new(self) -> PoolFolder:
        """Make a pool's folder. Do it while `alone`."""
        pool = PoolFolder(self._folder / secrets.token_hex(6))
        with told("the warm pool cannot be made", pool.path):
            pool.path.mkdir()
        return pool

    def gone(self) -> None:
        """Remove the folder of all pools if there is none."""
        if not self.all():
            with suppress(OSError):
                (self._folder / ".lock").unlink(missing_ok=True)
                self._folder.rmdir()
