"""What SageMaker calls Uploading: the artifacts of all hosts, packed and put where the request wants them."""

from __future__ import annotations

import os
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from sm_emulate.artifacts.pack import pack
from sm_emulate.artifacts.tree import LinkRule
from sm_emulate.errors import SmEmulateError
from sm_emulate.events import ArtifactPacked, Progress, Warned
from sm_emulate.lifecycle.companion import PlatformFailure
from sm_emulate.lifecycle.training.archives import Archives
from sm_emulate.lifecycle.training.uncompressed import upload_files
from sm_emulate.spec import wordings
from sm_emulate.spec.training_job import LAYOUT
from sm_emulate.storage.stores import store_of
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sm_emulate.events import Event
    from sm_emulate.request.training import TrainingRequest
    from sm_emulate.spec.settings import Settings
    from sm_emulate.staging.tree import StagedTree
    from sm_emulate.storage.run_folder import RunFolder
    from sm_emulate.storage.s3_place import S3Place

SHOWN_AFTER_BYTES = 64 << 20
"""Smaller archives are packed before anybody could read how far they are."""

SHOWN_NAMES = 3


def upload(
    request: TrainingRequest,
    trees: Sequence[StagedTree],
    *,
    run: RunFolder,
    settings: Settings,
    s3: S3Place,
    publish: Callable[[Event], None],
) -> Archives:
    """Pack `/opt/ml/model` and `/opt/ml/output/data` of all hosts, in SageMaker's layout.

    They are put at `<S3OutputPath>/<job>/output/`. The run folder has the archives, too, or links to them. With
    CompressionType NONE the model's files are put one by one, below `.../output/model/`.

    Raises:
        PlatformFailure: S3 did not take them; the run folder has them.
    """
    wanted = request.output_data_config.local_path
    local = wanted is None or wanted == run.path
    target = run.path if wanted is None or local else wanted / request.training_job_name / "output"
    links = LinkRule(settings.text("links-in-artifacts"))
    place = _place(request, target)
    store = store_of(place, s3)

    def tell(what: str, name: str, done: int, total: int = 0) -> None:
        if max(done, total) >= SHOWN_AFTER_BYTES:
            publish(Progress(task=f"{what} {name}", done_bytes=done, total_bytes=total))

    def one(name: str, folders: Sequence[Path]) -> Path | None:
        packed = pack(folders, target / name, links=links, progress=lambda done: tell("Packing", name, done))
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
        if wanted is None:
            with _refused():
                store.put(archive, place + name)
        if target != run.path:
            (run.path / name).symlink_to(archive)
        return archive

    def as_it_is(folders: Sequence[Path]) -> str:
        with _refused() if wanted is None else nullcontext():
            done = upload_files(
                folders,
                f"{place}model/",
                store,
                links=links,
                progress=lambda size: tell("Uploading", "model", size),
            )
        for each in () if done.files else done.skipped:
            publish(Warned(message=f"the model is without {each.name}: {each.reason}"))
        if not done.files:
            return ""
        publish(
            ArtifactPacked(
                name="model",
                path=f"{place}model/",
                members=done.files,
                packed_bytes=done.size,
                skipped={each.name: each.reason for each in done.skipped},
                clashes=tuple(dict.fromkeys(each.name for each in done.clashes)),
            )
        )
        return f"{place}model/"

    plain = request.output_data_config.compression_type == "NONE"
    models = [tree.path(LAYOUT.model) for tree in trees]
    with (
        told("the artifacts cannot be packed", target),
        _output_folders(trees, settings) as outputs,
        ThreadPoolExecutor(max_workers=2) as pool,
    ):
        target.mkdir(parents=True, exist_ok=True)
        output = pool.submit(one, run.output_archive.name, outputs)
        if plain:
            uri, model = as_it_is(models), None
        else:
            model = pool.submit(one, run.model_archive.name, models).result()
            uri = "" if model is None else _uri(model, place, local=wanted is not None)
        packed = output.result()
    return Archives(
        model=model,
        model_uri=uri,
        output=packed,
        output_uri="" if packed is None else _uri(packed, place, local=wanted is not None),
    )


def _place(request: TrainingRequest, target: Path) -> str:
    """Give the URI that artifacts are put below, with a slash at its end."""
    if request.output_data_config.local_path is not None:
        return f"file://{target}/"
    return f"{request.output_data_config.s3_output_path.rstrip('/')}/{request.training_job_name}/output/"


def _uri(archive: Path, place: str, *, local: bool) -> str:
    return archive.as_uri() if local else place + archive.name


@contextmanager
def _refused() -> Iterator[None]:
    """Have what S3 refuses fail the job, in SageMaker's words."""
    try:
        yield
    except SmEmulateError as error:
        raise PlatformFailure(wordings.upload_failed(f"{error.what}: {error.value}")) from error


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
