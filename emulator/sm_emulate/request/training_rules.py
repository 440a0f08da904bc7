"""What CreateTrainingJob refuses beyond the limits of single members, and what the emulator does not do.

Asked only about a document in which every member by itself is sound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sm_emulate.request.validate import Problem
from sm_emulate.request.wording import listed, shown

DEFAULT_MAX_RUNTIME_S = 24 * 60 * 60
MAX_RUNTIME_LIMIT_S = 28 * 24 * 60 * 60
"""CreateTrainingJob's page gives both: one day when none is given, 28 days at most."""
_NOT_EMULATED = "not emulated"

Document = Mapping[str, Any]


def problems(document: Document) -> list[Problem]:
    """List what is wrong across the members of a CreateTrainingJob document."""
    return [
        *_algorithm(document),
        *_resources(document.get("ResourceConfig")),
        *_warm_pool(document),
        *_stopping(document),
        *_channels(document),
        *_container_paths(document),
        *repeated("Tags", [tag["Key"] for tag in document.get("Tags", ())], "tag keys"),
    ]


def _algorithm(document: Document) -> Iterator[Problem]:
    if "ServerlessJobConfig" in document:
        yield Problem(
            path="ServerlessJobConfig",
            what=f"serverless training jobs are {_NOT_EMULATED}: they run no image of yours",
            expected="AlgorithmSpecification.TrainingImage",
        )
        return
    path = "AlgorithmSpecification"
    algorithm = document.get(path)
    if algorithm is None:
        yield Problem(path=path, what=f"{path} is missing", expected="an object with TrainingImage")
        return
    if "AlgorithmName" in algorithm:
        both = "TrainingImage" in algorithm
        yield Problem(
            path=f"{path}.AlgorithmName",
            what=f"{path} has both TrainingImage and AlgorithmName"
            if both
            else f"{path}.AlgorithmName is {_NOT_EMULATED}: its image is known to AWS alone",
            value=shown(algorithm["AlgorithmName"]),
            expected="TrainingImage alone",
            hint=None if both else "give the image of the algorithm as TrainingImage",
        )
    elif not algorithm.get("TrainingImage"):
        yield Problem(
            path=f"{path}.TrainingImage",
            what=f"{path}.TrainingImage is missing",
            expected="the name of an image",
        )
    for number, metric in enumerate(algorithm.get("MetricDefinitions", ())):
        reason = _unreadable(metric["Regex"])
        if reason is not None:
            yield Problem(
                path=f"{path}.MetricDefinitions[{number}].Regex",
                what=f"the regex of metric {metric['Name']} cannot be read: {reason}",
                value=shown(metric["Regex"]),
                expected="a regular expression whose first group is the number, as loss: ([0-9.]+)",
            )


def _unreadable(regex: str) -> str | None:
    try:
        re.compile(regex)
    except re.error as error:
        return str(error)
    return None


def _resources(config: Document | None) -> Iterator[Problem]:
    path = "ResourceConfig"
    if config is None:
        yield Problem(
            path=path, what=f"{path} is missing", expected="an object with InstanceType and InstanceCount"
        )
        return
    for name in ("InstancePreferences", "SelectedInstanceType", "SelectedInstanceCount"):
        if name in config:
            yield Problem(
                path=f"{path}.{name}",
                what=f"{path}.{name} is {_NOT_EMULATED}: there is no capacity to choose from",
                expected="InstanceType and InstanceCount",
            )
            return
    groups = config.get("InstanceGroups", ())
    alone = [name for name in ("InstanceType", "InstanceCount") if name in config]
    if groups and alone:
        yield Problem(
            path=f"{path}.InstanceGroups",
            what=f"{path} has both InstanceGroups and {' and '.join(alone)}",
            expected="InstanceGroups alone, or InstanceType and InstanceCount",
        )
    elif not groups:
        for name in ("InstanceType", "InstanceCount"):
            if name not in config:
                yield Problem(
                    path=f"{path}.{name}", what=f"{path}.{name} is missing", expected="it, or InstanceGroups"
                )
    counts = {f"{path}.InstanceGroups[{at}]": group["InstanceCount"] for at, group in enumerate(groups)}
    if "InstanceCount" in config:
        counts[path] = config["InstanceCount"]
    for place, count in counts.items():
        if count < 1:
            yield Problem(
                path=f"{place}.InstanceCount",
                what=f"{place}.InstanceCount is too small",
                value=shown(count),
                expected="Member must have value greater than or equal to 1",
            )
    yield from repeated(
        f"{path}.InstanceGroups", [group["InstanceGroupName"] for group in groups], "instance group names"
    )


def _warm_pool(document: Document) -> Iterator[Problem]:
    resources = document.get("ResourceConfig") or {}
    path = "ResourceConfig.KeepAlivePeriodInSeconds"
    if not resources.get("KeepAlivePeriodInSeconds"):
        return
    if document.get("EnableManagedSpotTraining", False) or resources.get("InstanceGroups"):
        spot = document.get("EnableManagedSpotTraining", False)
        yield Problem(
            path=path,
            what="warm pools cannot be used with " + ("spot instances" if spot else "heterogeneous clusters"),
            value=shown(resources["KeepAlivePeriodInSeconds"]),
            expected=f"no {path}",
        )


def _stopping(document: Document) -> Iterator[Problem]:
    path = "StoppingCondition"
    condition = document.get(path, {})
    runtime = condition.get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_S)
    wait = condition.get("MaxWaitTimeInSeconds")
    spot = document.get("EnableManagedSpotTraining", False)
    if runtime > MAX_RUNTIME_LIMIT_S:
        yield Problem(
            path=f"{path}.MaxRuntimeInSeconds",
            what=f"{path}.MaxRuntimeInSeconds is too large",
            value=shown(runtime),
            expected=f"at most {MAX_RUNTIME_LIMIT_S}, which is 28 days",
        )
    if spot and wait is None:
        yield Problem(
            path=f"{path}.MaxWaitTimeInSeconds",
            what=f"{path}.MaxWaitTimeInSeconds is missing",
            expected=f"at least MaxRuntimeInSeconds, which is {runtime}",
            hint="EnableManagedSpotTraining is true: the waiting for a spot instance needs a limit",
        )
    elif spot and wait < runtime:
        yield Problem(
            path=f"{path}.MaxWaitTimeInSeconds",
            what=f"{path}.MaxWaitTimeInSeconds is less than MaxRuntimeInSeconds",
            value=shown(wait),
            expected=f"at least {runtime}: the waiting includes the run",
        )
    elif wait is not None and not spot:
        yield Problem(
            path=f"{path}.MaxWaitTimeInSeconds",
            what=f"{path}.MaxWaitTimeInSeconds is for managed spot training only",
            value=shown(wait),
            expected="EnableManagedSpotTraining true, or no MaxWaitTimeInSeconds",
        )


def _channels(document: Document) -> Iterator[Problem]:
    channels: Sequence[Document] = document.get("InputDataConfig", ())
    yield from repeated("InputDataConfig", [channel["ChannelName"] for channel in channels], "channel names")
    groups = [
        group["InstanceGroupName"] for group in document.get("ResourceConfig", {}).get("InstanceGroups", ())
    ]
    default_mode = document.get("AlgorithmSpecification", {}).get("TrainingInputMode", "File")
    for number, channel in enumerate(channels):
        path = f"InputDataConfig[{number}]"
        if channel["ChannelName"] in (".", ".."):
            yield Problem(
                path=f"{path}.ChannelName",
                what="a channel cannot be named like a folder's own entries",
                value=channel["ChannelName"],
                expected="a name of its own: it becomes the folder /opt/ml/input/data/NAME",
            )
        sources = channel["DataSource"]
        if len(sources) != 1:
            yield Problem(
                path=f"{path}.DataSource",
                what=f"channel {channel['ChannelName']} must have exactly one data source",
                value=", ".join(sources) or None,
                expected="S3DataSource or FileSystemDataSource",
            )
            continue
        mode = channel.get("InputMode", default_mode)
        yield from _transport(channel, mode, path)
        if "S3DataSource" in sources:
            yield from _s3(channel, mode, groups, path)
        elif "FileSystemDataSource" in sources:
            yield from _file_system(document, channel, mode, path)
        else:
            yield Problem(
                path=f"{path}.DataSource.DatasetSource",
                what=f"{path}.DataSource.DatasetSource is {_NOT_EMULATED}: hub data sets lie in AWS alone",
                expected="S3DataSource or FileSystemDataSource",
            )


def _transport(channel: Document, mode: str, path: str) -> Iterator[Problem]:
    if channel.get("CompressionType", "None") != "None" and mode != "Pipe":
        yield Problem(
            path=f"{path}.CompressionType",
            what=f"channel {channel['ChannelName']}: CompressionType {channel['CompressionType']} "
            f"is for Pipe mode only, not {mode}",
            value=shown(channel["CompressionType"]),
            expected="None, or InputMode Pipe",
            hint="in File and FastFile mode the container gets the files as they are",
        )


def _s3(channel: Document, mode: str, groups: Sequence[str], path: str) -> Iterator[Problem]:
    source = channel["DataSource"]["S3DataSource"]
    name, kind = channel["ChannelName"], source["S3DataType"]
    path = f"{path}.DataSource.S3DataSource"
    if kind == "Converse":
        yield Problem(
            path=f"{path}.S3DataType",
            what=f"channel {name}: S3DataType Converse is {_NOT_EMULATED}: it belongs to serverless jobs",
            value=kind,
            expected="S3Prefix, ManifestFile or AugmentedManifestFile",
        )
    elif kind == "AugmentedManifestFile" and mode != "Pipe":
        yield Problem(
            path=f"{path}.S3DataType",
            what=f"channel {name}: S3DataType AugmentedManifestFile is for Pipe mode only, not {mode}",
            value=kind,
            expected="InputMode Pipe",
        )
    elif mode == "FastFile" and kind != "S3Prefix":
        yield Problem(
            path=f"{path}.S3DataType",
            what=f"channel {name}: FastFile mode takes S3Prefix only, not {kind}",
            value=kind,
            expected="S3Prefix, or InputMode File",
        )
    names = source.get("AttributeNames", ())
    if kind == "AugmentedManifestFile" and not names:
        yield Problem(
            path=f"{path}.AttributeNames",
            what=f"channel {name}: AttributeNames is missing",
            expected="the attributes of the augmented manifest to send, in their order",
        )
    elif names and kind != "AugmentedManifestFile":
        yield Problem(
            path=f"{path}.AttributeNames",
            what=f"channel {name}: AttributeNames are for AugmentedManifestFile only, not {kind}",
            value=shown(names),
            expected="no AttributeNames, or S3DataType AugmentedManifestFile",
        )
    for group in source.get("InstanceGroupNames", ()):
        if group not in groups:
            yield Problem(
                path=f"{path}.InstanceGroupNames",
                what=f"channel {name}: there is no instance group {group}",
                value=shown(group),
                expected=f"one of {listed(groups)}"
                if groups
                else "ResourceConfig.InstanceGroups with that group",
            )


def _file_system(document: Document, channel: Document, mode: str, path: str) -> Iterator[Problem]:
    if mode != "File":
        yield Problem(
            path=f"{path}.InputMode",
            what=f"channel {channel['ChannelName']}: a file system is for File mode only, not {mode}",
            value=mode,
            expected="File",
        )
    if "VpcConfig" not in document:
        yield Problem(
            path="VpcConfig",
            what=f"channel {channel['ChannelName']}: a file system needs VpcConfig",
            expected="the subnets and security groups through which it is reached",
        )


def _container_paths(document: Document) -> Iterator[Problem]:
    for name in ("CheckpointConfig", "DebugHookConfig", "TensorBoardOutputConfig"):
        path = document.get(name, {}).get("LocalPath")
        if path is not None and not path.startswith("/"):
            yield Problem(
                path=f"{name}.LocalPath",
                what=f"{name}.LocalPath must be an absolute path inside the container",
                value=shown(path),
                expected="a path that begins with /",
            )


def repeated(path: str, names: Iterable[str], noun: str) -> Iterator[Problem]:
    """Find names that stand in a list twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield Problem(
                path=path, what=f"{path} has two equal {noun}", value=shown(name), expected="each only once"
            )
        seen.add(name)
