"""`sm-emulate update`."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sm_emulate.cli.options import complete_components, complete_running, home_option, output_option, runs_of

if TYPE_CHECKING:
    from sm_emulate.lifecycle.hosting.update import Update
    from sm_emulate.storage.run_folder import RunFolder

POLL_SECONDS = 0.1
_OF_THE_CONFIG = (
    "data_capture",
    "data_capture_sampling",
    "no_data_capture",
    "async_output",
    "async_failure",
    "max_concurrent",
)
"""The flags that change members of CreateEndpointConfig."""
EXAMPLES = """\b
Examples:
  sm-emulate update demo --image my-image:2
  sm-emulate update demo --image my-image:2 --model model2.tar.gz
  sm-emulate update demo --container predict --image predict:2
  sm-emulate update demo --request new-endpoint.json
  sm-emulate update demo --data-capture ./captured --data-capture-sampling 20
  sm-emulate update later --async-output ./answers2 --max-concurrent 8
  sm-emulate update demo --weight old=0.5 --weight new=0.5
  sm-emulate update demo --component a --copies 3
  sm-emulate update demo --component b=my-image,copies=2,memory=512
  sm-emulate update demo --delete-component b
\b
The new containers start beside the old ones and take all requests once every one of them is
healthy; the old ones then finish theirs and are stopped. If the new ones do not become
healthy, the endpoint goes on as it was, and this exits with 1.
"""


@click.command(epilog=EXAMPLES)
@click.argument("name", shell_complete=complete_running)
@click.option("--request", "request_file", type=click.Path(path_type=Path), metavar="FILE",
              help="JSON of CreateModel, CreateEndpointConfig and CreateEndpoint; - is stdin.")  # fmt: skip
@click.option("--image", metavar="IMAGE", help="New image of the first variant.")
@click.option("--model", metavar="PATH", help="Its new model; without it the old one.")
@click.option("--container", metavar="NAME",
              help="Which of several containers of the first variant they are for.")  # fmt: skip
@click.option("--data-capture", metavar="PATH|s3://...",
              help="Capture requests and answers into this place from now on.")  # fmt: skip
@click.option("--data-capture-sampling", type=click.IntRange(0, 100), metavar="N",
              help="How many percent of them.")  # fmt: skip
@click.option("--no-data-capture", is_flag=True, help="Capture none any more.")
@click.option("--async-output", metavar="PATH|s3://...",
              help="Where the answers of an asynchronous endpoint go that it accepts from now on.")  # fmt: skip
@click.option("--async-failure", metavar="PATH|s3://...", help="Where its failures go.")
@click.option("--max-concurrent", type=int, metavar="N",
              help="Its MaxConcurrentInvocationsPerInstance, 1 to 1000.")  # fmt: skip
@click.option("--weight", "weights", multiple=True, metavar="VARIANT=NUMBER",
              help="New weight of a variant; no container is restarted.")  # fmt: skip
@click.option("--component", metavar="NAME or NAME=IMAGE[,...]", shell_complete=complete_components,
              help="Inference component that is scaled with --copies, or added.")  # fmt: skip
@click.option("--copies", type=click.IntRange(min=0), metavar="N", help="How many copies it is to have.")
@click.option("--delete-component", metavar="NAME", shell_complete=complete_components,
              help="Inference component that is deleted.")  # fmt: skip
@home_option
@output_option
def update(name: str, home: Path | None, output: str, **flags: Any) -> None:
    """Change a running endpoint as UpdateEndpoint does, and go back if it fails."""
    from sm_emulate.errors import RequestError
    from sm_emulate.lifecycle.hosting.update import ask_for

    ways = [
        way for way in ("request_file", "image", "weights", "component", "delete_component") if flags[way]
    ]
    if any(flags[name] not in (None, False) for name in _OF_THE_CONFIG) and ways in ([], ["image"]):
        ways = ["config"]
    elif any(flags[name] not in (None, False) for name in _OF_THE_CONFIG):
        raise click.UsageError("Data capture and asynchronous inference are changed alone, or with --image.")
    if len(ways) != 1 or ((flags["model"] or flags["container"]) and not flags["image"]):
        raise click.UsageError(
            "Give one of --image IMAGE, --request FILE, --weight VARIANT=NUMBER, --component and --delete-component; "
            "or what is to change of data capture or asynchronous inference."
        )
    adds = "=" in (flags["component"] or "")
    if (flags["copies"] is not None) is not (ways == ["component"] and not adds):
        raise click.UsageError("--component NAME and --copies N go together; NAME=IMAGE,copies=N adds one.")
    run = runs_of(home).find(name)
    standing = run.description()
    if run.kind != "endpoints" or run.owner_pid() is None:
        raise RequestError("no endpoint of this name runs", value=name)
    if standing.get("EndpointStatus") != "InService":
        raise RequestError(
            "only an endpoint in service can be updated",
            value=standing.get("EndpointStatus", "Creating"),
            expected="InService",
        )
    wanted = _update(run, flags, standing)
    ask_for(run, wanted)
    described = _wait(run, wanted.id, component=wanted.component)
    if output == "json":
        click.echo(json.dumps(described, indent=2))
    else:
        click.echo(f"{run.id}: {described['EndpointStatus']}")


def _update(run: RunFolder, flags: dict[str, Any], standing: dict[str, Any]) -> Update:
    """Say what is asked for, once it was found sound."""
    from sm_emulate.errors import RequestError
    from sm_emulate.lifecycle.hosting.update import Update, check_async, check_container
    from sm_emulate.request import location
    from sm_emulate.request.async_inference import MEMBER as ASYNC
    from sm_emulate.request.endpoint import from_request_file, load_models
    from sm_emulate.request.hosted_model import check_local
    from sm_emulate.request.json_file import read_object
    from sm_emulate.storage.runs import default_cache

    if flags["component"] or flags["delete_component"]:
        return _component(flags, standing)
    if flags["weights"]:
        return Update(weights=_weights(flags["weights"], standing))
    config = _config(run, flags, standing)
    if flags["image"]:
        first = standing["ProductionVariants"][0]["VariantName"]
        several = standing.get("Emulator", {}).get("Containers", {}).get(first, ())
        check_container(flags["container"], [each["ContainerHostname"] for each in several])
        # the process itself makes the rest: what it keeps on disk has no values of the environment
        model = flags["model"]
        path = None if model is None else location.local_path(model)
        if path is not None:
            if not path.exists():
                raise location.missing("the model is not there: no such file or folder", path.absolute())
            model = str(path.absolute())
        return Update(image=flags["image"], model=model, container=flags["container"], config=config)
    if config:
        return Update(config=config)
    document = read_object(flags["request_file"], what="the request file")
    request = from_request_file(document, models=load_models(cache_dir=default_cache(os.environ)))
    if request.endpoint_name != run.name:
        raise RequestError(
            "the request is for another endpoint", value=request.endpoint_name, expected=run.name
        )
    check_async(request, asynchronous=ASYNC in standing)
    for variant in request.all_variants:
        check_local(variant.model)
    return Update(request=request.as_aws())


def _config(run: RunFolder, flags: dict[str, Any], standing: dict[str, Any]) -> dict[str, Any]:
    """Say which members of CreateEndpointConfig are changed, once they were found sound."""
    from sm_emulate.errors import RequestError
    from sm_emulate.lifecycle.hosting.update import with_config
    from sm_emulate.request import async_inference, location
    from sm_emulate.request import data_capture as capturing
    from sm_emulate.request.endpoint import from_request_file, load_models
    from sm_emulate.storage.runs import default_cache

    found: dict[str, Any] = {}
    document = run.read(run.request) or {}
    now = document.get("CreateEndpointConfig", {})
    place, sampling = flags["data_capture"], flags["data_capture_sampling"]
    if flags["no_data_capture"]:
        if (place, sampling) != (None, None):
            raise click.UsageError("--no-data-capture captures none: leave out the other flags of it.")
        found[capturing.MEMBER] = None
    elif place is not None or sampling is not None:
        there = now.get(capturing.MEMBER)
        if place is None and there is None:
            raise RequestError(
                "nothing is captured of this endpoint", hint="--data-capture names a place for it"
            )
        made = there or capturing.config_of_flags(destination=place, sampling=100)
        given = {"DestinationS3Uri": place, "InitialSamplingPercentage": sampling, "EnableCapture": True}
        found[capturing.MEMBER] = {
            **made,
            **{key: value for key, value in given.items() if value is not None},
        }
    changes = {
        "output": flags["async_output"],
        "failure": flags["async_failure"],
        "max_concurrent": flags["max_concurrent"],
    }
    if any(value is not None for value in changes.values()):
        if async_inference.MEMBER not in standing:
            raise RequestError(
                "this endpoint answers at once: only an asynchronous one takes these",
                value=next(value for value in changes.values() if value is not None),
                hint="`sm-emulate serve --async-output` makes one; an update cannot",
            )
        found[async_inference.MEMBER] = async_inference.changed(now[async_inference.MEMBER], **changes)
    if found:
        found = location.absolute(found, (*async_inference.LOCATIONS, *capturing.LOCATIONS), base_dir=None)
        models = load_models(cache_dir=default_cache(os.environ))
        from_request_file(with_config(document, found), models=models)
    return found


def _component(flags: dict[str, Any], standing: dict[str, Any]) -> Update:
    """Say which inference component is added, scaled or deleted."""
    from sm_emulate.errors import RequestError
    from sm_emulate.lifecycle.hosting.update import Update
    from sm_emulate.request import location
    from sm_emulate.request.component_flags import component_flags, documents_of_flags
    from sm_emulate.request.inference_component import OPERATION
    from sm_emulate.request.naming import DEFAULT_ROLE_ARN

    there = standing["Emulator"].get("InferenceComponents")
    if there is None:
        raise RequestError("this endpoint does not host inference components", value=standing["EndpointName"])
    names = [each["InferenceComponentName"] for each in there]
    text = flags["component"] or flags["delete_component"]
    if flags["delete_component"] or "=" not in text:
        if text not in names:
            raise RequestError(
                "the endpoint has no inference component of this name",
                value=text,
                expected=" or ".join(names) or "one that was added",
            )
        return Update(component=text, copies=flags["copies"])
    read = component_flags(text)
    path = None if read.model_data is None else location.local_path(read.model_data)
    if path is not None and not path.exists():
        raise location.missing("the model is not there: no such file or folder", path.absolute())
    if path is not None:
        read = replace(read, model_data=str(path.absolute()))
    model, document = documents_of_flags(
        read,
        endpoint_name=standing["EndpointName"],
        variant_name=standing["ProductionVariants"][0]["VariantName"],
        role_arn=DEFAULT_ROLE_ARN,
    )
    return Update(component=read.name, documents={"CreateModel": model, OPERATION: document})


def _weights(texts: tuple[str, ...], standing: dict[str, Any]) -> dict[str, float]:
    from sm_emulate.errors import RequestError

    names = [each["VariantName"] for each in standing["ProductionVariants"]]
    weights = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not equals or not math.isfinite(weight):
            raise RequestError("this is no weight", value=text, expected="VARIANT=NUMBER")
        if name in weights:
            raise RequestError(
                "the weight of a variant is given twice", value=name, expected="each only once"
            )
        weights[name] = weight
        if name not in names:
            raise RequestError("this endpoint has no such variant", value=name, expected=" or ".join(names))
    now = {each["VariantName"]: each["CurrentWeight"] for each in standing["ProductionVariants"]}
    if not any((now | weights).values()):
        raise RequestError(
            "no production variant would get any traffic: all weights are 0",
            value=" ".join(texts),
            expected="one above 0",
        )
    return weights


def _wait(run: RunFolder, update_id: str, *, component: str | None) -> dict[str, Any]:
    """Wait until the update is over, and give the endpoint's description.

    Raises:
        EndpointFailedError: it was rolled back, or failed for an inference component, and a container is at fault.
        RequestError: likewise, and what was asked for is.
        MachineError: likewise, and this machine is.
    """
    from sm_emulate.errors import EndpointFailedError, ExitCode, MachineError, RequestError

    while True:
        over = run.owner_pid() is None
        described = run.description()
        last = described.get("Emulator", {}).get("LastUpdate", {})
        if last.get("Id") == update_id:
            if last["Status"] == "Succeeded":
                return described
            whose = "the update was rolled back"
            if component is not None:
                whose = f"the update of inference component {component} failed"
            at_fault = {ExitCode.USAGE: RequestError, ExitCode.MACHINE: MachineError}
            raise at_fault.get(last["ExitCode"], EndpointFailedError)(
                f"{whose}: {last['FailureReason']}",
                value=last.get("Seen") or None,
                hint=f"the endpoint goes on as it was; `sm-emulate logs {run.name}` has all containers' output",
                evidence=tuple(last.get("Evidence", ())),
            )
        if over:
            raise EndpointFailedError(
                "the endpoint ended before its update", value=described.get("EndpointStatus")
            )
        time.sleep(POLL_SECONDS)
