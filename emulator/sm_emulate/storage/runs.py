"""Run folders: everything that is kept of a training job or an endpoint, readable by a person.

    <home>/training-jobs/<name>/     request.json, run.json, opt-ml/<host>/, logs/<host>.log, events.ndjson,
    <home>/endpoints/<name>/         result.json, model.tar.gz, output.tar.gz

The process that owns a run holds a lock on its `owner` file as long as it lives; the kernel lets go of it
however the process ends. So a run without a result whose lock is free was abandoned.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from sm_emulate.errors import MachineError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind = Literal["training-jobs", "endpoints"]
NOUNS: Mapping[str, str] = {"training-jobs": "training job", "endpoints": "endpoint"}


def default_home(environ: Mapping[str, str]) -> Path:
    """Where runs are kept: `SM_EMULATE_HOME`, else `sm-emulate` in the user's state folder."""
    if chosen := environ.get("SM_EMULATE_HOME"):
        return Path(chosen).absolute()
    state = environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "sm-emulate"


def default_cache(environ: Mapping[str, str]) -> Path:
    """Where what can be made again is kept."""
    cache = environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "sm-emulate"


@dataclass(frozen=True)
class RunFolder:
    """One run's folder. All its names are here."""

    path: Path
    kind: Kind

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def home(self) -> Path:
        """The folder of all runs."""
        return self.path.parent.parent

    @property
    def id(self) -> str:
        """Kind and name: `training-jobs/NAME`, as it stands in container labels."""
        return f"{self.kind}/{self.name}"

    @property
    def request(self) -> Path:
        """The request in AWS's JSON."""
        return self.path / "request.json"

    @property
    def standing(self) -> Path:
        """How it stands while it has no result yet, in the same shape."""
        return self.path / "run.json"

    @property
    def stop_request(self) -> Path:
        """Made by whoever wants the run stopped; its process looks for it."""
        return self.path / "stop"

    @property
    def events(self) -> Path:
        return self.path / "events.ndjson"

    @property
    def result(self) -> Path:
        """The final answer, in the shape of AWS's Describe* call."""
        return self.path / "result.json"

    @property
    def owner(self) -> Path:
        return self.path / "owner"

    @property
    def model_archive(self) -> Path:
        return self.path / "model.tar.gz"

    @property
    def output_archive(self) -> Path:
        return self.path / "output.tar.gz"

    def opt_ml(self, host: str) -> Path:
        return self.path / "opt-ml" / host

    def log(self, host: str) -> Path:
        return self.path / "logs" / f"{host}.log"

    def write(self, file: Path, document: object) -> None:
        """Write JSON so that a reader sees the old or the new text, never half of one."""
        draft = file.with_name(f".{file.name}.new")
        draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        draft.replace(file)

    def description(self) -> dict[str, Any]:
        """The result, or how it stands: the shape of AWS's Describe* answer; empty at first."""
        return self.read(self.result) or self.read(self.standing) or {}

    def read(self, file: Path) -> dict[str, Any] | None:
        """The JSON of one of the run's files; None when it is not there (yet)."""
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return document if isinstance(document, dict) else None

    def owner_pid(self) -> int | None:
        """The process that runs it now; None when it is finished or abandoned."""
        try:
            descriptor = os.open(self.owner, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            words = os.read(descriptor, 32).split()
            return int(words[0]) if words else None
        finally:
            os.close(descriptor)
        return None

    @property
    def abandoned(self) -> bool:
        """Its process died before it could write a result."""
        return not self.result.exists() and self.owner_pid() is None

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Hold the run for this process."""
        descriptor = os.open(self.owner, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
            yield
            self.owner.unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    def delete(self) -> None:
        """Remove the folder, whatever modes its folders have."""
        if not self.path.exists():
            return
        import shutil

        _open_up(self.path)
        shutil.rmtree(self.path)


def _open_up(folder: Path) -> None:
    """Give ourselves the right to enter and empty every folder: a config folder's mode is 0644 on purpose."""
    with suppress(PermissionError):  # a folder that is not ours fails later, in rmtree, with its name
        mode = stat.S_IMODE(folder.lstat().st_mode)
        if mode & 0o700 != 0o700:
            folder.chmod(mode | 0o700)
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            _open_up(Path(entry.path))


class Runs:
    """All runs of one home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def create(self, kind: Kind, name: str) -> RunFolder:
        """Make the folder of a new run.

        Raises:
            RequestError: a run of that name is there already.
            MachineError: the folder cannot be made.
        """
        folder = self.home / kind / name
        run = RunFolder(folder, kind)
        if kind == "endpoints" and folder.exists() and run.owner_pid() is None:
            run.delete()  # as after DeleteEndpoint: a name is free again
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
            (folder / "logs").mkdir()
        except FileExistsError:
            noun = NOUNS[kind]
            raise RequestError(
                f"{noun} names are unique and this one is taken",
                value=name,
                expected=f"the name of no other {noun} in {self.home}",
                hint=f"choose another name, or remove the old one with `sm-emulate clean {name}`",
            ) from None
        except OSError as failure:
            raise MachineError(
                f"cannot make the run folder: {failure.strerror}",
                value=folder,
                hint="set SM_EMULATE_HOME or --home to a folder that you can write",
            ) from failure
        return run

    def all(self) -> list[RunFolder]:
        """Every run, the youngest first."""
        found = [
            RunFolder(Path(entry.path), kind)
            for kind in get_args(Kind)
            if (self.home / kind).is_dir()
            for entry in os.scandir(self.home / kind)
            if entry.is_dir(follow_symlinks=False)
        ]
        return sorted(found, key=lambda run: run.path.stat().st_ctime, reverse=True)

    def find(self, name: str) -> RunFolder:
        """Look a run up by its name, or by `training-jobs/NAME` and `endpoints/NAME` where both exist.

        Raises:
            RequestError: no such run, or two of them.
        """
        kinds, _, last = name.rpartition("/")
        found = [run for run in self.all() if run.name == last and kinds in {"", run.kind}]
        if len(found) == 1:
            return found[0]
        if found:
            raise RequestError(
                "a training job and an endpoint have this name",
                value=name,
                expected=" or ".join(f"{run.kind}/{run.name}" for run in found),
            )
        raise RequestError(
            "there is no run of this name",
            value=name,
            expected="the name of a training job or endpoint",
            hint=_nearest(last, [run.name for run in self.all()]),
        )


def _nearest(name: str, names: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else "`sm-emulate ps` lists them"
