"""From a request to the /opt/ml of one host: a folder of ours, and what is mounted where.

`/opt/ml/input`, `/opt/ml/model` and `/opt/ml/output` are mounted one by one, so that what an image keeps elsewhere
under /opt/ml survives. Channels are mounted where they lie, never copied.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sm_emulate.frozen import frozen
from sm_emulate.spec.training_job import LAYOUT
from sm_emulate.staging.config_files import channels_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sm_emulate.request.training import Channel, TrainingRequest
    from sm_emulate.spec.settings import Settings
    from sm_emulate.staging.cluster import Host


@frozen
class Placed:
    """A file or folder of this machine and where the container sees it. Both paths are absolute."""

    source: Path
    target: str
    read_only: bool = False


@frozen
class StagedTree:
    """One host's /opt/ml, ready to be mounted."""

    folder: Path
    """Ours; stands for /opt/ml."""
    placed: tuple[Placed, ...]

    def path(self, inside: str) -> Path:
        """Where a path under /opt/ml lies on this machine; channels lie elsewhere."""
        return self.folder / PurePosixPath(inside).relative_to(LAYOUT.root)


def stage(
    folder: Path, request: TrainingRequest, *, host: Host, files: Mapping[str, bytes], settings: Settings
) -> StagedTree:
    """Make one host's tree under `folder`.

    Directories are 0755 and files 0644, as on the platform; the mode of the config directory is a setting.
    """
    tree = StagedTree(folder=folder, placed=tuple(placements(folder, request, host=host, settings=settings)))
    for directory in (LAYOUT.config, LAYOUT.data, *LAYOUT.created):
        _make(tree.path(directory))
    if request.tensor_board_output_config:
        _make(tree.path(LAYOUT.tensorboard))
    for name, content in files.items():
        _write(tree.path(LAYOUT.config) / name, content)
    for channel in channels_of(request, host):
        _stage_channel(tree, channel)
    tree.path(LAYOUT.config).chmod(settings.number("config-directory-mode"))
    return tree


def placements(folder: Path, request: TrainingRequest, *, host: Host, settings: Settings) -> Iterator[Placed]:
    """Tell what is mounted where on a host, without making anything."""
    for target in LAYOUT.mounts:
        yield Placed(source=folder / PurePosixPath(target).relative_to(LAYOUT.root), target=target)
    for channel in channels_of(request, host):
        if (source := channel.data_source.local_path) is None:
            continue
        target = LAYOUT.channel(channel.channel_name)
        yield Placed(
            source=source,
            target=target if source.is_dir() else f"{target}/{source.name}",
            read_only=request.input_mode(channel) == "FastFile"
            or settings.text("channel-access") == "read-only",
        )
    checkpoints = request.checkpoint_config
    if checkpoints is not None and (kept := local_checkpoints(request)) is not None:
        yield Placed(source=kept, target=checkpoints.local_path.rstrip("/"))


def local_checkpoints(request: TrainingRequest) -> Path | None:
    """The folder of this machine that holds the checkpoints, shared by all hosts as the prefix in S3 is."""
    from sm_emulate.request.location import local_path

    return local_path(request.checkpoint_config.s3_uri) if request.checkpoint_config else None


def _make(directory: Path) -> None:
    """Make a directory and its parents, 0755 whatever the user's umask says."""
    if not directory.is_dir():
        _make(directory.parent)
        directory.mkdir()
        directory.chmod(0o755)


def _write(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    file.chmod(0o644)


def _stage_channel(tree: StagedTree, channel: Channel) -> None:
    """Make the mount point, so that the engine does not make it as root, and the manifest beside it."""
    source = channel.data_source.local_path
    if source is None:
        return
    point = tree.path(LAYOUT.channel(channel.channel_name))
    _make(point)
    if not source.is_dir():
        (point / source.name).touch()
    listed = tree.path(LAYOUT.manifest(channel.channel_name))
    with listed.open("w", encoding="utf-8") as manifest:
        manifest.writelines(manifest_lines(source))
    listed.chmod(0o644)


def manifest_lines(source: Path) -> Iterator[str]:
    """List a channel as `<channel>-manifest` does: the prefix, then the URI of each file.

    On the platform the prefix is a key and the URIs are s3://; here both are those of the local files.
    """
    base = source if source.is_dir() else source.parent
    prefix = f"file://{base}/"  # as keys in S3: nothing is percent-encoded
    yield f"{base}/".lstrip("/") + ("" if source.is_dir() else source.name) + "\n"
    if not source.is_dir():
        yield f"{prefix}{source.name}\n"
        return
    start = len(str(base)) + 1
    folders = [str(base)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                if entry.is_dir():
                    folders.append(entry.path)
                else:
                    yield f"{prefix}{entry.path[start:]}\n"
