"""Endpoints from Python: `serve` gives one that is in service, `invoke` sends it a payload."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sm_emulate.api.images import find_image
from sm_emulate.engine.gpus import gpu_request
from sm_emulate.errors import RequestError
from sm_emulate.gateway.client import Answer
from sm_emulate.gateway.client import invoke as invoke_at
from sm_emulate.lifecycle.endpoint import Endpoint
from sm_emulate.report.run_files import RunFiles
from sm_emulate.request.endpoint import check_local
from sm_emulate.spec.endpoint import STOP_GRACE_SECONDS
from sm_emulate.storage.runs import Runs, default_cache, default_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from sm_emulate.engine.protocol import ContainerSpec, Engine
    from sm_emulate.events import Listener
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.endpoint import EndpointRequest


def endpoint_request(
    *,
    image: str,
    endpoint_name: str,
    instance_type: str = "ml.m5.large",
    model: Path | str | None = None,
    environment: Mapping[str, str] | None = None,
    startup_timeout_s: int | None = None,
    network_isolation: bool = False,
) -> EndpointRequest:
    """Give the endpoint that these words mean, held against the limits of CreateModel and CreateEndpointConfig.

    Args:
        image: what serves.
        endpoint_name: its name.
        instance_type: decides what `gpus="auto"` gives.
        model: folder or .tar.gz for /opt/ml/model.
        environment: of the container.
        startup_timeout_s: for the first healthy ping, 60 to 3600; 480 by default.
        network_isolation: no way out of the container.

    Raises:
        RequestError: SageMaker would refuse it.
    """
    from sm_emulate.request.endpoint import from_flags, load_models

    return from_flags(
        image=image,
        endpoint_name=endpoint_name,
        instance_type=instance_type,
        model_data=None if model is None else str(model),
        environment=environment,
        startup_timeout_in_seconds=startup_timeout_s,
        network_isolation=network_isolation,
        models=load_models(cache_dir=default_cache(os.environ)),
    )


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
    listeners: Sequence[Listener] = (),
    vary: Callable[[ContainerSpec], ContainerSpec] | None = None,
) -> Iterator[Endpoint]:
    """Give an endpoint that is not started yet, for callers who `start`, `serve` and `stop` it themselves.

    Args:
        request: from `endpoint_request`.
        engine: the container engine; the first that answers by default.
        home: the folder of all runs; SM_EMULATE_HOME or the user's state folder by default.
        platform: settings, region and account of the SageMaker that is emulated.
        port: of the gateway on 127.0.0.1; 0 is the kernel's choice.
        gpus: `auto`, `none`, `all`, a number, or `device=ID[,ID...]`.
        stop_grace_s: seconds between SIGTERM and SIGKILL.
        listeners: hear every event, one at a time.
        vary: changes the container before it is made.

    Raises:
        RequestError: something asked for is wrong or not emulated; nothing was started.
        MachineError: this machine cannot run it.
    """
    _check_emulated(request)
    check_local(request)
    runs = Runs(home.absolute() if home else default_home(os.environ))
    used = engine or _first_engine()
    try:
        wanted = gpu_request(gpus, instance_type=request.instance_type, engine=used)
        image = find_image(used, request.image, listeners)
        run = runs.create("endpoints", request.endpoint_name)
        with RunFiles(run) as files:
            yield Endpoint(
                request,
                image=image,
                engine=used,
                run=run,
                platform=platform,
                port=port,
                gpus=wanted,
                stop_grace_s=stop_grace_s,
                listeners=(files, *listeners),
                vary=vary,
            )
    finally:
        if engine is None:
            used.close()


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
    home: Path | None = None,
) -> Answer:
    """Send a payload to a running endpoint of this machine, by name; None is the only one that runs.

    Raises:
        RequestError: there is no such endpoint, or more than one to choose from.
        MachineError: it does not answer.
    """
    runs = Runs(home.absolute() if home else default_home(os.environ))
    serving = {run.name: run for run in runs.all() if run.kind == "endpoints" and run.owner_pid() is not None}
    if endpoint is None:
        if len(serving) != 1:
            raise RequestError(
                "no endpoint runs" if not serving else "several endpoints run",
                expected="the name of one" + (f": {', '.join(sorted(serving))}" if serving else ""),
                hint="`sm-emulate serve IMAGE --detach` starts one" if not serving else None,
            )
        endpoint = next(iter(serving))
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
    return invoke_at(url, endpoint, body, content_type=content_type, accept=accept, headers=headers)


def _check_emulated(request: EndpointRequest) -> None:
    if request.model_data is not None and request.model_path is None:
        raise RequestError(
            "only models on this machine can be served yet",
            value=request.model_data,
            expected="a folder, or a file named *.tar.gz",
            hint="copy it here first",
        )


def _first_engine() -> Engine:
    from sm_emulate.engine.discover import connect

    return connect(environ=os.environ)
