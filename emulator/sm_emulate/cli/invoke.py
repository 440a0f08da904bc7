"""`sm-emulate invoke`."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from sm_emulate.cli.bidirectional import Leaving, converse, refuse_mixed
from sm_emulate.cli.interrupts import Interrupts
from sm_emulate.cli.options import (
    Seconds,
    complete_components,
    complete_container,
    complete_running,
    complete_s3,
    home_option,
    runs_of,
)
from sm_emulate.errors import ExitCode, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_emulate.gateway.client import Answer, InvokeError

_REFUSALS = ("ValidationError", "InputValidationError", "ThrottlingException")
"""None of these came to a container; nor did a body that is too long, which is answered with a bare status."""
_LINGER_S = 5.0
"""A model that thinks for longer is asked with --linger."""

EXAMPLES = """\b
Examples:
  sm-emulate invoke --data @payload.csv --content-type text/csv
  sm-emulate invoke my-endpoint --data '{"x": 1}' --content-type application/json
  sm-emulate invoke my-endpoint --stream --data '{"prompt": "Hello"}' --content-type application/json
  sm-emulate invoke my-endpoint --session-id NEW_SESSION --data '{"requestType": "NEW_SESSION"}' --verbose
  sm-emulate invoke my-endpoint --target-model a.tar.gz --data @payload.csv --content-type text/csv
  sm-emulate invoke my-endpoint --target-container predict --data @payload.csv --content-type text/csv
  cat image.png | sm-emulate invoke my-endpoint --data @- --content-type image/png > answer
  sm-emulate invoke later --async --data @payload.csv --content-type text/csv
  sm-emulate invoke talk --bidirectional < questions.txt
  arecord -t raw | sm-emulate invoke talk --bidirectional --binary --query 'rate=16000'
  sm-emulate invoke later --async --input-location s3://bucket/payload.csv --wait
\b
The answer's body goes to stdout, byte for byte; everything else to stderr. With --bidirectional each line is sent as
a part with DataType UTF8, with --binary each chunk as it is read; each whole text that comes back gets a line end.
Exit codes: 0 answered   1 ModelError or ModelStreamError: the container is at fault
            2 refused before it came to the container
"""


@click.command(epilog=EXAMPLES)
@click.argument("endpoint", required=False, shell_complete=complete_running)
@click.option(
    "--data", metavar="TEXT|@FILE|@-", help="The payload: text, a file, or stdin.  [default: stdin]"
)
@click.option("--content-type", metavar="TYPE", help="MIME type of the payload.")
@click.option("--accept", metavar="TYPE", help="MIME type that is wanted back.")
@click.option("--custom-attributes", metavar="TEXT", help="X-Amzn-SageMaker-Custom-Attributes.")
@click.option("--target-variant", metavar="NAME", help="X-Amzn-SageMaker-Target-Variant.")
@click.option(
    "--target-model", metavar="KEY", help="X-Amzn-SageMaker-Target-Model, of a multi-model endpoint."
)
@click.option("--component", metavar="NAME", shell_complete=complete_components,
              help="Inference component: X-Amzn-SageMaker-Inference-Component.")  # fmt: skip
@click.option("--target-container", metavar="NAME", shell_complete=complete_container,
              help="X-Amzn-SageMaker-Target-Container-Hostname, of a direct one.")  # fmt: skip
@click.option("--inference-id", metavar="ID", help="X-Amzn-SageMaker-Inference-Id.")
@click.option("--session-id", metavar="ID|NEW_SESSION", help="X-Amzn-SageMaker-Session-Id.")
@click.option("--stream", is_flag=True, help="InvokeEndpointWithResponseStream: print each part as it comes.")
@click.option("--async", "asynchronous", is_flag=True,
              help="Call an asynchronous endpoint; its OutputLocation is printed.")  # fmt: skip
@click.option("--input-location", metavar="PATH|s3://...",
              help="With --async: where the payload lies, instead of --data.")  # fmt: skip
@click.option("--bidirectional", is_flag=True,
              help="InvokeEndpointWithBidirectionalStream: send parts, and print those that come back.")  # fmt: skip
@click.option("--text/--binary", "text", default=None,
              help="With --bidirectional: what is sent.  [default: text, a part for each line]")  # fmt: skip
@click.option("--path", metavar="PATH", help="With --bidirectional: X-Amzn-SageMaker-Model-Invocation-Path.")
@click.option("--query", metavar="TEXT", help="With --bidirectional: X-Amzn-SageMaker-Model-Query-String.")
@click.option("--linger", type=Seconds(0), metavar="SECONDS",
              help="With --bidirectional: end the stream when so long nothing has come after the last part.  "
              "[default: 5]")  # fmt: skip
@click.option("--wait", is_flag=True, help="With --async: wait for the answer, and print it.")
@click.option("--s3", default="aws", show_default=True, envvar="SM_EMULATE_S3", metavar="WHICH",
              shell_complete=complete_s3, help="With --wait: what s3:// means.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Show status and headers of the answer on stderr.")
@home_option
def invoke(
    endpoint: str | None,
    data: str | None,
    content_type: str | None,
    accept: str | None,
    custom_attributes: str | None,
    target_variant: str | None,
    component: str | None,
    target_model: str | None,
    target_container: str | None,
    inference_id: str | None,
    session_id: str | None,
    stream: bool,
    asynchronous: bool,
    input_location: str | None,
    bidirectional: bool,
    text: bool | None,
    path: str | None,
    query: str | None,
    linger: float | None,
    wait: bool,
    s3: str,
    verbose: bool,
    home: Path | None,
) -> int:
    """Send a payload to ENDPOINT, or to the only one that runs, as InvokeEndpoint does."""
    from sm_emulate.api.hosting import invoke as invoke_endpoint

    headers = {
        "X-Amzn-SageMaker-Custom-Attributes": custom_attributes,
        "X-Amzn-SageMaker-Target-Variant": target_variant,
        "X-Amzn-SageMaker-Inference-Component": component,
        "X-Amzn-SageMaker-Target-Model": target_model,
        "X-Amzn-SageMaker-Target-Container-Hostname": target_container,
        "X-Amzn-SageMaker-Inference-Id": inference_id,
        "X-Amzn-SageMaker-Session-Id": session_id,
    }
    if not asynchronous and (input_location is not None or wait):
        raise click.UsageError("--input-location and --wait belong to --async.")
    if not bidirectional and (text, path, query, linger) != (None, None, None, None):
        raise click.UsageError("--text, --binary, --path, --query and --linger belong to --bidirectional.")
    if stream and asynchronous:
        raise click.UsageError("--stream and --async exclude each other.")
    if bidirectional:
        refuse_mixed(
            {
                "--async": asynchronous,
                "--stream": stream,
                "--component": component,
                "--content-type": content_type,
                "--accept": accept,
                "--target-container": target_container,
                **{
                    f"--{name}": headers[f"X-Amzn-SageMaker-{name.title()}"]
                    for name in ("custom-attributes", "target-model", "inference-id", "session-id")
                },
            }
        )
        return _converse(
            endpoint,
            data,
            target_variant,
            path,
            query,
            binary=text is False,
            linger_s=_LINGER_S if linger is None else linger,
            verbose=verbose,
            home=home,
        )
    if asynchronous:
        given = {name: value for name, value in headers.items() if value is not None}
        return _invoke_async(
            endpoint,
            data,
            input_location,
            content_type,
            accept,
            given,
            home,
            wait=wait,
            s3=s3,
            verbose=verbose,
        )
    with _payload(data) as body:
        answer = invoke_endpoint(
            endpoint,
            body,
            content_type=content_type,
            accept=accept,
            headers={name: value for name, value in headers.items() if value is not None},
            on_part=_print_part if stream else None,
            home=home,
        )
    _show(answer, verbose)
    return _finish(answer)


def _invoke_async(
    endpoint: str | None,
    data: str | None,
    input_location: str | None,
    content_type: str | None,
    accept: str | None,
    headers: dict[str, str],
    home: Path | None,
    *,
    wait: bool,
    s3: str,
    verbose: bool,
) -> int:
    from sm_emulate.api.hosting import invoke_async, wait_for_answer
    from sm_emulate.spec import async_inference as spec
    from sm_emulate.storage.s3_place import s3_place

    if input_location is not None and data is not None:
        raise click.UsageError("--data and --input-location exclude each other.")
    body = None
    if input_location is None:
        with _payload(data) as payload:
            body = payload if isinstance(payload, bytes) else payload.read(spec.MAX_INLINE_BYTES + 1)
    answer = invoke_async(
        endpoint,
        body,
        input_location=input_location,
        content_type=content_type,
        accept=accept,
        headers=headers,
        home=home,
    )
    _show(answer, verbose)
    if answer.error is not None:
        return _finish(answer)
    location = answer.headers[spec.OUTPUT_LOCATION.lower()]
    if not wait:
        click.echo(location)
        return ExitCode.OK
    click.echo(location, err=True)
    succeeded, content = wait_for_answer(answer, s3=s3_place(s3, home=runs_of(home).home))
    if not succeeded:
        click.echo(content.decode("utf-8", "replace"), err=True)
        return ExitCode.CONTAINER
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
    return ExitCode.OK


def _converse(
    endpoint: str | None,
    data: str | None,
    target_variant: str | None,
    path: str | None,
    query: str | None,
    *,
    binary: bool,
    linger_s: float,
    verbose: bool,
    home: Path | None,
) -> int:
    from sm_emulate.api.hosting import invoke_bidirectional

    leaving = Leaving()
    with (
        Interrupts() as interrupts,
        invoke_bidirectional(
            endpoint, target_variant=target_variant, path=path, query=query, home=home
        ) as call,
    ):
        answer = call.opened()
        _show(answer, verbose)
        if answer.error is not None:
            return _finish(answer)
        interrupts.stop(leaving)
        error = converse(call, data, leaving, binary=binary, linger_s=linger_s)
    if leaving.asked:
        raise KeyboardInterrupt
    return ExitCode.OK if error is None else _say(error)


def _show(answer: Answer, verbose: bool) -> None:
    if verbose:
        click.echo(f"HTTP {answer.status}", err=True)
        for name, value in answer.headers.items():
            click.echo(f"{name}: {value}", err=True)


@contextmanager
def _payload(data: str | None) -> Iterator[bytes | BinaryIO]:
    if data is None and sys.stdin.isatty():
        raise click.UsageError("Missing option '--data' (or pipe the payload in).")
    if data is None or data == "@-":
        yield sys.stdin.buffer
    elif data.startswith("@"):
        file = Path(data[1:])
        try:
            opened = file.open("rb")
        except OSError as error:
            raise RequestError(
                f"the payload cannot be read: {error.strerror}",
                value=file,
                expected="a file, or @- for stdin",
            ) from error
        with opened:
            yield opened
    else:
        yield data.encode()


def _print_part(part: bytes) -> None:
    sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


def _finish(answer: Answer) -> int:
    error = answer.error
    if error is None:
        sys.stdout.buffer.write(answer.body)
        sys.stdout.buffer.flush()
        return ExitCode.OK
    return _say(error)


def _say(error: InvokeError) -> int:
    click.echo(f"{error.code}: {error.message}", err=True)
    if error.error_code is not None:
        click.echo(f"  ErrorCode: {error.error_code}", err=True)
    if error.original_status is not None:
        click.echo(f"  OriginalStatusCode: {error.original_status}", err=True)
        click.echo(f"  OriginalMessage: {error.original_message}", err=True)
        click.echo(f"  LogStreamArn: {error.log_stream_arn}", err=True)
    refused = error.code in _REFUSALS or error.code == str(HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value)
    return ExitCode.USAGE if refused else ExitCode.CONTAINER
