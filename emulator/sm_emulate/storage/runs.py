"""All runs of one home folder.

    <home>/training-jobs/<name>/
    <home>/processing-jobs/<name>/
    <home>/endpoints/<name>/
    <home>/hyper-parameter-tuning-jobs/<name>/

A new run folder is made under a hidden name, locked, and then renamed: nobody ever sees one without its owner.
"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from sm_emulate.errors import MachineError, RequestError
from sm_emulate.storage.run_folder import NOUNS, Kind, RunFolder, locked, owning
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DRAFT_SECONDS = 60.0
"""A draft that is older and that nobody holds was left by a process that died while it made it."""


def default_home(environ: Mapping[str, str]) -> Path:
    """Where runs are kept: `SM_EMULATE_HOME`, else `sm-emulate` in the user's state folder."""
    if chosen := environ.get("SM_EMULATE_HOME"):
        return Path(chosen).absolute()
    state = environ.get("XDG_STATE_HOME")
    return (Path(state).absolute() if state else Path.home() / ".local" / "state") / "sm-emulate"


def default_cache(environ: Mapping[str, str]) -> Path:
    """Where what can be made again is kept."""
    cache = environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "sm-emulate"


class Runs:
    """All runs of one home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def folder(self, kind: Kind, name: str) -> RunFolder:
        """Name a run's folder, be it there or not."""
        return RunFolder(self.home / kind / name, kind)

    @contextmanager
    def create(self, kind: Kind, name: str) -> Iterator[RunFolder]:
        """Make the folder of a new run and hold it for this process until the end of the `with`.

        A folder in which no request was written by then is removed: nothing was run.

        Raises:
            RequestError: a run of that name is there already.
            MachineError: the folder cannot be made.
        """
        run = self.folder(kind, name)
        draft = run.path.with_name(f".{name}.{secrets.token_hex(4)}")
        try:
            draft.mkdir(parents=True)
            (draft / "logs").mkdir()
        except OSError as failure:
            raise _cannot_make(draft, failure) from failure
        with owning(draft):
            try:
                self._name(draft, run)
            except BaseException:
                RunFolder(draft, kind).delete()
                raise
            try:
                yield run
            finally:
                if not run.request.exists():
                    run.delete()
            run.owner.unlink(missing_ok=True)

    def _name(self, draft: Path, run: RunFolder) -> None:
        """Give a draft its name, which only one run can have."""
        old = RunFolder(draft.with_name(f"{draft.name}.old"), run.kind)
        try:
            with locked(self.home / ".lock"):
                if run.path.exists():
                    if run.kind != "endpoints" or run.owner_pid() is not None:
                        raise self._taken(run)
                    run.path.rename(old.path)  # as after DeleteEndpoint: a name is free again
                draft.rename(run.path)
        except OSError as failure:
            raise _cannot_make(run.path, failure) from failure
        old.delete()

    def _taken(self, run: RunFolder) -> RequestError:
        noun = NOUNS[run.kind]
        return RequestError(
            f"{noun} names are unique and this one is taken",
            value=run.name,
            expected=f"the name of no other {noun} in {self.home}",
            hint=f"choose another name, or remove the old one with `sm-emulate clean {run.name}`"
            if run.owner_pid() is None
            else f"choose another name, or stop the one that runs with `sm-emulate stop {run.name}`",
        )

    def all(self) -> list[RunFolder]:
        """Every run, those first in whose folders something changed last."""
        found: list[tuple[float, RunFolder]] = []
        for run in self._folders():
            if not run.name.startswith("."):
                with suppress(FileNotFoundError):  # removed at this moment
                    found.append((run.path.stat().st_ctime, run))
        return [run for _, run in sorted(found, key=lambda each: each[0], reverse=True)]

    def drafts(self) -> list[RunFolder]:
        """What processes left that died while they made or removed a run folder."""
        found = []
        for run in self._folders():
            with suppress(FileNotFoundError):
                old = time.time() - run.path.stat().st_mtime > DRAFT_SECONDS
                if run.name.startswith(".") and old and run.owner_pid() is None:
                    found.append(run)
        return found

    def _folders(self) -> Iterator[RunFolder]:
        for kind in get_args(Kind):
            folder = self.home / kind
            with told("the runs cannot be listed", folder), suppress(FileNotFoundError):
                for entry in list(os.scandir(folder)):
                    if entry.is_dir(follow_symlinks=False):
                        yield RunFolder(Path(entry.path), kind)

    def find(self, name: str) -> RunFolder:
        """Look a run up by its name, or by kind and name, `training-jobs/NAME`, where two kinds have it.

        Raises:
            RequestError: no such run, or several.
        """
        kinds, _, last = name.rpartition("/")
        found = [run for run in self.all() if run.name == last and kinds in {"", run.kind}]
        if len(found) == 1:
            return found[0]
        if found:
            found.sort(key=lambda run: list(NOUNS).index(run.kind))
            raise RequestError(
                f"{' and '.join(_a(NOUNS[run.kind]) for run in found)} have this name",
                value=name,
                expected=" or ".join(f"{run.kind}/{run.name}" for run in found),
            )
        raise RequestError(
            "there is no run of this name",
            value=name,
            expected="the name of a job or endpoint",
            hint=_nearest(last, [run.name for run in self.all()]),
        )


def _cannot_make(folder: Path, failure: OSError) -> MachineError:
    return MachineError(
        f"cannot make the run folder: {failure.strerror}",
        value=folder,
        hint="set SM_EMULATE_HOME or --home to a folder that you can write",
    )


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _nearest(name: str, names: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else "`sm-emulate ps` lists them"
