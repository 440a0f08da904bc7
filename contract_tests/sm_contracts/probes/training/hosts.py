"""The folders of a run's hosts: changed before its containers are made, looked at afterwards."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sm_contracts.probes.training import trees
from sm_contracts.probes.training.watched import LABEL_HOST

if TYPE_CHECKING:
    from sm_contracts.evidence.training.folders import Clashes
    from sm_contracts.probes.training.sample import Sample
    from sm_contracts.probes.training.way import Way
    from sm_emulate.api import ContainerSpec, Mount

DATA, MODEL, CHECKPOINTS = "/opt/ml/input/data", "/opt/ml/model", "/opt/ml/checkpoints"
_MARKERS = (".sagemaker-uploading", ".sagemaker-uploaded")


class Hosts:
    """Where each host's files lie on this machine.

    Everything that a container may write to lies in its run folder, whose files the emulator hands back to the user.

    Args:
        sample: the sample input.
        way: what is special about the run.
    """

    def __init__(self, sample: Sample, way: Way) -> None:
        self._sample, self._way = sample, way
        self.trees: dict[str, Path] = {}
        """What stands for /opt/ml, by host."""
        self.copied = sample.small and not way.read_only and not way.empty_channels
        """Whether channels are copies that may be written into."""
        self._before: dict[Path, dict[str, tuple[int, int, int]]] = {}

    @property
    def first(self) -> Path | None:
        return self.trees.get("algo-1")

    def config_files(self, files: dict[str, bytes]) -> dict[str, bytes]:
        """Change a host's config files."""
        return self._way.config_files(files)

    def container(self, spec: ContainerSpec) -> ContainerSpec:
        """Change a host's container just before it is made, when its folders are there."""
        host = spec.labels[LABEL_HOST]
        tree = Path(next(each.source for each in spec.mounts if each.target == MODEL)).parent
        self.trees[host] = tree
        mounts = tuple(self._mount(each, tree) for each in spec.mounts)
        if self._way.open_folders:
            for folder in (tree / "model", tree / "output"):
                for path in (folder, *(each for each in folder.rglob("*") if each.is_dir())):
                    path.chmod(0o777)
        if self.copied:
            for folder in (tree / "channels", tree / "input" / "data"):
                self._before[folder] = trees.snapshot(folder)
        return replace(spec, mounts=mounts, hostname=host if self._way.algo_hostname else spec.hostname)

    def _mount(self, mount: Mount, tree: Path) -> Mount:
        if mount.target == CHECKPOINTS:
            kept = tree / "checkpoints"
            kept.mkdir(exist_ok=True)
            if self._way.resume_from is not None:
                trees.copy(self._way.resume_from, kept)
            if self._way.sidecars:
                _mark(kept)
            return replace(mount, source=str(kept))
        if not mount.target.startswith(f"{DATA}/"):
            return mount
        if not (self.copied or self._way.empty_channels):
            # read-only is how the emulator mounts the user's own folders
            return replace(mount, read_only=True)
        source = Path(mount.source)
        target = PurePosixPath(mount.target) if source.is_dir() else PurePosixPath(mount.target).parent
        folder = tree / "channels" / target.name
        folder.mkdir(parents=True)
        if not self._way.empty_channels:
            trees.copy(source, folder if source.is_dir() else folder / source.name)
        return replace(mount, source=str(folder), target=str(target), read_only=False)

    def mark_checkpoints(self) -> None:
        """Put the platform's upload markers beside checkpoints that are new."""
        for tree in list(self.trees.values()):
            _mark(tree / "checkpoints")

    def input_writes(self) -> tuple[str, ...]:
        """Name what was made, changed or removed under /opt/ml/input/data."""
        wrote = [
            f"{DATA}/{name}"
            for folder, before in self._before.items()
            for name in trees.changed(before, trees.snapshot(folder))
            if name.rpartition("_")[0] not in self._sample.pipes
        ]
        return tuple(dict.fromkeys(wrote))

    def clashes(self) -> Clashes | None:
        """Compare what two hosts wrote; None for another number of hosts."""
        if len(self.trees) != 2:
            return None
        one, other = (self.trees[host] for host in sorted(self.trees))
        data = Path("output/data")
        return trees.clashes(
            [(MODEL, one / "model", other / "model"), ("/opt/ml/output/data", one / data, other / data)]
        )

    def failure(self) -> bytes | None:
        """Give the failure text of the first host that has one."""
        texts = (trees.failure(tree / "output") for _, tree in sorted(self.trees.items()))
        return next((each for each in texts if each is not None), None)

    def unlock(self) -> None:
        """Give the config folders a mode that lets their owner remove them."""
        for tree in self.trees.values():
            with suppress(OSError):
                (tree / "input" / "config").chmod(0o755)


def _mark(folder: Path) -> None:
    """Put the upload markers of the platform's sync agent beside every file that has none."""
    with suppress(OSError):  # a file that goes while we look
        for file in list(folder.rglob("*")):
            if file.is_file() and not file.name.endswith(_MARKERS):
                for marker in _MARKERS:
                    file.with_name(file.name + marker).touch()


def markers(folder: Path) -> tuple[str, ...]:
    """Name the upload markers in a folder."""
    return tuple(sorted(each.name for each in folder.rglob("*") if each.name.endswith(_MARKERS)))
