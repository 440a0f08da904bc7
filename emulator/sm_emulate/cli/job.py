"""A job of the command line, from its first signal to its exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from sm_emulate.cli.interrupts import Interrupts
from sm_emulate.cli.options import engine_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sm_emulate.events import Listener
    from sm_emulate.lifecycle.platform import Platform


class JobResult(Protocol):
    """How a job ended."""

    @property
    def succeeded(self) -> bool: ...

    def describe(self) -> dict[str, Any]: ...


_Result = TypeVar("_Result", bound=JobResult)


def follow(
    job: Callable[..., _Result],
    request: object,
    flags: dict[str, Any],
    *,
    platform: Platform,
    told: AbstractContextManager[Listener],
    show: Callable[[_Result], None],
    **more: object,
) -> int:
    """Run a job to its end, print its result, and give the exit code; signals stop it.

    Args:
        job: the function of `sm_emulate.api` that runs it.
        request: what it runs.
        flags: those that all jobs have.
        platform: which SageMaker.
        told: shows on stderr what happens.
        show: prints the result for a person.
        more: further arguments of `job`.
    """
    from sm_emulate.errors import ExitCode

    with Interrupts() as interrupts, told as listener:
        result = job(
            request,
            engine=engine_at(flags["engine"]) if flags["engine"] else None,
            home=flags["home"],
            platform=platform,
            gpus=flags["gpus"],
            stop_grace_s=flags["stop_grace"],
            listeners=(listener,),
            ready=interrupts.stop,
            **more,
        )
    if flags["output"] == "json":
        click.echo(json.dumps(result.describe(), indent=2))
    else:
        show(result)
    if interrupts.by_person:
        return ExitCode.INTERRUPTED
    return ExitCode.OK if result.succeeded else ExitCode.CONTAINER
