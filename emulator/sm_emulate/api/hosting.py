"""Endpoints from Python: `serve` gives one that is in service, `invoke` sends it a payload."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sm_emulate.api.engines import engine_for
from sm_emulate.api.images import find_image
from sm_emulate.api.running import forgotten_unless_begun, runs_at
from sm_emulate.engine.gpus import gpu_request
from sm_emulate.errors import MachineError, RequestError
from sm_emulate.gateway import check_port
from sm_emulate.gateway.client import Answer
from sm_emulate.gateway.client import invoke as invoke_at
from sm_emulate.lifecycle.hosting.endpoint import Endpoint
from sm_emulate.lifecycle.hosting.image_labels import check_labels
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.report.run_files import RunFiles
from sm_emulate.request.hosted_model import check_local
from sm_emulate.request.placed import placed
from sm_emulate.spec import async_inference as async_spec
from sm_emulate.spec.containers import ports_of
from sm_emulate.spec.endpoint import STOP_GRACE_SECONDS
from sm_emulate.staging.model_files import check_stored
from sm_emulate.storage.s3_place import S3Place
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any, BinaryIO

    from sm_emulate.engine.protocol import ContainerSpec, Engine, Image
    from sm_emulate.events import Listener
    from sm_emulate.gateway.bidirectional_client import BidirectionalCall
    from sm_emulate.request.endpoint import EndpointRequest

POLL_SECONDS = 0.2


@contextmanager
def new_endpoint(
    request: EndpointRequest,
    *,
    engine: Engine | None = None,
    home: Path | None = None,
    platform: Platform | None = None,
    port: int = 0,
    gpus: str = "auto",
    stop_grace_s: float = STOP_GRACE_SECONDS,
    seed: int | None = None,
    listeners: Sequence[Listener] = (),
    vary: Callable[[ContainerSpec], ContainerSpec] | None = None,
) -> Iterator[Endpoint]:
    """Give an endpoint that is not started yet, for callers who `start`, `serve` and `stop` it themselves.

    What was left running is stopped at the end of the `with`.

    Args:
        request: from `endpoint_request`.
        engine: the container engine; the first that answers by default.
        home: the folder of all runs; SM_EMULATE_HOME or the user's state folder by default.
        platform: settings, region and account of the SageMaker that is emulated.
        port: of the gateway on 127.0.0.1; 0 is the kernel's choice.
        gpus: `auto`, `none`, `all`, a number, or `device=ID[,ID...]`.
        stop_grace_s: seconds between SIGTERM and SIGKILL.
        seed: of the choice between variants and instances; None for one that nobody can foresee.
        listeners: hear every event, one at a time.
        vary: changes the container before it is made.

    Raises:
        RequestError: something asked for is wrong or not emulated; nothing was started.
        MachineError: this machine cannot run it.
    """
    platform = platform or Platform()
    for model in request.models:
        check_local(model)
        check_stored(model, platform.s3)
        if model.several:
            ports_of(platform.settings, len(model.containers))
    if port:
        check_port(port)
    for place in request.written_places:
        store_of(place, platform.s3).check_writable(place)
    runs = runs_at(home)
    with engine_for(engine) as used:
        wanted = gpu_request(gpus, instance_type=request.instance_type, engine=used)
        names = dict.fromkeys(name for model in request.models for name in model.images)
        images = {name: find_image(used, name, listeners) for name in names}
        for model in request.models:
            check_labels(model, images)
        if request.serverless is not None:
            _check_serverless(request, images[request.model.image], gpus=gpus)
        with runs.create("endpoints", request.endpoint_name) as run, RunFiles(run) as files:
            endpoint = Endpoint(
                request,
                image=images.get(request.model.image),
                images=images,
                engine=used,
                run=run,
                platform=platform,
                port=port,
                gpus=wanted,
                stop_grace_s=stop_grace_s,
                seed=seed,
                find_image=lambda name: find_image(used, name),
                listeners=(files, *listeners),
                vary=vary,
            )
            try:
                with forgotten_unless_begun(endpoint, RequestError, MachineError):
                    yield endpoint
            finally:
                endpoint.close()


@contextmanager
def serve(
    request: EndpointRequest,
    *,
    engine: Engine | None = None,
    home: Path | None = None,
    platform: Platform | None = None,
    port: int = 0,
    gpus: str = "auto",
    stop_grace_s: float = STOP_GRACE_SECONDS,
    seed: int | None = None,
    listeners: Sequence[Listener] = (),
    vary: Callable[[ContainerSpec], ContainerSpec] | None = None,
) -> Iterator[Endpoint]:
    """Give an endpoint in service, and stop it at the end; its `url` is the gateway's. Arguments as `new_endpoint`.

    Raises:
        EndpointFailedError: it did not pass the ping health check.
    """
    with (
        new_endpoint(
            request,
            engine=engine,
            home=home,
            platform=platform,
            port=port,
            gpus=gpus,
            stop_grace_s=stop_grace_s,
            seed=seed,
            listeners=listeners,
            vary=vary,
        ) as endpoint,
        endpoint,
    ):
        yield endpoint


def invoke(
    endpoint: str | None,
    body: bytes | BinaryIO,
    *,
    content_type: str | None = None,
    accept: str | None = None,
    headers: Mapping[str, str] | None = None,
    on_part: Callable[[bytes], None] | None = None,
    home: Path | None = None,
) -> Answer:
    """Send a payload to a running endpoint of this machine, by name; None is the only one that runs.

    With `on_part` the answer is streamed: it is called with each part as it comes.

    Raises:
        RequestError: there is no such endpoint, or more than one to choose from.
        MachineError: it does not answer.
    """
    url, name = _running(endpoint, home)
    return invoke_at(
        url, name, body, content_type=content_type, accept=accept, headers=headers, on_part=on_part
    )


def invoke_bidirectional(
    endpoint: str | None,
    *,
    target_variant: str | None = None,
    path: str | None = None,
    query: str | None = None,
    home: Path | None = None,
) -> BidirectionalCall:
    """Open a bidirectional stream to a running endpoint, as InvokeEndpointWithBidirectionalStream does.

    Use it as a context manager: `send` parts, and iterate over those that come back.

    Args:
        endpoint: by name; None is the only one that runs.
        target_variant: which variant is asked.
        path: of the WebSocket in the container, without its leading slash; invocations-bidirectional-stream by default.
        query: what stands behind the path's question mark.
        home: the folder of all runs.

    Raises:
        RequestError: there is no such endpoint, or more than one to choose from.
        MachineError: it does not answer.
    """
    from sm_emulate.gateway.bidirectional_client import BidirectionalCall

    url, name = _running(endpoint, home)
    return BidirectionalCall(url, name, target_variant=target_variant, path=path, query=query)


def invoke_async(
    endpoint: str | None,
    body: bytes | None = None,
    *,
    input_location: str | None = None,
    content_type: str | None = None,
    accept: str | None = None,
    headers: Mapping[str, str] | None = None,
    home: Path | None = None,
) -> Answer:
    """Send a request to a running asynchronous endpoint, as InvokeEndpointAsync does; the answer says where to look.

    Args:
        endpoint: by name; None is the only one that runs.
        body: the payload, at most 128000 bytes; or
        input_location: where it lies: `s3://...`, a path or `file://`.
        content_type: MIME type of the payload.
        accept: MIME type that is wanted back.
        headers: further headers, such as X-Amzn-SageMaker-Filename.
        home: the folder of all runs.

    Raises:
        RequestError: there is no such endpoint, or more than one to choose from.
        MachineError: it does not answer.
    """
    url, name = _running(endpoint, home)
    given = {
        async_spec.INPUT_LOCATION: None if input_location is None else placed(input_location),
        async_spec.CONTENT_TYPE: content_type,
        async_spec.ACCEPT: accept,
    }
    sent = dict(headers or {}) | {key: value for key, value in given.items() if value is not None}
    return invoke_at(url, name, body or b"", headers=sent, path=async_spec.PATH)


def wait_for_answer(
    answer: Answer, *, s3: S3Place | None = None, timeout_s: float = async_spec.DEFAULT_TIMEOUT_SECONDS
) -> tuple[bool, bytes]:
    """Wait for the object of an async request: whether it is an output, and its content.

    Args:
        answer: of `invoke_async`.
        s3: which S3 is meant by `s3://`; boto3's own by default.
        timeout_s: how long.

    Raises:
        MachineError: there is none by then.
    """
    place = s3 or S3Place()
    output = answer.headers[async_spec.OUTPUT_LOCATION.lower()]
    failure = answer.headers.get(async_spec.FAILURE_LOCATION.lower())
    looked = [(True, output)] + ([] if failure is None else [(False, failure)])
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        for succeeded, uri in looked:
            store = store_of(uri, place)
            found = store.find(uri)
            if found is not None:
                with store.open(found) as stream:
                    return succeeded, stream.read()
        time.sleep(POLL_SECONDS)
    raise MachineError(f"no answer within {timeout_s:g} s", value=output, expected="an object there")


def _running(endpoint: str | None, home: Path | None) -> tuple[str, str]:
    """Give the gateway's URL and the name of a running endpoint."""
    serving = {
        run.name: run
        for run in runs_at(home).all()
        if run.kind == "endpoints" and run.owner_pid() is not None
    }
    if endpoint is None:
        if len(serving) != 1:
            raise RequestError(
                "no endpoint runs" if not serving else "several endpoints run",
                expected="the name of one" + (f": {', '.join(sorted(serving))}" if serving else ""),
                hint="`sm-emulate serve IMAGE --detach` starts one" if not serving else None,
            )
        endpoint = next(iter(serving))
    ended = runs_at(home).folder("endpoints", endpoint)
    if endpoint not in serving and ended.result.exists():
        raise RequestError(
            "this endpoint has ended",
            value=_how_it_ended(ended.description()),
            expected=" or ".join(sorted(serving)) or None,
            hint=f"`sm-emulate logs {endpoint}` shows what its container wrote",
        )
    if endpoint not in serving:
        raise RequestError(
            "no endpoint of this name runs",
            value=endpoint,
            expected=" or ".join(sorted(serving)) or "an endpoint that was started with `sm-emulate serve`",
        )
    url = serving[endpoint].description().get("Emulator", {}).get("Url")
    if not url:
        raise RequestError(
            "this endpoint is not in service yet", value=endpoint, expected="EndpointStatus InService"
        )
    return url, endpoint


def _how_it_ended(description: Mapping[str, Any]) -> str:
    codes = description.get("Emulator", {}).get("ContainerExitCodes", {})
    whose = {host: f"container {host}" if len(codes) > 1 else "its container" for host in codes}
    ended = "".join(f", {whose[host]} exited with code {code}" for host, code in codes.items())
    return f"{description.get('EndpointName')}: {description.get('EndpointStatus')}{ended}"


def _check_serverless(request: EndpointRequest, image: Image, *, gpus: str) -> None:
    """Refuse what a serverless endpoint has no room or no hardware for."""
    from sm_emulate.request.serverless import PAGE
    from sm_emulate.spec.serverless import MAX_IMAGE_BYTES

    if gpus not in {"auto", "none", "0"}:
        raise RequestError("serverless endpoints have no GPUs", value=gpus, expected="--gpus none", link=PAGE)
    if image.size_bytes > MAX_IMAGE_BYTES:
        raise RequestError(
            "the image is larger than serverless endpoints take",
            value=f"{request.model.image}: {image.size_bytes / 1e9:.1f} GB",
            expected="at most 10 GB",
            link=PAGE,
        )
