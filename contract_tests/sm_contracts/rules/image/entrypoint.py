"""Forms of ENTRYPOINT that lose the platform's word or its signals."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from sm_contracts.evidence.image import Configuration, Launches
from sm_contracts.roles import SERVING, Role
from sm_contracts.rule import Fail, Outcome, Severity, Skip, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUN = (Role.TRAIN, *SERVING, Role.MULTI_MODEL)
_SHELLS = {"sh", "bash", "ash", "dash", "zsh", "ksh"}
_HANDS_ON = re.compile(r"\s*exec\s.*\$[@*0-9{\"]", re.DOTALL)


@rule(
    "SM107",
    "shell-form-entrypoint",
    severity=Severity.WARNING,
    roles=_RUN,
    needs=Configuration,
    source="https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html",
)
def shell_form_entrypoint(image: Configuration) -> Iterator[Outcome]:
    """ENTRYPOINT is in shell form.

    What:
        Fails if ENTRYPOINT is a shell with `-c`, as `ENTRYPOINT command ...` without brackets makes it. A command
        that begins with `exec` and hands its arguments on (`exec program "$@"`) is fine.

    Why:
        The shell is PID 1 and does not pass SIGTERM on: the program is killed at the end of the stop window, without
        a checkpoint or an answer to the requests under way. The word `train` or `serve` goes to the shell and is lost.

    Fix:
        Write ENTRYPOINT in exec form: `ENTRYPOINT ["python", "/opt/program/main.py"]`.
    """
    if not any(image.entrypoint):
        yield Skip("the image has no ENTRYPOINT")
        return
    program, *arguments = image.entrypoint
    if posixpath.basename(program) not in _SHELLS:
        return
    commands = _commands(arguments)
    if commands and not _HANDS_ON.match(commands[0]):
        yield Fail(
            f"ENTRYPOINT is a shell with the command {commands[0]!r}: signals and the word `train` or `serve` "
            "do not get past it",
            {"entrypoint": list(image.entrypoint)},
        )


def _commands(arguments: list[str]) -> list[str]:
    """Give what follows a shell's -c; nothing if it runs a file."""
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if word in ("-o", "+o"):
            waiting[:1] = []
        elif word.startswith("-") and not word.startswith("--"):
            if "c" in word:
                return waiting
        elif not word.startswith("-"):
            return []
    return []


@rule(
    "SM108",
    "init-entrypoint",
    severity=Severity.WARNING,
    roles=_RUN,
    needs=Launches,
    source="https://github.com/aws/sagemaker-python-sdk/issues/4113",
)
def init_entrypoint(launches: Launches) -> Iterator[Outcome]:
    """An init is the ENTRYPOINT, and what it is to run cannot be run.

    What:
        Where ENTRYPOINT is tini, dumb-init or catatonit, looks for the program that it runs: the word behind it, or
        `train` and `serve` themselves if there is none.

    Why:
        The init runs whatever follows: with `ENTRYPOINT ["tini", "--"]` that is the word `train`, and the job ends with
        `[FATAL tini (7)] exec train failed: No such file or directory`. The documentation advises against inits for
        that reason.

    Fix:
        Put the program behind the init: `ENTRYPOINT ["tini", "--", "python", "/opt/program/main.py"]`, or have an
        executable `train` or `serve` on PATH.
    """
    inits = [launch for launch in launches.each if launch.init]
    if not inits:
        yield Skip("the ENTRYPOINT is no init")
    seen = set()
    for launch in inits:
        behind = launch.behind_init
        if behind is None or behind.word in seen:
            continue
        seen.add(behind.word)
        if not behind.found:
            yield Fail(
                f"{launch.init} is to run {behind.word!r}, which is not in the image",
                {"entrypoint": list(launch.argv), "program": behind.word},
            )
        elif not behind.executable:
            yield Fail(
                f"{launch.init} is to run {behind.word!r}, and {behind.path} is not executable",
                {"entrypoint": list(launch.argv), "program": behind.word, "path": behind.path},
            )
