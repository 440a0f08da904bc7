"""From a request to the /opt/ml of one host: a folder of ours, and what is mounted where.

`/opt/ml/input`, `/opt/ml/model` and `/opt/ml/output` are mounted one by one, so that what an image keeps elsewhere
under /opt/ml survives. Channels are mounted where they lie, never copied; those in Pipe mode have no directory, their
FIFOs are made when the job begins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sm_emulate.request.location import local_path
from sm_emulate.spec.training_job import LAYOUT
from sm_emulate.staging.channel_folder import ChannelFolder, Origin, channel_folder
from sm_emulate.staging.config_files import channels_of, config_files
from sm_emulate.staging.synced import shared_checkpoints, synced_paths
from sm_emulate.storage.s3_place import S3Place
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.spec.profiles import PlatformProfile
    from sm_emulate.spec.settings import Settings
    from sm_emulate.staging.cluster import Cluster, Host
    from sm_emulate.staging.listings import Listings


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A file or folder of this machine and where the container sees it. Both paths are absolute."""

    source: Path
    target: str
    read_only: bool = False
    made_if_missing: bool = False


@dataclass(frozen=True, kw_only=True)
class StagedTree:
    """One host's /opt/ml: first only described, then made by `make`."""

    folder: Path
    """Ours; stands for /opt/ml."""
    directories: tuple[str, ...]
    """Exist before the program starts; paths in the container."""
    files: Mapping[str, bytes]
    """The config files, by path in the container."""
    manifests: Mapping[str, Path]
    """`<channel>-manifest` files by path in the container, and the data that each lists."""
    placed: tuple[Placed, ...]
    config_mode: int
    config: str = LAYOUT.config
    """The directory of the config files."""

    def path(self, inside: str) -> Path:
        """Where a path under /opt/ml lies on this machine; channels lie elsewhere."""
        return self.folder / PurePosixPath(inside).relative_to(LAYOUT.root)

    def mounted(self, inside: str) -> Path:
        """Where a path of the container lies on this machine, wherever it is mounted."""
        wanted = PurePosixPath(inside)
        above = [each for each in self.placed if wanted.is_relative_to(each.target)]
        nearest = max(above, key=lambda each: len(each.target))
        return nearest.source / wanted.relative_to(nearest.target)

    def with_files(self, vary: Callable[[dict[str, bytes]], dict[str, bytes]]) -> StagedTree:
        """Give the same tree with other config files; `vary` has them by name."""
        varied = vary({name.rpartition("/")[2]: content for name, content in self.files.items()})
        return replace(self, files={f"{self.config}/{name}": content for name, content in varied.items()})

    def make(self) -> None:
        """Make the folder, its manifests aside. Directories are 0755 and files 0644, as on the platform.

        Raises:
            MachineError: the disk is full.
        """
        with told("the job's /opt/ml cannot be made", self.folder):
            for directory in self.directories:
                self._make(directory)
            for file, content in self.files.items():
                self.path(file).write_bytes(content)
                self.path(file).chmod(0o644)
            for each in self.placed:
                self._mount_point(each)
            self.path(self.config).chmod(self.config_mode)

    def _mount_point(self, placed: Placed) -> None:
        """Make what is mounted, and what it is mounted on, so that the engine makes neither as root."""
        if placed.made_if_missing:
            placed.source.mkdir(parents=True, exist_ok=True)
            if placed.source.is_relative_to(self.folder):
                placed.source.chmod(0o755)
        ours = (
            each.target
            for each in self.placed
            if each is not placed and each.source.is_relative_to(self.folder)
        )
        if not any(PurePosixPath(placed.target).is_relative_to(mount) for mount in ours):
            return
        if placed.source.is_dir():
            self._make(placed.target)
        else:
            self._make(str(PurePosixPath(placed.target).parent))
            self.path(placed.target).touch()

    def _make(self, inside: str) -> None:
        directory = self.path(inside)
        if directory.is_dir():
            return
        if directory != self.folder:
            self._make(str(PurePosixPath(inside).parent))
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)  # whatever the caller's umask is


def list_channels(trees: Iterable[StagedTree], listings: Listings) -> None:
    """Write the manifests of the local channels of all hosts; what several hosts have is listed once.

    Raises:
        MachineError: the disk is full, or a channel cannot be read.
    """
    wanted: dict[Path, list[Path]] = {}
    for tree in trees:
        for manifest, source in tree.manifests.items():
            wanted.setdefault(source, []).append(tree.path(manifest))
    for source, targets in wanted.items():
        with told("the manifest of a channel cannot be written", source):
            listings.write(source, *targets)


def staged_tree(
    folder: Path,
    request: TrainingRequest,
    *,
    cluster: Cluster,
    host: Host,
    profile: PlatformProfile,
    settings: Settings,
    region: str,
    account: str,
    run_number: int = 1,
    s3: S3Place | None = None,
    file_systems: Mapping[str, Path] | None = None,
) -> StagedTree:
    """Describe one host's tree under `folder`, without making anything."""
    files = config_files(
        request,
        cluster=cluster,
        host=host,
        profile=profile,
        settings=settings,
        region=region,
        account=account,
        run_number=run_number,
    )
    channels = {
        channel.channel_name: channel_folder(
            request,
            channel,
            cluster=cluster,
            host=host,
            tree=folder,
            settings=settings,
            s3=s3 or S3Place(),
            file_systems=file_systems or {},
        )
        for channel in channels_of(request, host)
        if request.input_mode(channel) != "Pipe"
    }
    synced = [path.inside for path in synced_paths(request, settings) if path.both_ways and not path.mounted]
    return StagedTree(
        folder=folder,
        directories=(
            LAYOUT.config,
            LAYOUT.data,
            *LAYOUT.created,
            *((LAYOUT.tensorboard,) if request.tensor_board_output_config else ()),
            *(LAYOUT.channel(name) for name in channels),
            *synced,
        ),
        files={f"{LAYOUT.config}/{name}": content for name, content in sorted(files.items())},
        manifests={
            LAYOUT.manifest(name): each.path for name, each in channels.items() if each.origin is Origin.LOCAL
        },
        placed=tuple(_placements(folder, request, channels, settings)),
        config_mode=settings.number("config-directory-mode"),
    )


def _placements(
    folder: Path, request: TrainingRequest, channels: Mapping[str, ChannelFolder], settings: Settings
) -> Iterator[Placed]:
    for target in LAYOUT.mounts:
        yield Placed(source=folder / PurePosixPath(target).relative_to(LAYOUT.root), target=target)
    for name, channel in channels.items():
        target, filled = LAYOUT.channel(name), channel.origin is Origin.FILLED
        yield Placed(
            source=channel.path,
            target=target if filled or channel.path.is_dir() else f"{target}/{channel.path.name}",
            read_only=channel.read_only,
            made_if_missing=filled,
        )
    checkpoints = request.checkpoint_config
    if checkpoints is not None and shared_checkpoints(request, settings):
        kept = local_path(checkpoints.s3_uri)
        assert kept is not None
        yield Placed(source=kept, target=checkpoints.local_path.rstrip("/"), made_if_missing=True)
    taken = set()
    for path in synced_paths(request, settings):
        if path.mounted and path.inside not in taken:
            taken.add(path.inside)
            yield Placed(source=folder / path.name, target=path.inside, made_if_missing=True)
