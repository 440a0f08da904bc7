"""VolumeSizeInGB: whether a job's files would fit on the volumes that it asks for. Nothing is limited, all is told."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from sm_emulate.spec.training_job import LAYOUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.staging.cluster import Cluster
    from sm_emulate.staging.tree import StagedTree

GB = 1 << 30
"""EBS counts in GiB and calls them GB."""


def room_wanting(request: TrainingRequest, folder: Path) -> Iterator[str]:
    """Give a sentence if the disk of this machine has less room than the volume that is asked for."""
    asked = request.resource_config.volume_size_in_gb
    if not asked:
        return
    free = shutil.disk_usage(folder).free
    if free < asked * GB:
        yield (
            f"VolumeSizeInGB is {asked}, and the disk of {folder} has {free / GB:.1f} GB free: "
            "what fits there may not fit here"
        )


def overfull(request: TrainingRequest, cluster: Cluster, trees: Mapping[str, StagedTree]) -> Iterator[str]:
    """Give a sentence for each host whose files are more than its volume holds.

    Instances with NVMe disks have those in place of a volume, and the size that was asked for is passed over.
    """
    asked = request.resource_config.volume_size_in_gb
    if not asked:
        return
    from sm_emulate.spec.instance_types import instance_size

    for host in cluster.hosts:
        size = instance_size(host.instance_type)
        local = size.local_gb if size is not None and request.resource_config.chosen else 0
        parts = dict(_parts(request, trees[host.name]))
        whole = sum(parts.values())
        if whole <= (local or asked) * GB:
            continue
        largest = [
            each for each in sorted(parts, key=lambda each: -parts[each])[:3] if parts[each] >= GB / 20
        ]
        yield (
            f"{host.name} has {whole / GB:.1f} GB of files, "
            + (f"{host.instance_type} has disks of {local} GB" if local else f"VolumeSizeInGB is {asked}")
            + ": SageMaker would run out of disk space ("
            + ", ".join(f"{target} {parts[target] / GB:.1f} GB" for target in largest)
            + ")"
        )


def _parts(request: TrainingRequest, tree: StagedTree) -> Iterator[tuple[str, int]]:
    """Measure what lies on the volume; channels that are read while they come do not."""
    streamed = {
        LAYOUT.channel(channel.channel_name)
        for channel in request.input_data_config
        if request.input_mode(channel) != "File"
    }
    for placed in tree.placed:
        if not any(placed.target == each or placed.target.startswith(f"{each}/") for each in streamed):
            yield placed.target, _bytes(placed.source)


def _bytes(path: Path) -> int:
    """Count what a file or folder holds. It may be the user's own: nothing is changed on the way."""
    total = 0
    with suppress(OSError):
        if path.is_file():
            return path.stat().st_size
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118  # a Path each would take long
    return total
