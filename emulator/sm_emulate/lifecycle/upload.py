"""What SageMaker calls Uploading: the artifacts of all hosts, packed and put where the request wants them."""

from __future__ import annotations

import os
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sm_emulate.artifacts.pack import pack
from sm_emulate.artifacts.tree import LinkRule
from sm_emulate.events import ArtifactPacked, Progress, Warned
from sm_emulate.lifecycle.archives import Archives
from sm_emulate.spec.training_job import LAYOUT
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sm_emulate.events import Event
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.spec.settings import Settings
    from sm_emulate.staging.tree import StagedTree
    from sm_emulate.storage.run_folder import RunFolder

SHOWN_AFTER_BYTES = 64 << 20
"""Smaller archives are packed before anybody could read how far they are."""

SHOWN_NAMES = 3


def upload(
    request: TrainingRequest,
    trees: Sequence[StagedTree],
    *,
    run: RunFolder,
    settings: Settings,
    publish: Callable[[Event], None],
) -> Archives:
    """Pack `/opt/ml/model` and `/opt/ml/output/data` of all hosts, in SageMaker's layout.

    With a local S3OutputPath the archives
    lie at `<S3OutputPath>/<job>/output/`, and the run folder links to them; else they lie in the run folder.
    """
    target = _target(request, run, publish)

    def tell(name: str, done: int) -> None:
        if done >= SHOWN_AFTER_BYTES:
            publish(Progress(task=f"Packing {name}", done_bytes=done, total_bytes=0))

    def one(name: str, folders: Sequence[Path]) -> Path | None:
        packed = pack(
            folders,
            target / name,
            links=LinkRule(settings.text("links-in-artifacts")),
            progress=lambda done: tell(name, done),
        )
        archive = packed.archive
        if archive is None:
            for each in packed.skipped:
                publish(Warned(message=f"{name} is without {each.name}: {each.reason}"))
            if name != run.model_archive.name or settings.text("empty-model-archive") == "none":
                return None
            archive = target / name
            tarfile.open(archive, "w:gz").close()
        publish(
            ArtifactPacked(
                name=name,
                path=str(archive),
                members=packed.members,
                packed_bytes=archive.stat().st_size,
                skipped={each.name: each.reason for each in packed.skipped} if packed.archive else {},
                clashes=tuple(dict.fromkeys(each.name for each in packed.clashes)),
            )
        )
        if packed.links and name == run.model_archive.name:
            publish(
                Warned(
                    message=f"{name} holds symlinks ({_some(packed.links)}): hosting refuses such an archive"
                )
            )
        if target != run.path:
            (run.path / name).symlink_to(archive)
        return archive

    with told("the artifacts cannot be packed", target), _output_folders(trees, settings) as outputs:
        target.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(max_workers=2) as pool:
            model = pool.submit(one, run.model_archive.name, [tree.path(LAYOUT.model) for tree in trees])
            output = pool.submit(one, run.output_archive.name, outputs)
        return Archives(model=model.result(), output=output.result())


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN_NAMES])
    return shown if len(names) <= SHOWN_NAMES else f"{shown} and {len(names) - SHOWN_NAMES} more"


@contextmanager
def _output_folders(trees: Sequence[StagedTree], settings: Settings) -> Iterator[list[Path]]:
    """Give the folders whose contents make output.tar.gz, hosts in order."""
    folders = [tree.path(LAYOUT.output_data) for tree in trees]
    if settings.text("output-other-files") == "left":
        yield folders
        return
    beside = [tree.folder / ".output-other-files" for tree in trees]
    try:
        for tree, links in zip(trees, beside, strict=True):
            links.mkdir()
            for file in tree.path(LAYOUT.output).iterdir():
                if file != tree.path(LAYOUT.failure) and (file.is_symlink() or file.is_file()):
                    os.link(file, links / file.name, follow_symlinks=False)
        yield [*folders, *beside]
    finally:
        for links in beside:
            shutil.rmtree(links, ignore_errors=True)


def _target(request: TrainingRequest, run: RunFolder, publish: Callable[[Event], None]) -> Path:
    wanted = request.output_data_config.local_path
    if wanted is None:
        publish(
            Warned(
                message=f"artifacts stay in {run.path}: nothing is written to "
                f"{request.output_data_config.s3_output_path} yet"
            )
        )
        return run.path
    if wanted == run.path:
        return run.path
    return wanted / request.training_job_name / "output"
