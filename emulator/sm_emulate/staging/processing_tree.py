"""From a request to the /opt/ml of one host of a processing job: a folder of ours, and what is mounted where.

`/opt/ml/config`, `/opt/ml/output` and each LocalPath are mounted one by one, as the listing of a real job has it, so
that what an image keeps elsewhere under /opt/ml survives. Local data is mounted where it lies, never copied.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sm_emulate.spec.processing_job import PROCESSING_LAYOUT
from sm_emulate.staging.processing_config import config_files
from sm_emulate.staging.tree import Placed, StagedTree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from sm_emulate.request.processing import ProcessingRequest, S3Input
    from sm_emulate.spec.settings import Settings

_MODE = 0o644
"""Of /opt/ml/config in real jobs, at the one date that is known."""


def host_names(request: ProcessingRequest) -> tuple[str, ...]:
    """Name the hosts of a job, in the order of their numbers."""
    return tuple(f"algo-{number}" for number in range(1, request.cluster.instance_count + 1))


def staged_tree(
    folder: Path,
    request: ProcessingRequest,
    *,
    host: str,
    settings: Settings,
    region: str,
    account: str,
) -> StagedTree:
    """Describe one host's tree under `folder`, without making anything."""
    layout = PROCESSING_LAYOUT
    files = config_files(
        request,
        hosts=host_names(request),
        host=host,
        settings=settings,
        region=region,
        account=account,
    )
    given = "config-directory-mode" in settings.given
    inputs = {place(source.local_path): source for _, source in request.managed_inputs}
    outputs = [place(target.local_path) for _, target in request.managed_outputs]
    places = [*inputs, *outputs]
    ours = dict.fromkeys(
        (
            *outputs,
            *(
                # the names of pipes come and go, so that what holds them is mounted
                str(PurePosixPath(path).parent) if source.mode == "Pipe" else path
                for path, source in inputs.items()
                if not mounted_whole(source, path, places)
            ),
        )
    )
    return StagedTree(
        folder=folder,
        directories=(
            layout.config,
            layout.output_data,
            layout.metrics,
            *(layout.shadow(name) for name, _ in request.managed_outputs),
            *ours,
        ),
        files={f"{layout.config}/{name}": content for name, content in sorted(files.items())},
        manifests={},
        placed=(
            *(
                Placed(source=_inside(folder, target), target=target)
                for target in (*layout.mounts, *sorted(ours))
            ),
            *_data(inputs, places, read_only=settings.text("channel-access") == "read-only"),
        ),
        config_mode=settings.number("config-directory-mode") if given else _MODE,
        config=layout.config,
    )


def place(local_path: str) -> str:
    """Give a LocalPath without what does not count: slashes at its end, doubled ones, dots."""
    return str(PurePosixPath(local_path))


def is_copied(source: S3Input) -> bool:
    """Whether a host gets copies of objects, rather than to see the data where it lies."""
    return (
        source.here is None
        or source.mode == "Pipe"
        or source.s3_data_type != "S3Prefix"
        or source.distribution != "FullyReplicated"
    )


def mounted_whole(source: S3Input, path: str, places: Collection[str]) -> bool:
    """Whether a local folder is what the container sees at a LocalPath.

    One in which something else has its place is not: its entries are mounted one by one, or the engine would make
    that place in the caller's own folder.
    """
    return (
        not is_copied(source)
        and source.here is not None
        and source.here.is_dir()
        and not any(_below(other, path) for other in places)
    )


def _inside(folder: Path, target: str) -> Path:
    return folder / PurePosixPath(target).relative_to(PROCESSING_LAYOUT.root)


def _below(path: str, other: str) -> bool:
    return path != other and PurePosixPath(path).is_relative_to(other)


def _data(inputs: dict[str, S3Input], places: Sequence[str], *, read_only: bool) -> Iterator[Placed]:
    for path, source in sorted(inputs.items()):
        if is_copied(source) or source.here is None:
            continue
        if source.here.is_dir():
            yield from _spread(source.here, path, places, read_only=read_only)
        else:
            yield Placed(source=source.here, target=f"{path}/{source.here.name}", read_only=read_only)


def _spread(source: Path, target: str, places: Sequence[str], *, read_only: bool) -> Iterator[Placed]:
    """Place a folder whole, or what is in it one by one where something else has its place below."""
    if not any(_below(other, target) for other in places):
        yield Placed(source=source, target=target, read_only=read_only)
        return
    for entry in sorted(source.iterdir()):
        inside = f"{target}/{entry.name}"
        if inside in places:
            continue  # the other one hides it
        if entry.is_dir():
            yield from _spread(entry, inside, places, read_only=read_only)
        else:
            yield Placed(source=entry, target=inside, read_only=read_only)
