"""Folders of a container that are kept like a place in S3 while the job runs."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.request.location import local_path
from sm_emulate.spec.training_job import LAYOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.spec.settings import Settings

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, kw_only=True)
class SyncedPath:
    """One such folder."""

    name: str
    """Of the folder that stands for it beside a host's input, model and output, where it has none among those."""
    inside: str
    """Where the container sees it."""
    uri: str
    """The prefix: `s3://...` or `file:///...` with a slash at its end, nothing percent-encoded."""
    both_ways: bool = False
    """Filled from there at the start, and deletions are passed on."""

    @property
    def mounted(self) -> bool:
        """Whether it needs a mount of its own."""
        return not any(self.inside == mount or self.inside.startswith(f"{mount}/") for mount in LAYOUT.mounts)


def shared_checkpoints(request: TrainingRequest, settings: Settings) -> bool:
    """Whether all hosts see the folder that stands for S3 itself, and nothing is copied."""
    config = request.checkpoint_config
    return (
        config is not None
        and settings.text("checkpoint-folder") == "shared"
        and local_path(config.s3_uri) is not None
    )


def synced_paths(request: TrainingRequest, settings: Settings) -> tuple[SyncedPath, ...]:
    """Name the folders of every host that a job keeps like a place in S3."""
    return tuple(_synced(request, settings))


def _synced(request: TrainingRequest, settings: Settings) -> Iterator[SyncedPath]:
    job = request.training_job_name
    checkpoints = request.checkpoint_config
    if checkpoints is not None and not shared_checkpoints(request, settings):
        yield SyncedPath(
            name=CHECKPOINTS,
            inside=_tidy(checkpoints.local_path),
            uri=folder_uri(checkpoints.s3_uri),
            both_ways=True,
        )
    if (hook := request.debug_hook_config) is not None:
        yield SyncedPath(
            name="tensors",
            inside=_tidy(hook.local_path),
            uri=f"{folder_uri(hook.s3_output_path)}{job}/debug-output/",
        )
    if (board := request.tensor_board_output_config) is not None:
        yield SyncedPath(
            name="tensorboard",
            inside=_tidy(board.local_path),
            uri=f"{folder_uri(board.s3_output_path)}{job}/tensorboard-output/",
        )
    profiler = request.profiler_config
    if profiler is not None and profiler.s3_output_path is not None and not profiler.disable_profiler:
        yield SyncedPath(
            name="profiler",
            inside=LAYOUT.profiler,
            uri=f"{folder_uri(profiler.s3_output_path)}{job}/profiler-output/",
        )


def folder_uri(uri: str) -> str:
    """Give the prefix of everything in a folder, in the form that stores take."""
    path = local_path(uri)
    return (f"file://{path}" if path is not None else uri).rstrip("/") + "/"


def _tidy(inside: str) -> str:
    return posixpath.normpath(inside)
