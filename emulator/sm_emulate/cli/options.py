"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sm_emulate.engine.protocol import Engine
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.report.terminal import Terminal
    from sm_emulate.storage.runs import Runs

Command = TypeVar("Command", bound="Callable[..., Any]")


class Seconds(click.FloatRange):
    """A number of seconds that ends."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it; `nan` and `inf` are numbers for Python only."""
        import math

        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return number


def home_option(command: Command) -> Command:
    """`--home`, where runs are kept."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="SM_EMULATE_HOME",
        help="Folder of all runs.  [default: SM_EMULATE_HOME, else ~/.local/state/sm-emulate]",
    )(command)


def gpus_option(command: Command) -> Command:
    """`--gpus`, which of this machine's GPUs the containers get."""
    return click.option(
        "--gpus",
        default="auto",
        show_default=True,
        metavar="WHICH",
        help="auto, none, all, N or device=ID,...",
    )(command)


def instance_type_option(command: Command) -> Command:
    """`--instance-type`, where it is also a size."""
    return click.option(
        "--instance-type",
        metavar="TYPE",
        help="Instance type: also limits vCPUs and memory.  [default: ml.m5.large, no limits]",
    )(command)


def isolation_option(command: Command) -> Command:
    """`--enable-network-isolation` of a job."""
    return click.option("--enable-network-isolation", is_flag=True, help="No way out of the containers.")(
        command
    )


def role_option(command: Command) -> Command:
    """`--role-arn`."""
    return click.option("--role-arn", metavar="ARN", help="RoleArn, a name only.")(command)


def quiet_option(command: Command) -> Command:
    """`--quiet`, where container logs are told otherwise."""
    return click.option("--quiet", is_flag=True, help="Container logs and warnings only.")(command)


def engine_option(command: Command) -> Command:
    """`--engine`, which container engine to use."""
    return click.option(
        "--engine",
        metavar="ADDRESS",
        help="Engine to use, such as unix:///var/run/docker.sock.  [default: the first that answers]",
    )(command)


def output_option(command: Command) -> Command:
    """`--output`, for a person or for a machine."""
    return click.option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Form of the result on stdout.",
    )(command)


def platform_options(command: Command) -> Command:
    """`--credentials`, `--platform-profile`, `--setting`, `--region`, `--s3`: which SageMaker, and which S3."""
    for option in (
        click.option(
            "--s3",
            default="aws",
            show_default=True,
            envvar="SM_EMULATE_S3",
            metavar="WHICH",
            shell_complete=complete_s3,
            help="What s3:// means: aws (boto3's configuration says where), embedded (folders of ours), or a URL.",
        ),
        click.option(
            "--region", default="us-east-1", show_default=True, help="Region in ARNs and variables."
        ),
        click.option(
            "--setting",
            "settings",
            multiple=True,
            metavar="NAME=VALUE",
            shell_complete=complete_settings,
            help="Where the platform's behaviour is not known for certain; docs/level-of-support.md lists all.",
        ),
        click.option(
            "--platform-profile",
            default="2025",
            show_default=True,
            type=click.Choice(["2025", "2022", "2020"]),
            help="The platform as it was in that year.",
        ),
        click.option(
            "--credentials",
            default="auto",
            show_default=True,
            type=click.Choice(["auto", "none"]),
            help="AWS credentials inside: temporary ones made from yours when the program asks, or none.",
        ),
    ):
        command = option(command)
    return command


def platform_of(flags: Mapping[str, Any]) -> Platform:
    """The platform that the flags of `platform_options` name."""
    from sm_emulate.lifecycle.platform import Platform
    from sm_emulate.request.flags import key_values
    from sm_emulate.spec.profiles import profile_named
    from sm_emulate.spec.settings import Settings
    from sm_emulate.storage.s3_place import s3_place

    profile = profile_named(flags["platform_profile"])
    settings = Settings(profile, key_values(flags["settings"], what="setting"))
    s3 = s3_place(flags["s3"], home=runs_of(flags.get("home")).home)
    return Platform(
        profile=profile,
        settings=settings,
        region=flags["region"],
        s3=s3,
        credentials=flags["credentials"],
    )


def terminal(*, mark_hosts: bool = False, quiet: bool = False) -> Terminal:
    """The listener that tells a run on stderr, as far as NO_COLOR and TERM allow."""
    from sm_emulate.report.terminal import Terminal

    return Terminal(
        mark_hosts=mark_hosts,
        quiet=quiet,
        colour=colours_allowed(),
        bars=os.environ.get("TERM") != "dumb",
    )


def colours_allowed() -> bool:
    """Whether a terminal may be given colours."""
    return os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")


def runs_of(home: Path | None) -> Runs:
    """The runs of the chosen home folder."""
    from sm_emulate.storage.runs import Runs, default_home

    return Runs(home.absolute() if home else default_home(os.environ))


def engine_at(address: str | None) -> Engine:
    """The chosen engine, or the first that answers."""
    from sm_emulate.engine.discover import connect

    return connect(address, environ=os.environ)


def complete_running(ctx: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    """Offer the names of runs that live to the shell."""
    runs = [run for run in runs_of(ctx.params.get("home")).all() if run.owner_pid() is not None]
    return [run.name for run in runs if run.name.startswith(incomplete)]


def complete_components(ctx: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    """Offer the names of an endpoint's inference components to the shell."""
    endpoint = ctx.params.get("name") or ctx.params.get("endpoint")
    runs = [run for run in runs_of(ctx.params.get("home")).all() if run.owner_pid() is not None]
    listed = [
        each["InferenceComponentName"]
        for run in runs
        if endpoint in (None, run.name)
        for each in run.description().get("Emulator", {}).get("InferenceComponents", ())
    ]
    return [name for name in listed if name.startswith(incomplete)]


def complete_container(ctx: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    """Offer the containers of running endpoints to the shell: of the named one, else of all."""
    wanted = ctx.params.get("endpoint")
    names = []
    for run in runs_of(ctx.params.get("home")).all():
        if run.kind == "endpoints" and wanted in (None, run.name) and run.owner_pid() is not None:
            variants = run.description().get("Emulator", {}).get("Containers", {})
            names += [each["ContainerHostname"] for listed in variants.values() for each in listed]
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def complete_jobs(ctx: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    """Offer the names of jobs, which are no endpoints, to the shell."""
    runs = [run for run in runs_of(ctx.params.get("home")).all() if run.kind != "endpoints"]
    return [run.name for run in runs if run.name.startswith(incomplete)]


def complete_tuning_jobs(ctx: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    """Offer the names of tuning jobs that are over to the shell."""
    runs = [run for run in runs_of(ctx.params.get("home")).all() if run.kind == "hyper-parameter-tuning-jobs"]
    return [run.name for run in runs if run.result.exists() and run.name.startswith(incomplete)]


def complete_settings(_ctx: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    """Offer the names of settings to the shell."""
    from sm_emulate.spec.settings import SETTINGS

    return [f"{setting.name}=" for setting in SETTINGS if setting.name.startswith(incomplete)]


def values(*known: str) -> Callable[[click.Context, click.Option, str], list[str]]:
    """Give the completion of an option that takes one of a few words, whose check is the request's."""

    def complete(_ctx: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
        return [word for word in known if word.lower().startswith(incomplete.lower())]

    return complete


def complete_s3(_ctx: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    """Offer the names of S3s to the shell."""
    return [name for name in ("aws", "embedded", "http://") if name.startswith(incomplete)]


def complete_runs(ctx: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    """Offer the names of runs to the shell."""
    names = [run.name for run in runs_of(ctx.params.get("home")).all()]
    return [name for name in names if name.startswith(incomplete)]
