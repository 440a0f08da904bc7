"""What training leaves in /opt/ml, and elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.evidence.training.folders import (
    Clashes,
    InputWrites,
    ModelFolder,
    OutputFolder,
    WritableLayer,
)
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Outcome, Pass, Severity, rule
from sm_contracts.rules.training import sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GIB = 1 << 30
_LAYER_LIMIT = _GIB
_SHOWN = 5


@rule(
    "SM203", "no-model", severity=Severity.ERROR, roles=Role.TRAIN, needs=ModelFolder, source=sources.OUTPUT
)
def no_model(model: ModelFolder) -> Iterator[Outcome]:
    """Training ends well and leaves no model.

    What:
        The program exited with code 0 and there is no file in /opt/ml/model.

    Why:
        SageMaker packs /opt/ml/model, and nothing else, into model.tar.gz. The job is Completed, and CreateModel
        later fails because there is no archive.

    Fix:
        Save the model to /opt/ml/model (`SM_MODEL_DIR` with the training toolkit). A relative path, a home folder or
        an S3 upload of your own does not count.
    """
    if not model.folder.files:
        yield Fail("training ended with exit code 0 and /opt/ml/model is empty", {"files": 0})
    else:
        yield Pass({"files": model.folder.files})


@rule(
    "SM210",
    "symlink-in-model",
    severity=Severity.ERROR,
    roles=Role.TRAIN,
    needs=ModelFolder,
    source=sources.LINKS,
)
def symlink_in_model(model: ModelFolder) -> Iterator[Outcome]:
    """There are symbolic links in the model.

    What:
        After training there are symbolic links in /opt/ml/model.

    Why:
        They are packed into model.tar.gz as links, and hosting refuses to unpack such an archive: the endpoint fails
        with `Failed to extract model data archive`. Caches of Hugging Face and of package managers are full of them.

    Fix:
        Copy what the links point to: `shutil.copytree(source, "/opt/ml/model", symlinks=False)`, or
        `cp --dereference`.
    """
    links = model.folder.symlinks
    if links:
        yield Fail(
            f"/opt/ml/model has symbolic links: {_some([f'{name} -> {to}' for name, to in links.items()])}",
            {"symlinks": dict(links)},
        )


@rule(
    "SM211",
    "link-or-special-in-output",
    severity=Severity.WARNING,
    roles=Role.TRAIN,
    needs=(ModelFolder, OutputFolder),
    source=sources.OUTPUT,
)
def link_or_special_in_output(model: ModelFolder, output: OutputFolder) -> Iterator[Outcome]:
    """There are files that cannot be packed.

    What:
        After training there are devices, sockets or FIFOs in /opt/ml/model or /opt/ml/output/data.

    Why:
        Both folders become tar archives in S3. What is no file, folder or link is left out of them, or makes the
        upload fail.

    Fix:
        Make sockets and FIFOs in /tmp, and remove them before the program ends.
    """
    found = {
        f"{title}/{name}": kind
        for title, folder in (("/opt/ml/model", model.folder), ("/opt/ml/output/data", output.folder))
        for name, kind in folder.specials.items()
    }
    if found:
        yield Fail(
            f"there are special files: {_some([f'{name} is a {kind}' for name, kind in found.items()])}",
            {"specials": found},
        )


@rule(
    "SM209",
    "writes-to-input",
    severity=Severity.WARNING,
    roles=Role.TRAIN,
    needs=InputWrites,
    source=sources.DATA,
)
def writes_to_input(writes: InputWrites) -> Iterator[Outcome]:
    """Training writes into its input data.

    What:
        A run with read-only channels fails, or a run that could do so wrote into /opt/ml/input/data.

    Why:
        In FastFile mode channels are mounted read-only, and so are file systems with access mode `ro`. A program
        that keeps caches, indexes or unpacked archives beside its data works in File mode only.

    Fix:
        Write to /tmp, which lies on the job's large volume, or to /opt/ml/output/data if it is to be kept.
    """
    if not writes.read_only.completed:
        yield Fail(
            f"with read-only channels training {writes.read_only.outcome}", writes.read_only.as_evidence()
        )
    if writes.wrote:
        yield Fail(f"training wrote into its input: {_some(writes.wrote)}", {"wrote": list(writes.wrote)})


@rule(
    "SM217",
    "writes-outside-volumes",
    severity=Severity.WARNING,
    roles=Role.TRAIN,
    needs=WritableLayer,
    source=sources.STORAGE,
)
def writes_outside_volumes(layer: WritableLayer) -> Iterator[Outcome]:
    """Training writes a lot outside the job's volume.

    What:
        A run wrote more than 1 GiB into the container's own layer: outside /opt/ml and /tmp.

    Why:
        VolumeSizeInGB is the size of the volume that holds /opt/ml and /tmp. Everything else lies on the instance's
        small root disk, which no request makes larger: `No space left on device` with an almost empty volume.

    Fix:
        Point caches to /tmp: `HF_HOME`, `TORCH_HOME`, `XDG_CACHE_HOME`, `TMPDIR`, and the working directory of
        programs that write where they stand.
    """
    if layer.bytes > _LAYER_LIMIT:
        yield Fail(
            f"training wrote {layer.bytes / _GIB:.2f} GiB outside /opt/ml and /tmp", {"bytes": layer.bytes}
        )
    else:
        yield Pass({"bytes": layer.bytes})


@rule(
    "SM220",
    "output-clash",
    severity=Severity.WARNING,
    roles=Role.TRAIN,
    needs=Clashes,
    source=sources.OUTPUT,
)
def output_clash(clashes: Clashes) -> Iterator[Outcome]:
    """Two hosts write the same names.

    What:
        On two hosts, both wrote files of the same name into /opt/ml/model or /opt/ml/output/data. Where the files
        were equal this is only worth knowing: then it does not matter which of them is kept.

    Why:
        The folders of all hosts are merged into one archive. Which of two files of one name survives is undefined.

    Fix:
        Let only the first of `hosts` in resourceconfig.json save the model, and put `current_host` into the names of
        everything that each host writes for itself.
    """
    if clashes.different:
        yield Fail(
            f"two hosts wrote different files of the same name: {_some(clashes.different)}",
            {"different": list(clashes.different), "equal": list(clashes.equal)},
        )
    elif clashes.equal:
        yield Fail(
            f"two hosts wrote files of the same name, equal for this data: {_some(clashes.equal)}",
            {"equal": list(clashes.equal)},
            severity=Severity.INFO,
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
