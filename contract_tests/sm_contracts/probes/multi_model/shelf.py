"""The files of models: unpacked once, and put where the container looks for them under each name."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_emulate.errors import SmEmulateError

if TYPE_CHECKING:
    from pathlib import Path

    from sm_contracts.probes import Workbench

ARCHIVE = ".tar.gz"
DIFFERENT = 2
"""Archives that are used of those that were given."""
NO_MODEL = Missing("no model was given", "give --model FOLDER with one or more .tar.gz archives")


class Shelf:
    """What becomes the container's /opt/ml/models.

    Args:
        bench: the sample model: a folder of archives, one archive, or the folder of one unpacked model.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self.folder = bench.folder / "models"
        self.folder.mkdir()
        self.folder.chmod(0o755)
        self.keys: tuple[str, ...] = ()
        """TargetModel of each model."""
        self.trouble: Missing | None = None
        """Why there is no model to be loaded."""
        self._unpacked: list[Path] = []
        try:
            self._unpack()
        except SmEmulateError as error:
            reason = f"the model cannot be unpacked: {error.what}: {error.value}"
            self.trouble = Missing(reason, "give .tar.gz archives that SageMaker takes")
        if self.trouble is None and bench.engine.shares(os.fspath(self.folder)) is False:
            self.trouble = Missing(
                "this engine cannot see the folders of this machine", "check it on its machine"
            )

    def put(self, key: str, name: str) -> None:
        """Have a model lie at `/opt/ml/models/NAME/model`."""
        target = self.folder / name / "model"
        if target.exists():
            return
        target.parent.mkdir()
        target.parent.chmod(0o755)
        source = self._unpacked[self.keys.index(key)]
        shutil.copytree(source, target, symlinks=True, copy_function=_linked)

    def _unpack(self) -> None:
        from sm_emulate import api

        found = models_in(self._bench.subject.model)
        if not found:
            self.trouble = NO_MODEL
            return
        for number, (_, path) in enumerate(found):
            unpacked = self._bench.folder / f"unpacked-{number}"
            if path.is_dir():
                shutil.copytree(path, unpacked, symlinks=True)
            else:
                self._bench.say(f"multi-model: unpacking {path.name}")
                api.unpack_model(path, unpacked)
            _open_to_all(unpacked)
            self._unpacked.append(unpacked)
        self.keys = tuple(key for key, _ in found)


def models_in(given: Path | None) -> list[tuple[str, Path]]:
    """Find the models in what was given, by TargetModel: archives, or the folder of one model."""
    if given is None:
        return []
    if not given.is_dir():
        return [(given.name, given)]
    found = {
        path.relative_to(given).as_posix(): path for path in given.rglob(f"*{ARCHIVE}") if path.is_file()
    }
    return sorted(found.items())[:DIFFERENT] or [(f"model{ARCHIVE}", given)]


def stem(key: str) -> str:
    """Give the name that a container would make of a TargetModel."""
    return key.rpartition("/")[2].removesuffix(ARCHIVE)


def _linked(source: str, target: str) -> str:
    """Have one file under two names; the container sees both read-only."""
    try:
        os.link(source, target, follow_symlinks=False)
    except (OSError, NotImplementedError):  # another filesystem; a system that follows links here
        shutil.copy2(source, target, follow_symlinks=False)
    return target


def _open_to_all(folder: Path) -> None:
    """Let any user read it, as on the platform."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))
