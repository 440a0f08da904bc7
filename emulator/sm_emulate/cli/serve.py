"""`sm-emulate serve`."""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

from sm_emulate.cli import of_the_system
from sm_emulate.cli.interrupts import Interrupts, PassedOn
from sm_emulate.cli.options import (
    Seconds,
    engine_at,
    engine_option,
    gpus_option,
    home_option,
    instance_type_option,
    output_option,
    platform_of,
    platform_options,
    quiet_option,
    terminal,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sm_emulate.lifecycle.hosting.endpoint import Endpoint
    from sm_emulate.request.endpoint import EndpointModels, EndpointRequest

PARENT_MILLISECONDS = 200
_OF_A_REQUEST = ("image", "model", "endpoint_name", "variant_name", "variants", "containers", "direct", "shadow",
                 "instance_count", "routing", "instance_type", "environment", "multi_model", "model_cache_setting",
                 "startup_timeout", "enable_network_isolation", "async_output",
                 "async_failure", "max_concurrent", "data_capture", "serverless_memory",
                 "serverless_concurrency", "provisioned_concurrency", "components")  # fmt: skip
"""The flags that a request file leaves no room for."""
_NOT_OF_COMPONENTS = ("image", "model", "variants", "shadow", "containers", "direct", "multi_model",
                      "model_cache_setting", "async_output",
                      "async_failure", "max_concurrent", "serverless_memory", "serverless_concurrency",
                      "provisioned_concurrency")  # fmt: skip
EXAMPLES = """\b
Examples:
  sm-emulate serve my-image --model model.tar.gz
  sm-emulate serve my-image --model ./model --endpoint-name demo --detach
  sm-emulate serve my-image --multi-model --model ./models
  sm-emulate invoke demo --data @payload.csv --content-type text/csv
  sm-emulate stop demo
  sm-emulate serve image:1 --variant-name old --variant new=image:2,weight=0.1
  sm-emulate serve my-image --instance-count 3 --routing LEAST_OUTSTANDING_REQUESTS
  sm-emulate serve image:1 --shadow next=image:2,weight=0.5
  sm-emulate serve --container prepare=prepare:1 --container predict=predict:1,model=model.tar.gz
  sm-emulate serve --direct --container a=image:a --container b=image:b,env.LEVEL=2 --endpoint-name both
  sm-emulate invoke both --target-container b --data @payload.csv
  sm-emulate serve --request endpoint.json
  sm-emulate serve my-image --async-output ./answers --endpoint-name later --detach
  sm-emulate invoke later --async --wait --data @payload.csv --content-type text/csv
  sm-emulate serve my-image --data-capture ./captured --data-capture-sampling 20
  sm-emulate serve my-image --serverless-memory 2048 --serverless-concurrency 5
  sm-emulate serve --component a=image:1,copies=2,memory=1024 --component b=image:2,cpus=0.5
\b
The gateway speaks the container's own paths and AWS's, so boto3 works too:
  boto3.client("sagemaker-runtime", endpoint_url="http://127.0.0.1:PORT")
\b
Opened in a browser, that address is a page: plots, logs, and a form that sends a payload.
"""


@click.command(epilog=EXAMPLES)
@click.argument("image", required=False)
@click.option("--request", "request_file", type=click.Path(path_type=Path), metavar="FILE",
              help="JSON of CreateModel, CreateEndpointConfig and CreateEndpoint; - is stdin.")  # fmt: skip
@click.option("--model", metavar="PATH", help="Folder or .tar.gz that the container finds at /opt/ml/model.")
@click.option("--multi-model", is_flag=True,
              help="Many models in one container: --model is the folder or s3:// prefix of all.")  # fmt: skip
@click.option("--model-cache-setting", type=click.Choice(["Enabled", "Disabled"]),
              help="Of --multi-model: Disabled unloads a model after each request.")  # fmt: skip
@click.option("--endpoint-name", metavar="NAME", help="Name of the endpoint.  [default: image and time]")
@click.option("--variant-name", metavar="NAME", help="Production variant of IMAGE.  [default: AllTraffic]")
@click.option("--variant", "variants", multiple=True, metavar="NAME=IMAGE[,OPTION=VALUE...]",
              help="One more production variant; options: model=PATH, weight=N, count=N.")  # fmt: skip
@click.option("--container", "containers", multiple=True, metavar="[NAME=]IMAGE[,OPTION=VALUE...]",
              help="Instead of IMAGE: a container of a pipeline, 2 to 15, called in this order; options: model=PATH, "
                   "env.KEY=VALUE.")  # fmt: skip
@click.option("--direct", is_flag=True,
              help="Of --container: each request names its container (TargetContainerHostname).")  # fmt: skip
@click.option("--shadow", metavar="NAME=IMAGE[,OPTION=VALUE...]",
              help="Shadow variant: gets copies of requests, its answers are dropped.")  # fmt: skip
@click.option("--instance-count", type=int, metavar="N",
              help="Containers of IMAGE's variant.  [default: 1]")  # fmt: skip
@click.option("--routing", type=click.Choice(["RANDOM", "LEAST_OUTSTANDING_REQUESTS"]),
              help="How one of a variant's instances is chosen.  [default: RANDOM]")  # fmt: skip
@click.option("--seed", type=int, metavar="N", help="Choose variants and instances the same way again.")
@instance_type_option
@click.option("--environment", multiple=True, metavar="KEY=VALUE", help="One variable of the container.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="PORT",
              help="Port of the gateway on 127.0.0.1.  [default: the kernel's choice]")  # fmt: skip
@click.option("--startup-timeout", type=int, metavar="SECONDS",
              help="Until when GET /ping must answer 200, 60 to 3600.  [default: 480]")  # fmt: skip
@click.option("--stop-grace", type=Seconds(min=0), default=30.0, show_default=True, metavar="SECONDS",
              help="Between SIGTERM and SIGKILL.")  # fmt: skip
@gpus_option
@click.option("--async-output", metavar="PATH|s3://...",
              help="Make it an asynchronous endpoint, whose answers go there.")  # fmt: skip
@click.option("--async-failure", metavar="PATH|s3://...",
              help="Where the failures of an asynchronous endpoint go.  [default: as the answers]")  # fmt: skip
@click.option("--max-concurrent", type=int, metavar="N",
              help="MaxConcurrentInvocationsPerInstance of an asynchronous endpoint, 1 to 1000.")  # fmt: skip
@click.option("--data-capture", metavar="PATH|s3://...", help="Capture requests and answers into this place.")
@click.option("--data-capture-sampling", type=click.IntRange(0, 100), default=100, show_default=True,
              metavar="PERCENT", help="How many of them.")  # fmt: skip
@click.option("--component", "components", multiple=True, metavar="NAME=IMAGE[,OPTION=VALUE...]",
              help="Inference component; options: copies, memory, max-memory, cpus, gpus, model.")  # fmt: skip
@click.option("--serverless-memory", type=int, metavar="MB",
              help="Make it a serverless endpoint: 1024, 2048 ... 6144 MB for each container.")  # fmt: skip
@click.option("--serverless-concurrency", type=int, metavar="N",
              help="Requests that a serverless endpoint takes at once, 1 to 200.")  # fmt: skip
@click.option("--provisioned-concurrency", type=int, metavar="N",
              help="Containers of a serverless endpoint that are always there.  [default: 0]")  # fmt: skip
@click.option("--enable-network-isolation", is_flag=True, help="No way out of the container.")
@click.option("--detach", is_flag=True, help="Return when the endpoint is in service, and leave it running.")
@quiet_option
@platform_options
@home_option
@engine_option
@output_option
def serve(**flags: Any) -> int:
    """Run an endpoint on IMAGE as SageMaker would, until Ctrl-C or `sm-emulate stop`."""
    request = _request(flags)
    if flags["detach"]:
        return _detach(request, flags)
    return _serve(request, flags, in_service=lambda endpoint: _tell(endpoint, flags))


def _request(flags: dict[str, Any]) -> EndpointRequest:
    from sm_emulate.request.containers import container_flags
    from sm_emulate.request.endpoint import (
        DEFAULT_VARIANT_NAME,
        config_of_flags,
        from_flags,
        from_request_file,
        load_models,
    )
    from sm_emulate.request.flags import key_values
    from sm_emulate.request.json_file import read_object
    from sm_emulate.request.naming import chosen_name
    from sm_emulate.request.serverless import config_of_flags as serverless_flags
    from sm_emulate.request.variant_flag import variant_flags
    from sm_emulate.storage.runs import default_cache

    models = load_models(cache_dir=default_cache(os.environ))
    if flags["request_file"] is not None:
        told = [name for name in _OF_A_REQUEST if _given(flags[name])]
        if told:
            raise click.UsageError(
                "--request FILE says all of the endpoint; leave out the other flags of it."
            )
        return from_request_file(read_object(flags["request_file"], what="the request file"), models=models)
    if flags["components"]:
        return _of_components(flags, models)
    more = tuple(variant_flags(text) for text in flags["variants"])
    several = tuple(container_flags(text) for text in flags["containers"])
    if several:
        _only_containers(flags)
    elif flags["direct"]:
        raise click.UsageError("--direct belongs to --container.")
    named = [each.image for each in several] + [each.image for each in more]
    image = flags["image"] or next(iter(named), None)
    if image is None:
        raise click.UsageError(
            "Missing argument 'IMAGE' (or --variant NAME=IMAGE, --container or --request FILE)."
        )
    name = chosen_name(flags["endpoint_name"], image)
    return from_flags(
        image=flags["image"],
        endpoint_name=name,
        more_config=config_of_flags(
            endpoint_name=name,
            async_output=flags["async_output"],
            async_failure=flags["async_failure"],
            max_concurrent=flags["max_concurrent"],
            data_capture=flags["data_capture"],
            sampling=flags["data_capture_sampling"],
        ),
        instance_type=flags["instance_type"],
        model_data=flags["model"],
        environment=key_values(flags["environment"], what="environment variable", secret=True),
        variant_name=flags["variant_name"] or DEFAULT_VARIANT_NAME,
        instance_count=_instance_count(flags),
        routing=flags["routing"],
        more_variants=more,
        shadow=None if flags["shadow"] is None else variant_flags(flags["shadow"]),
        startup_timeout_in_seconds=flags["startup_timeout"],
        network_isolation=flags["enable_network_isolation"],
        models=models,
        multi_model=flags["multi_model"],
        serverless=serverless_flags(
            memory=flags["serverless_memory"],
            concurrency=flags["serverless_concurrency"],
            provisioned=flags["provisioned_concurrency"],
        ),
        model_cache_setting=flags["model_cache_setting"],
        containers=several,
        direct=flags["direct"],
    )


def _given(value: object) -> bool:
    """Whether a flag was given; 0 is a value like any other, and judged as one."""
    return value is not None and value is not False and value != ()


def _instance_count(flags: dict[str, Any]) -> int:
    return 1 if flags["instance_count"] is None else int(flags["instance_count"])


def _of_components(flags: dict[str, Any], models: EndpointModels) -> EndpointRequest:
    """Read the flags of an endpoint that hosts inference components."""
    from sm_emulate.request.component_flags import component_flags, endpoint_of_flags
    from sm_emulate.request.endpoint import DEFAULT_VARIANT_NAME, config_of_flags
    from sm_emulate.request.flags import key_values
    from sm_emulate.request.naming import chosen_name

    told = [name for name in _NOT_OF_COMPONENTS if _given(flags[name])]
    if told:
        words = "an IMAGE" if told[0] == "image" else f"--{told[0].replace('_', '-').removesuffix('s')}"
        raise click.UsageError(f"--component does not go with {words}: components have models of their own.")
    found = [component_flags(text) for text in flags["components"]]
    name = chosen_name(flags["endpoint_name"], found[0].image)
    return endpoint_of_flags(
        found,
        endpoint_name=name,
        instance_type=flags["instance_type"],
        instance_count=_instance_count(flags),
        variant_name=flags["variant_name"] or DEFAULT_VARIANT_NAME,
        routing=flags["routing"],
        environment=key_values(flags["environment"], what="environment variable", secret=True),
        startup_timeout_in_seconds=flags["startup_timeout"],
        network_isolation=flags["enable_network_isolation"],
        more_config=config_of_flags(
            endpoint_name=name,
            data_capture=flags["data_capture"],
            sampling=flags["data_capture_sampling"],
        ),
        models=models,
    )


def _only_containers(flags: dict[str, Any]) -> None:
    """Refuse what a single container has and a pipeline's does not."""
    named = {
        "image": "IMAGE",
        "model": "--model",
        "multi_model": "--multi-model",
        "model_cache_setting": "--model-cache-setting",
    }
    given = [words for name, words in named.items() if flags[name]]
    if given:
        raise click.UsageError(
            f"{given[0]} and --container exclude each other: each --container has its own."
        )


def _serve(
    request: EndpointRequest,
    flags: dict[str, Any],
    *,
    in_service: Callable[[Endpoint], None],
    starting: Callable[[Endpoint], None] | None = None,
) -> int:
    """Start, tell, serve, end."""
    from sm_emulate.api.hosting import new_endpoint
    from sm_emulate.cli.open_files import allow_many_files
    from sm_emulate.errors import ExitCode

    allow_many_files()
    with (
        Interrupts() as interrupts,
        terminal(quiet=flags["quiet"], mark_hosts=not request.one_log) as told,
        new_endpoint(
            request,
            engine=engine_at(flags["engine"]) if flags["engine"] else None,
            home=flags["home"],
            platform=platform_of(flags),
            port=flags["port"],
            gpus=flags["gpus"],
            seed=flags["seed"],
            stop_grace_s=flags["stop_grace"],
            listeners=(told,),
        ) as endpoint,
    ):
        interrupts.stop(endpoint)
        if starting is not None:
            starting(endpoint)
        came = bool(endpoint.start())
        if came:
            in_service(endpoint)
        result = endpoint.serve()
    if interrupts.by_person:
        return ExitCode.INTERRUPTED
    if not came:
        click.echo("the endpoint was stopped before it was in service", err=True)
        return ExitCode.CONTAINER
    return ExitCode.OK if result.succeeded else ExitCode.CONTAINER


def _tell(endpoint: Endpoint, flags: dict[str, Any]) -> None:
    if flags["output"] == "json":
        click.echo(json.dumps(endpoint.result().describe(), indent=2))
    else:
        click.echo(_address(endpoint))
    sys.stdout.flush()


def _address(endpoint: Endpoint) -> str:
    """Where this endpoint's own operation is called."""
    from sm_emulate.spec import async_inference, invocation

    path = invocation.RUNTIME_PATH if endpoint.request.async_inference is None else async_inference.PATH
    return endpoint.url + path.format(endpoint_name=endpoint.request.endpoint_name)


def _detach(request: EndpointRequest, flags: dict[str, Any]) -> int:
    """Serve in a process of its own; wait until it says that it is in service, or why it never will be.

    The fork comes before any thread and any connection.
    """
    told, tell = os.pipe()
    with PassedOn() as passed_on:
        child = os.fork()
        if child == 0:
            os.close(told)
            _be_the_endpoint(request, flags, tell)
        passed_on.to(child)
        os.close(tell)
        with os.fdopen(told, encoding="utf-8") as answer:
            outcome = json.loads(answer.read() or "{}")
    for line in outcome.get("err", ()):
        click.echo(line, err=True)
    for line in outcome.get("out", ()):
        click.echo(line)
    return int(outcome.get("code", 4))


def _be_the_endpoint(request: EndpointRequest, flags: dict[str, Any], tell: int) -> NoReturn:
    from sm_emulate.errors import ExitCode, SmEmulateError

    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    answer = os.fdopen(tell, "w", encoding="utf-8")

    def say(code: int, *, out: Sequence[str] = (), err: Sequence[str] = ()) -> None:
        """Tell the parent, who listens until it is told something."""
        if not answer.closed:
            with answer, suppress(BrokenPipeError):
                json.dump({"code": code, "out": out, "err": err}, answer)

    def starting(endpoint: Endpoint) -> None:
        watch = threading.Thread(
            target=_stop_when_nobody_listens, args=(endpoint, answer), name="parent", daemon=True
        )
        watch.start()

    def in_service(endpoint: Endpoint) -> None:
        described = endpoint.result().describe()
        line = _address(endpoint)
        say(ExitCode.OK, out=[json.dumps(described, indent=2) if flags["output"] == "json" else line])
        # from here on nobody listens; the logs are in the run folder
        sys.stderr.flush()
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)

    def say_why(error: SmEmulateError) -> None:
        out = [json.dumps(error.as_json(), indent=2)] if flags["output"] == "json" else []
        say(error.exit_code, out=out, err=error.lines())

    code: int = ExitCode.BUG
    try:
        code = _serve(request, flags, in_service=in_service, starting=starting)
        say(code)
    except SmEmulateError as error:
        say_why(error)
    except OSError as refusal:
        say_why(of_the_system(refusal))
    except KeyboardInterrupt:  # before there was anything to stop
        code = ExitCode.INTERRUPTED
        say(code, err=["interrupted"])
    except BaseException as bug:  # noqa: BLE001  # the process ends here; its parent prints it
        say(ExitCode.BUG, err=[f"error: a bug in sm-emulate: {type(bug).__name__}: {bug}"])
    os._exit(code)


def _stop_when_nobody_listens(endpoint: Endpoint, answer: TextIO) -> None:
    """Stop an endpoint that is still starting when the process that waits for it has died."""
    listening = select.poll()
    listening.register(answer.fileno(), 0)  # a pipe without a reader reports an error, asked for or not
    while not answer.closed:
        if listening.poll(PARENT_MILLISECONDS) and not answer.closed:
            endpoint.stop()
            return
