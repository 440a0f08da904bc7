"""What SageMaker calls Uploading: the artifacts of all hosts, packed and put where the request wants them."""

from __future__ import annotations

import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sm_emulate.artifacts.pack import pack
from sm_emulate.artifacts.tree import LinkRule
from sm_emulate.engine.ownership import hand_back
from sm_emulate.events import ArtifactPacked, Progress, Warned
from sm_emulate.frozen import frozen
from sm_emulate.spec.training_job import LAYOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sm_emulate.engine.protocol import Engine, Image
    from sm_emulate.events import Event
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.spec.settings import Settings
    from sm_emulate.staging.tree import StagedTree
    from sm_emulate.storage.runs import RunFolder

SHOWN_AFTER_BYTES = 64 << 20
"""Smaller archives are packed before anybody could read how far they are."""


@frozen
class Archives:
    """Where the archives lie; None where there was nothing to pack."""

    model: Path | None
    output: Path | None


def upload(
    request: TrainingRequest,
    trees: Sequence[StagedTree],
    *,
    run: RunFolder,
    engine: Engine,
    image: Image,
    settings: Settings,
    publish: Callable[[Event], None],
) -> Archives:
    """Pack `/opt/ml/model` and `/opt/ml/output/data` of all hosts, in SageMaker's layout.

    Files that containers made as root belong to the calling user from here on. With a local S3OutputPath the archives
    lie at `<S3OutputPath>/<job>/output/`, and the run folder links to them; else they lie in the run folder.
    """
    for tree in trees:
        hand_back(engine, image.id, tree.folder, uid=os.getuid(), gid=os.getgid())
    target = _target(request, run, publish)

    def tell(name: str, done: int) -> None:
        if done >= SHOWN_AFTER_BYTES:
            publish(Progress(task=f"Packing {name}", done_bytes=done, total_bytes=0))

    def one(name: str, inside: str) -> Path | None:
        packed = pack(
            [tree.path(inside) for tree in trees],
            target / name,
            links=LinkRule(settings.text("links-in-artifacts")),
            progress=lambda done: tell(name, done),
        )
        archive = packed.archive
        if (
            archive is None
            and name == run.model_archive.name
            and settings.text("empty-model-archive") == "empty"
        ):
            archive = target / name
            tarfile.open(archive, "w:gz").close()
        if archive is None:
            return None
        publish(
            ArtifactPacked(
                name=name,
                path=str(archive),
                members=packed.members,
                packed_bytes=packed.archive_bytes,
                skipped={each.name: each.reason for each in packed.skipped},
                clashes=tuple(each.name for each in packed.clashes),
            )
        )
        if target != run.path:
            (run.path / name).symlink_to(archive)
        return archive

    with ThreadPoolExecutor(max_workers=2) as pool:
        model = pool.submit(one, run.model_archive.name, LAYOUT.model)
        output = pool.submit(one, run.output_archive.name, LAYOUT.output_data)
    return Archives(model=model.result(), output=output.result())


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
    target = wanted / request.training_job_name / "output"
    target.mkdir(parents=True, exist_ok=True)
    return target
