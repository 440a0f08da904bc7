"""`sm-emulate validate`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sm_emulate.cli.interrupts import Interrupts
from sm_emulate.cli.options import Seconds, colours_allowed, engine_at, engine_option, gpus_option
from sm_emulate.errors import ExitCode, RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sm_contracts.configuration import Configuration
    from sm_contracts.subject import SamplePayload
    from sm_contracts.verdict import Verdict

ROLES = (
    "train", "serve", "multi-model", "pipeline", "batch", "async", "serverless", "streaming", "bidirectional",
    "sessions", "processing", "studio-kernel", "studio-jupyterlab", "studio-code-editor", "push",
)  # fmt: skip
FORMATS = ("text", "json", "junit", "sarif", "html", "github")
SEVERITIES = ("error", "warning", "info")
"""All three as sm_contracts has them, without importing it for `--help`; a test holds them together."""

EXAMPLES = """\b
Examples:
  sm-emulate validate my-image
  sm-emulate validate my-image --role serve --model ./model --data @payload.csv --content-type text/csv
  sm-emulate validate my-image --role train --channel train=./data --report html=report.html
  sm-emulate validate my-image --role processing --input data=./in --processing-output result
  sm-emulate validate my-image --role multi-model --model ./models --data hello --content-type text/plain
  sm-emulate validate my-image --role streaming --data '{"prompt": "Hi"}' --content-type application/json
  sm-emulate validate my-image --select SM1 --output json
  sm-emulate validate image.tar --ignore SM112 --fail-on warning
\b
Settings of a project stand in [tool.sm-emulate] of pyproject.toml, or in sm-emulate.toml; flags go over them.
Exit codes: 0 pass   1 a rule is broken   2 wrong usage   3 this machine cannot run it   5 nothing was checked
  130 Ctrl-C: what was found so far is reported
"""


@click.command(epilog=EXAMPLES)
@click.argument("image")
@click.option("--role", "role", multiple=True, type=click.Choice(ROLES), metavar="ROLE",
              help="What it is meant for, such as train or serve.  [default: found from the image]")  # fmt: skip
@click.option("--channel", multiple=True, metavar="NAME=PATH[,OPTION=VALUE...]", help="Sample training data.")
@click.option("--input", multiple=True, metavar="NAME=PATH[,OPTION=VALUE...]",
              help="Sample data of processing runs.")  # fmt: skip
@click.option("--processing-output", multiple=True, metavar="NAME[,from=LOCAL_PATH]",
              help="What processing runs are to leave.")  # fmt: skip
@click.option("--hyperparameter", multiple=True, metavar="KEY=VALUE", help="One hyperparameter.")
@click.option("--environment", multiple=True, metavar="KEY=VALUE", help="One variable of every container.")
@click.option("--metric", multiple=True, metavar="NAME=REGEX", help="Metric definition to be checked.")
@click.option(
    "--model",
    metavar="PATH",
    help="Folder or .tar.gz for /opt/ml/model; of many models, a folder of .tar.gz.",
)
@click.option(
    "--data",
    metavar="TEXT|@FILE|@-",
    help="A request body that the image understands: text, a file, or stdin.",
)
@click.option("--content-type", metavar="TYPE", help="MIME type of the data.")
@click.option("--accept", metavar="TYPE", help="MIME type that is wanted back.")
@click.option(
    "--instance-type", metavar="TYPE", default="ml.m5.large", show_default=True, help="Instance type."
)
@gpus_option
@click.option(
    "--enable-network-isolation", is_flag=True, help="It will run isolated: needing a network is an error."
)
@click.option("--select", multiple=True, metavar="RULES", help="Only these: ids, names, or SM3 for a band.")
@click.option("--ignore", multiple=True, metavar="RULE[=REASON]", help="Leave it out; the report says so.")
@click.option("--fail-on", type=click.Choice(SEVERITIES), default="error", show_default=True,
              help="From which severity on a broken rule fails the check.")  # fmt: skip
@click.option("--startup-timeout", type=Seconds(min=0, min_open=True), metavar="SECONDS",
              help="Until when GET /ping must answer 200.  [default: 480]")  # fmt: skip
@click.option("--stop-grace", type=Seconds(min=0), metavar="SECONDS",
              help="Between SIGTERM and SIGKILL.  [default: 120 for training, 30 for serving]")  # fmt: skip
@click.option("--output", type=click.Choice(FORMATS), default="text", show_default=True,
              help="Form of the report on stdout.")  # fmt: skip
@click.option("--report", multiple=True, metavar="FORMAT=FILE", help="Write a report to a file, too.")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Settings.  [default: the nearest sm-emulate.toml or pyproject.toml]")  # fmt: skip
@engine_option
@click.pass_context
def validate(ctx: click.Context, /, **flags: Any) -> int:
    """Say of IMAGE whether SageMaker will run it, and why not.

    IMAGE is a tag or id, a registry reference, or the path of a `docker save` or OCI archive.
    """
    from sm_contracts.configuration import find, read

    configuration = read(flags["config"] or find(Path.cwd()))
    given = _settled(ctx, flags, configuration)
    reports = _reports(given["report"])
    verdict = _check(given, _again(ctx, flags))
    return _report(verdict, given["output"], reports)


def _settled(ctx: click.Context, flags: Mapping[str, Any], configuration: Configuration) -> dict[str, Any]:
    """Put flags over the file. Pairs are put together by name, and a name on the command line wins."""
    given = dict(flags)
    for key, value in configuration.values.items():
        name = key.replace("-", "_")
        typed = ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
        if name == "ignore":
            continue
        if name in {"channel", "input", "hyperparameter", "environment", "metric", "report"}:
            names = {text.partition("=")[0] for text in flags[name]}
            given[name] = (*(each for each in value if each.partition("=")[0] not in names), *flags[name])
        elif not typed:
            given[name] = value
    given["ignore"] = {**configuration.values.get("ignore", {}), **_ignored(flags["ignore"])}
    return given


def _ignored(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        ids, _, reason = text.partition("=")
        found |= dict.fromkeys(_names([ids]), reason.strip() or "--ignore on the command line")
    return found


def _names(texts: Sequence[str]) -> list[str]:
    """Read rule ids, several in one word with commas between."""
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


def _reports(texts: Sequence[str]) -> dict[str, Path]:
    """Read FORMAT=FILE; a folder that is not there is told before an hour is spent, not after."""
    from sm_emulate.request.wording import nearest

    found: dict[str, Path] = {}
    for text in texts:
        form, equals, name = text.partition("=")
        if not equals or not name or form not in FORMATS:
            near = nearest(form, FORMATS)
            raise RequestError(
                "a report needs a format and a file",
                value=text,
                expected=f"FORMAT=FILE with a format among {', '.join(FORMATS)}",
                hint=f"--report {near}={name or 'FILE'}" if near else None,
            )
        file = Path(name)
        if not file.absolute().parent.is_dir():
            raise RequestError("a report cannot be written: there is no such folder", value=file.parent)
        found[form] = file
    return found


def _check(given: Mapping[str, Any], again: tuple[str, ...]) -> Verdict:
    from sm_contracts.checking import check
    from sm_contracts.registry import UnknownRuleError
    from sm_contracts.reports.display import Display
    from sm_contracts.rule import Severity
    from sm_emulate.request import flags as read

    stop = _Stop()
    interrupts = Interrupts()
    pairs = {
        "hyperparameters": read.key_values(given["hyperparameter"], what="hyperparameter"),
        "environment": read.key_values(given["environment"], what="environment variable", secret=True),
    }
    payload = _payload(given)
    _refuse_wrong_samples(given, pairs)
    try:
        with (
            Display(
                sys.stderr,
                colour=colours_allowed(),
                bars=os.environ.get("TERM") != "dumb",
                planned=lambda: interrupts.stop(stop),
            ) as display,
            interrupts,
        ):
            verdict = check(
                given["image"],
                roles=given["role"],
                channels=given["channel"],
                inputs=given["input"],
                outputs=given["processing_output"],
                hyperparameters=pairs["hyperparameters"],
                environment=pairs["environment"],
                metrics=given["metric"],
                model=given["model"],
                payload=payload,
                instance_type=given["instance_type"],
                gpus=given["gpus"],
                network_isolation=given["enable_network_isolation"],
                limits=_limits(given),
                select=_names(given["select"]),
                ignore=given["ignore"],
                fail_on=Severity(given["fail_on"]),
                engine=engine_at(given["engine"]) if given["engine"] else None,
                watch=display,
                stopping=stop.asked,
            )
    except UnknownRuleError as unknown:
        raise RequestError(
            "there is no such rule",
            value=unknown.text,
            expected="an id (SM304), a name (ping-slow), or the beginning of ids (SM3)",
            hint=f"did you mean {unknown.near}?" if unknown.near else "`sm-emulate rules` lists them",
        ) from unknown
    return replace(verdict, command=again)


class _Stop:
    """What Ctrl-C stops once probes run: they end early, and what they saw is reported."""

    def __init__(self) -> None:
        self._asked = False

    def stop(self) -> None:
        self._asked = True

    def asked(self) -> bool:
        return self._asked


def _limits(given: Mapping[str, Any]) -> Any:
    from sm_contracts.subject import Limits

    limits = Limits()
    if given["startup_timeout"] is not None:
        limits = replace(limits, startup_timeout_s=given["startup_timeout"])
    if given["stop_grace"] is not None:
        limits = replace(
            limits, train_stop_grace_s=given["stop_grace"], serve_stop_grace_s=given["stop_grace"]
        )
    return limits


def _payload(given: Mapping[str, Any]) -> SamplePayload | None:
    from sm_contracts.subject import SamplePayload

    data = given["data"]
    if data is None:
        for flag in ("content_type", "accept"):
            if given[flag] is not None:
                name = flag.replace("_", "-")
                raise RequestError(
                    f"--{name} without --data",
                    value=given[flag],
                    expected="a payload to go with it",
                    hint="--data @FILE",
                )
        return None
    if data == "@-":
        body = sys.stdin.buffer.read()
    elif data.startswith("@"):
        try:
            body = Path(data[1:]).read_bytes()
        except OSError as error:
            raise RequestError(
                f"the payload cannot be read: {error.strerror}",
                value=data[1:],
                expected="a file, or @- for stdin",
            ) from error
    else:
        body = data.encode()
    return SamplePayload(body=body, content_type=given["content_type"], accept=given["accept"])


def _refuse_wrong_samples(given: Mapping[str, Any], pairs: Mapping[str, Mapping[str, str]]) -> None:
    """Hold sample input against the API's own limits before anything starts."""
    from sm_emulate.request import endpoint, hosted_model, training
    from sm_emulate.request import flags as read
    from sm_emulate.request.service_model import load
    from sm_emulate.storage.runs import default_cache

    cache = default_cache(os.environ)
    if given["channel"] or pairs["hyperparameters"] or given["metric"]:
        document = read.training_document(
            image="image",
            job_name="validate",
            role_arn="arn:aws:iam::123456789012:role/sm-emulate",
            output_path=os.fspath(Path.cwd()),
            instance_type=given["instance_type"],
            channels=[read.channel(text) for text in given["channel"]],
            hyperparameters=pairs["hyperparameters"],
            environment=pairs["environment"],
            metrics=[read.metric(text) for text in given["metric"]],
        )
        training.check_local(training.from_aws(document, model=load(training.OPERATION, cache_dir=cache)))
    if given["input"] or given["processing_output"]:
        from sm_emulate.api import processing_request
        from sm_emulate.request.processing import check_local

        check_local(
            processing_request(
                "image", inputs=given["input"], outputs=given["processing_output"], job_name="validate"
            )
        )
    if given["model"] is not None:
        hosted_model.check_local(
            endpoint.from_flags(
                image="image",
                endpoint_name="validate",
                instance_type=given["instance_type"],
                model_data=given["model"],
                environment=pairs["environment"],
                models=endpoint.load_models(cache_dir=cache),
            ).model
        )


def _again(ctx: click.Context, flags: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the words that do the same again, but for rules and reports; values of variables stay unseen."""
    words = ["sm-emulate", "validate", flags["image"]]
    left_out = {"image", "select", "ignore", "output", "report"}
    for parameter in ctx.command.params:
        name = str(parameter.name)
        if name in left_out or name not in flags:
            continue
        if ctx.get_parameter_source(name) is ParameterSource.DEFAULT:
            continue
        flag, value = parameter.opts[0], flags[name]
        if value is True:
            words.append(flag)
            continue
        for each in value if isinstance(value, tuple) else (value,):
            said = f"{each:g}" if isinstance(each, float) else str(each)
            if name == "environment":
                variable = said.partition("=")[0]
                said = f"{variable}=${variable}"
            words += [flag, said]
    return tuple(words)


def _report(verdict: Verdict, output: str, reports: Mapping[str, Path]) -> int:
    from sm_contracts.reports import render

    for form, file in reports.items():
        _write(file, render(verdict, form))
    coloured = sys.stdout.isatty() and colours_allowed()
    with suppress(AttributeError):  # a stream of a test that is no file takes any character
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # TextIO is a file's in all but tests
    click.echo(render(verdict, output, colour=coloured), nl=False)
    if verdict.interrupted:
        return ExitCode.INTERRUPTED
    return {"pass": ExitCode.OK, "fail": ExitCode.CONTAINER}.get(verdict.judgement, ExitCode.NOTHING_CHECKED)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RequestError(f"a report cannot be written: {error.strerror}", value=file) from error
