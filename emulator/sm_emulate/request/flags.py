"""The words of the command line, put into the document of the API. What a value may be is not judged here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sm_emulate.errors import RequestError
from sm_emulate.request.json_file import read_object
from sm_emulate.request.named_path import Form
from sm_emulate.request.wording import shorten, shown

if TYPE_CHECKING:
    from pathlib import Path

_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def channel(text: str) -> dict[str, Any]:
    r"""Read `train=./data,mode=FastFile,content-type=text/csv` into a Channel of the API.

    A comma inside the path is written `\,`.
    """
    given = _CHANNEL.read(text)
    source: dict[str, Any] = {
        "S3DataType": "S3Prefix",
        "S3Uri": given.path,
        "S3DataDistributionType": "FullyReplicated",
    }
    made: dict[str, Any] = {"ChannelName": given.name, "DataSource": {"S3DataSource": source}}
    for option, value in given.options.items():
        CHANNEL_OPTIONS[option](made, source, value)
    return made


def key_value(text: str, *, what: str, secret: bool = False) -> tuple[str, str]:
    """Read `KEY=VALUE`; the value may be empty and may hold further equals signs.

    Args:
        text: what was typed.
        what: what it is called, as `hyperparameter`.
        secret: never print the value.
    """
    key, equals, value = text.partition("=")
    if equals and key:
        return key, value
    # without a key, all of the text may be the secret
    seen = shown(text, secret=secret)
    if not equals:
        hint = None if secret else f"{shorten(text)}=VALUE"
        raise RequestError(f"{_a(what)} has no value", value=seen, expected="KEY=VALUE", hint=hint)
    raise RequestError(f"{_a(what)} has no name", value=seen, expected="KEY=VALUE")


def key_values(texts: Iterable[str], *, what: str, secret: bool = False) -> dict[str, str]:
    """Read several `KEY=VALUE`; a key that is given twice is refused, since one of the two would be lost."""
    found: dict[str, str] = {}
    for text in texts:
        key, value = key_value(text, what=what, secret=secret)
        if key in found:
            raise RequestError(f"{what} {key} is given twice", value=key, expected="each only once")
        found[key] = value
    return found


def hyperparameters_file(path: Path) -> dict[str, str]:
    """Read a JSON object of hyperparameters; what is no string becomes its JSON text, as the SDK does it."""
    what = "the hyperparameters file"
    return hyperparameters(read_object(path, what=what), what=what, seen=path)


def hyperparameters(
    values: Mapping[str, object], *, what: str = "the request", seen: object = None
) -> dict[str, str]:
    """Give values as the strings that the API takes; what is no string becomes its JSON text, as the SDK does it."""
    found: dict[str, str] = {}
    for name, value in values.items():
        try:
            text = None if value is None else value if isinstance(value, str) else json.dumps(value)
        except (TypeError, ValueError):
            text = None
        if text is None:
            raise RequestError(
                f"{what} gives hyperparameter {name} as "
                + ("null" if value is None else type(value).__name__),
                value=shown(value) if seen is None else seen,
                expected="a string, a number, true, false, a list or an object",
                hint=f"leave {name} out, or write it as a string",
            )
        found[name] = text
    return found


def metric(text: str) -> dict[str, str]:
    """Read `NAME=REGEX` into a MetricDefinition of the API."""
    name, equals, regex = text.partition("=")
    form = "NAME=REGEX, as loss=loss: ([0-9.]+)"
    if not equals or not regex:
        raise RequestError("a metric has no regex", value=shown(text), expected=form)
    if not name.strip():
        raise RequestError("a metric has no name", value=shown(text), expected=form)
    try:
        groups = re.compile(regex).groups
    except re.error as error:
        raise RequestError(
            f"the regex of metric {name} cannot be read: {error}", value=shown(regex), expected=form
        ) from error
    if groups < 1:
        raise RequestError(
            f"the regex of metric {name} has no group: SageMaker would find no number in it",
            value=shown(regex),
            expected=form,
            hint="put the number in round brackets",
        )
    return {"Name": name, "Regex": regex}


def instance_group(text: str) -> dict[str, Any]:
    """Read `NAME=TYPE:COUNT` into an InstanceGroup of the API; without a count it is 1."""
    name, equals, rest = text.partition("=")
    instance_type, colon, count = rest.partition(":")
    if not equals or not name.strip() or not instance_type.strip() or (colon and not count.isdecimal()):
        raise RequestError(
            "--instance-group does not take this value",
            value=shown(text),
            expected="NAME=TYPE:COUNT, as workers=ml.c5.xlarge:2",
        )
    return {"InstanceGroupName": name, "InstanceType": instance_type, "InstanceCount": int(count or 1)}


def duration(text: str, *, what: str) -> int:
    """Read `90`, `90s`, `15m`, `2h` or `1d` as seconds."""
    found = re.fullmatch(r"(\d+)([smhd]?)", text.strip().lower(), re.ASCII)
    if found is None:
        raise RequestError(
            f"{what} is no duration", value=shown(text), expected="seconds, or 90s, 15m, 2h, 1d"
        )
    return int(found[1]) * _UNIT_SECONDS[found[2]]


def seconds_each(text: str, *, what: str) -> tuple[float, ...]:
    """Read `20,15` or `1m,0.5` as seconds."""
    found = []
    for part in text.split(","):
        read = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", part.strip().lower(), re.ASCII)
        if read is None:
            raise RequestError(
                f"{what} is no row of durations", value=shown(text), expected="seconds, as 20 or 20,15"
            )
        found.append(float(read[1]) * _UNIT_SECONDS[read[2]])
    return tuple(found)


def training_document(
    *,
    image: str | None,
    job_name: str | None,
    role_arn: str | None,
    output_path: str | None,
    instance_type: str | None,
    instance_count: int | None = 1,
    instance_groups: Sequence[Mapping[str, Any]] = (),
    volume_size_in_gb: int | None = None,
    channels: Sequence[Mapping[str, Any]] = (),
    hyperparameters: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    entrypoint: Sequence[str] = (),
    arguments: Sequence[str] = (),
    metrics: Sequence[Mapping[str, str]] = (),
    input_mode: str | None = "File",
    max_runtime_in_seconds: int | None = None,
    network_isolation: bool = False,
    spot: bool = False,
    max_wait_time_in_seconds: int | None = None,
    maximum_retry_attempts: int | None = None,
    keep_alive_period_in_seconds: int | None = None,
    checkpoints: str | None = None,
    checkpoint_local_path: str | None = None,
    tensorboard_output: str | None = None,
    debug_output: str | None = None,
    profiler_output: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Give the CreateTrainingJob document that these flags mean; `training.from_aws` judges it.

    A flag that is None or empty leaves its member out, as when the flags are put over a document.
    """
    return given_only(
        TrainingJobName=job_name,
        RoleArn=role_arn,
        AlgorithmSpecification=given_only(
            TrainingImage=image,
            TrainingInputMode=input_mode,
            ContainerEntrypoint=list(entrypoint),
            ContainerArguments=list(arguments),
            MetricDefinitions=[dict(one) for one in metrics],
        ),
        HyperParameters=dict(hyperparameters or {}),
        InputDataConfig=[dict(one) for one in channels],
        OutputDataConfig=given_only(S3OutputPath=output_path),
        ResourceConfig=given_only(
            InstanceType=instance_type,
            InstanceCount=instance_count,
            InstanceGroups=[dict(one) for one in instance_groups],
            VolumeSizeInGB=volume_size_in_gb,
            KeepAlivePeriodInSeconds=keep_alive_period_in_seconds,
        ),
        StoppingCondition=given_only(
            MaxRuntimeInSeconds=max_runtime_in_seconds, MaxWaitTimeInSeconds=max_wait_time_in_seconds
        ),
        RetryStrategy=given_only(MaximumRetryAttempts=maximum_retry_attempts),
        CheckpointConfig=given_only(S3Uri=checkpoints, LocalPath=checkpoint_local_path),
        TensorBoardOutputConfig=given_only(S3OutputPath=tensorboard_output),
        DebugHookConfig=given_only(S3OutputPath=debug_output),
        ProfilerConfig=given_only(S3OutputPath=profiler_output),
        Environment=dict(environment or {}),
        EnableNetworkIsolation=network_isolation or None,
        EnableManagedSpotTraining=spot or None,
        Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()],
    )


def given_only(**members: Any) -> dict[str, Any]:
    """Give the members that were given: neither None nor empty."""
    return {name: value for name, value in members.items() if value not in (None, [], {})}


_Put = Callable[[dict[str, Any], dict[str, Any], str], None]


def _into_channel(member: str) -> _Put:
    return lambda made, _source, value: made.__setitem__(member, value)


def _into_source(member: str, *, many: bool = False) -> _Put:
    return lambda _made, source, value: source.__setitem__(member, value.split(":") if many else value)


def _shuffle(made: dict[str, Any], _source: dict[str, Any], value: str) -> None:
    if not re.fullmatch(r"-?\d+", value, re.ASCII):
        raise RequestError(
            f"channel {made['ChannelName']}: shuffle-seed is no whole number",
            value=shown(value),
            expected="a whole number",
        )
    made["ShuffleConfig"] = {"Seed": int(value)}


CHANNEL_OPTIONS: Mapping[str, _Put] = {
    "mode": _into_channel("InputMode"),
    "content-type": _into_channel("ContentType"),
    "compression": _into_channel("CompressionType"),
    "record-wrapper": _into_channel("RecordWrapperType"),
    "shuffle-seed": _shuffle,
    "type": _into_source("S3DataType"),
    "distribution": _into_source("S3DataDistributionType"),
    "attributes": _into_source("AttributeNames", many=True),
    "instance-groups": _into_source("InstanceGroupNames", many=True),
}
"""What may follow the path of `--channel`, and where in the Channel it goes."""


_CHANNEL = Form(noun="channel", flag="--channel", options=CHANNEL_OPTIONS, example="train")


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
