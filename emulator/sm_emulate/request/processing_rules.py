"""What CreateProcessingJob refuses beyond the limits of single members, and what the emulator does not do.

Asked only about a document in which every member by itself is sound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from sm_emulate.request.training_rules import repeated
from sm_emulate.request.validate import Problem
from sm_emulate.request.wording import shown
from sm_emulate.spec.processing_job import PROCESSING_LAYOUT

_NOT_EMULATED = "not emulated"
_BELOW = f"{PROCESSING_LAYOUT.processing}/"

Document = Mapping[str, Any]


def problems(document: Document) -> list[Problem]:
    """List what is wrong across the members of a CreateProcessingJob document."""
    inputs: Sequence[Document] = document.get("ProcessingInputs", ())
    outputs: Sequence[Document] = document.get("ProcessingOutputConfig", {}).get("Outputs", ())
    return [
        *_application(document),
        *_resources(document),
        *repeated("ProcessingInputs", [each["InputName"] for each in inputs], "input names"),
        *(
            problem
            for number, each in enumerate(inputs)
            for problem in _input(each, f"ProcessingInputs[{number}]")
        ),
        *repeated("ProcessingOutputConfig.Outputs", [each["OutputName"] for each in outputs], "output names"),
        *(
            problem
            for number, each in enumerate(outputs)
            for problem in _output(each, f"ProcessingOutputConfig.Outputs[{number}]")
        ),
        *_places(inputs, outputs),
        *repeated("Tags", [tag["Key"] for tag in document.get("Tags", ())], "tag keys"),
    ]


def _application(document: Document) -> Iterator[Problem]:
    if not document["AppSpecification"]["ImageUri"]:
        yield Problem(
            path="AppSpecification.ImageUri",
            what="AppSpecification.ImageUri is empty",
            expected="the name of an image",
        )


def _resources(document: Document) -> Iterator[Problem]:
    path = "ProcessingResources.ClusterConfig"
    cluster = document["ProcessingResources"]["ClusterConfig"]
    for name in ("InstancePreferences", "SelectedInstanceType", "SelectedInstanceCount"):
        if name in cluster:
            yield Problem(
                path=f"{path}.{name}",
                what=f"{path}.{name} is {_NOT_EMULATED}: there is no capacity to choose from",
                expected="InstanceType and InstanceCount",
            )
            return
    if "InstanceType" not in cluster:
        yield Problem(
            path=f"{path}.InstanceType",
            what=f"{path}.InstanceType is missing",
            expected="an instance type such as ml.m5.large",
        )


def _input(each: Document, path: str) -> Iterator[Problem]:
    name, managed = each["InputName"], not each.get("AppManaged", False)
    yield from _plain_name(name, f"{path}.InputName", "input")
    sources = [kind for kind in ("S3Input", "DatasetDefinition") if kind in each]
    if len(sources) != 1:
        yield Problem(
            path=path,
            what=f"input {name} must have exactly one source",
            value=", ".join(sources) or None,
            expected="S3Input or DatasetDefinition",
        )
    elif sources == ["DatasetDefinition"]:
        if managed:
            yield Problem(
                path=f"{path}.DatasetDefinition",
                what=f"input {name}: DatasetDefinition is {_NOT_EMULATED}: no Athena and no Redshift answers here",
                expected="S3Input, or AppManaged true for a program that asks them by itself",
                hint="run the query once, and give the files that it made as an S3Input",
            )
    elif managed:
        source = each["S3Input"]
        yield from _local_path(source, f"{path}.S3Input.LocalPath", f"input {name}")
        mode, compression = source.get("S3InputMode", "File"), source.get("S3CompressionType", "None")
        if compression != "None" and mode != "Pipe":
            yield Problem(
                path=f"{path}.S3Input.S3CompressionType",
                what=f"input {name}: S3CompressionType {compression} is for Pipe mode only, not {mode}",
                value=shown(compression),
                expected="None, or S3InputMode Pipe",
                hint="in File mode the container gets the files as they are",
            )


def _output(each: Document, path: str) -> Iterator[Problem]:
    name, managed = each["OutputName"], not each.get("AppManaged", False)
    yield from _plain_name(name, f"{path}.OutputName", "output")
    targets = [kind for kind in ("S3Output", "FeatureStoreOutput") if kind in each]
    if len(targets) != 1:
        yield Problem(
            path=path,
            what=f"output {name} must have exactly one target",
            value=", ".join(targets) or None,
            expected="S3Output or FeatureStoreOutput",
        )
    elif targets == ["FeatureStoreOutput"]:
        if managed:
            yield Problem(
                path=f"{path}.FeatureStoreOutput",
                what=f"output {name}: FeatureStoreOutput is for AppManaged outputs only",
                expected="AppManaged true",
                hint="the program puts the records into the Feature Store by itself",
            )
    elif managed:
        yield from _local_path(each["S3Output"], f"{path}.S3Output.LocalPath", f"output {name}")


def _plain_name(name: str, path: str, noun: str) -> Iterator[Problem]:
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        yield Problem(
            path=path,
            what=f"an {noun} has no name that a folder can have",
            value=shown(name),
            expected="a name without slashes",
        )


def _local_path(holder: Document, path: str, what: str) -> Iterator[Problem]:
    given = holder.get("LocalPath", "")
    if not given:
        yield Problem(path=path, what=f"{what}: LocalPath is missing", expected=f"a path below {_BELOW}")
    elif not given.startswith(_BELOW) or not given[len(_BELOW) :].strip("/"):
        yield Problem(
            path=path,
            what=f"{what}: LocalPath must begin with {_BELOW}",
            value=shown(given),
            expected=f"a path below {_BELOW}",
        )
    elif ".." in PurePosixPath(given).parts or "\0" in given:
        yield Problem(
            path=path,
            what=f"{what}: LocalPath is no place of its own",
            value=shown(given),
            expected=f"a path below {_BELOW} without `..`",
        )


def _places(inputs: Sequence[Document], outputs: Sequence[Document]) -> Iterator[Problem]:
    """Two things in one place hide each other."""
    taken: dict[PurePosixPath, str] = {}
    for path, kind, each in (
        *((f"ProcessingInputs[{at}]", "S3Input", one) for at, one in enumerate(inputs)),
        *((f"ProcessingOutputConfig.Outputs[{at}]", "S3Output", one) for at, one in enumerate(outputs)),
    ):
        given = each.get(kind, {}).get("LocalPath")
        if not given or each.get("AppManaged", False):
            continue
        name = each.get("InputName") or each.get("OutputName")
        place = PurePosixPath(given)
        if place in taken:
            yield Problem(
                path=f"{path}.{kind}.LocalPath",
                what=f"{taken[place]} and {name} have the same LocalPath, which is {_NOT_EMULATED}",
                value=shown(given),
                expected="a LocalPath for each",
            )
        taken[place] = str(name)
