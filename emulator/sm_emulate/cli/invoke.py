"""`sm-emulate invoke`."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from sm_emulate.cli.options import complete_running, home_option
from sm_emulate.errors import ExitCode, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_emulate.gateway.client import Answer

EXAMPLES = """\b
Examples:
  sm-emulate invoke --data @payload.csv --content-type text/csv
  sm-emulate invoke my-endpoint --data '{"x": 1}' --content-type application/json
  sm-emulate invoke my-endpoint --target-model a.tar.gz --data @payload.csv --content-type text/csv
  cat image.png | sm-emulate invoke my-endpoint --data @- --content-type image/png > answer
\b
The answer's body goes to stdout, byte for byte; everything else to stderr.
Exit codes: 0 answered   1 ModelError: the container is at fault   2 refused before it came to the container
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
@click.option("--target-model", metavar="KEY", help="X-Amzn-SageMaker-Target-Model, of a multi-model endpoint.")
@click.option("--inference-id", metavar="ID", help="X-Amzn-SageMaker-Inference-Id.")
@click.option("-v", "--verbose", is_flag=True, help="Show status and headers of the answer on stderr.")
@home_option
def invoke(
    endpoint: str | None,
    data: str | None,
    content_type: str | None,
    accept: str | None,
    custom_attributes: str | None,
    target_variant: str | None,
    target_model: str | None,
    inference_id: str | None,
    verbose: bool,
    home: Path | None,
) -> int:
    """Send a payload to ENDPOINT, or to the only one that runs, as InvokeEndpoint does."""
    from sm_emulate.api.hosting import invoke as invoke_endpoint

    headers = {
        "X-Amzn-SageMaker-Custom-Attributes": custom_attributes,
        "X-Amzn-SageMaker-Target-Variant": target_variant,
        "X-Amzn-SageMaker-Target-Model": target_model,
        "X-Amzn-SageMaker-Inference-Id": inference_id,
    }
    with _payload(data) as body:
        answer = invoke_endpoint(
            endpoint,
            body,
            content_type=content_type,
            accept=accept,
            headers={name: value for name, value in headers.items() if value is not None},
            home=home,
        )
    if verbose:
        click.echo(f"HTTP {answer.status}", err=True)
        for name, value in answer.headers.items():
            click.echo(f"{name}: {value}", err=True)
    return _finish(answer)


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


def _finish(answer: Answer) -> int:
    error = answer.error
    if error is None:
        sys.stdout.buffer.write(answer.body)
        sys.stdout.buffer.flush()
        return ExitCode.OK
    click.echo(f"{error.code}: {error.message}", err=True)
    if error.original_status is not None:
        click.echo(f"  OriginalStatusCode: {error.original_status}", err=True)
        click.echo(f"  OriginalMessage: {error.original_message}", err=True)
        click.echo(f"  LogStreamArn: {error.log_stream_arn}", err=True)
    return ExitCode.USAGE if error.code == "ValidationError" else ExitCode.CONTAINER
