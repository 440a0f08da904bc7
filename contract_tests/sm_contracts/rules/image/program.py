"""The program that the platform runs: there, executable, and of a kind that the kernel runs."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from sm_contracts.evidence.image import Configuration, Launch, Launches, Program
from sm_contracts.roles import SERVING, Role
from sm_contracts.rule import Fail, Outcome, Pass, Severity, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUN = (Role.TRAIN, *SERVING, Role.MULTI_MODEL)
_IMAGE_PAGE = "https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-dockerfile.html"
_IDLE = {
    "sh", "bash", "ash", "dash", "zsh", "fish",
    "python", "python2", "python3", "ipython", "pypy3", "node", "irb", "R", "julia", "jshell",
}  # fmt: skip
"""What base images have as CMD: a shell or an interpreter that waits for input. Nobody means that to be run."""


def _different(launches: Launches) -> Iterator[tuple[str, Launch]]:
    """Give each program once, with the words that lead to it."""
    seen: dict[str, list[Launch]] = {}
    for launch in launches.each:
        seen.setdefault(launch.program.word, []).append(launch)
    for same in seen.values():
        yield " and ".join(launch.word for launch in same), same[0]


def _called(program: Program) -> str:
    return program.path if program.path == program.real_path else f"{program.path} -> {program.real_path}"


@rule("SM104", "program-not-found", severity=Severity.ERROR, roles=_RUN, needs=Launches, source=_IMAGE_PAGE)
def program_not_found(launches: Launches) -> Iterator[Outcome]:
    """There is no program that the platform could run.

    What:
        Without an ENTRYPOINT, looks for `train` (role train) and `serve` (serving roles) in the folders of the
        image's PATH; with one, for the ENTRYPOINT's program. Links are followed inside the image.

    Why:
        SageMaker runs `docker run IMAGE train` and `docker run IMAGE serve`. The word takes CMD's place, so without an
        ENTRYPOINT it is the program itself: `exec: "train": executable file not found in $PATH`.

    Fix:
        Put an executable file of that name into a folder of PATH (`COPY train serve /usr/local/bin/`, mode 755), or
        give the image an ENTRYPOINT in exec form that puts up with the word `train` or `serve` as its argument.
    """
    for words, launch in _different(launches):
        program = launch.program
        if program.found:
            yield Pass({f"{launch.word}": program.path})
            continue
        where = ", ".join(program.searched) or "the image"
        what = (
            f"the ENTRYPOINT's program {program.word!r} is not in {where}"
            if launch.from_entrypoint
            else f"the image has no ENTRYPOINT, and no program `{program.word}` on its PATH ({where})"
        )
        yield Fail(what, {"role": words, "program": program.word, "searched": list(program.searched)})


@rule(
    "SM105",
    "program-not-executable",
    severity=Severity.ERROR,
    roles=_RUN,
    needs=Launches,
    source="https://github.com/aws/sagemaker-python-sdk/issues/4678",
)
def program_not_executable(launches: Launches) -> Iterator[Outcome]:
    """The program that would be run has no execute bit.

    What:
        Looks at the mode of `train`, `serve` or the ENTRYPOINT's program, at the end of all links. On PATH a file
        without the bit counts only if no other folder has one with it, as for the engine.

    Why:
        The container cannot be started: `exec: "serve": permission denied`. Files that come from Windows or out of
        an archive often lose the bit.

    Fix:
        `RUN chmod 755 FILE` in the Dockerfile, or `chmod +x` (`git update-index --chmod=+x`) before the build.
    """
    for words, launch in _different(launches):
        program = launch.program
        if program.found and not program.executable:
            yield Fail(f"{_called(program)} is not executable", {"role": words, "path": program.real_path})


@rule(
    "SM106",
    "bad-interpreter-line",
    severity=Severity.ERROR,
    roles=_RUN,
    needs=Launches,
    source="https://github.com/aws/amazon-sagemaker-examples/issues/571",
)
def bad_interpreter_line(launches: Launches) -> Iterator[Outcome]:
    r"""The kernel cannot make anything of the program's first line.

    What:
        Reads the first line of `train`, `serve` or the ENTRYPOINT's program. It fails if the `#!` line ends in a
        carriage return, names an interpreter that the image lacks (behind `/usr/bin/env` too), or if a text file has
        no such line at all.

    Why:
        The kernel takes the carriage return of a Windows line ending for a part of the name: `/usr/bin/env:
        'python\r': No such file or directory`. A text file without `#!` is an `exec format error`: a shell would
        run it, the engine does not.

    Fix:
        Save the file with Unix line endings (`dos2unix FILE`; `* text=auto eol=lf` in .gitattributes), and begin it
        with a line such as `#!/usr/bin/env python3` that names a program of the image.
    """
    for words, launch in _different(launches):
        program = launch.program
        if not program.found:
            continue
        for what in _line_faults(program):
            line = program.interpreter.line if program.interpreter else ""
            yield Fail(
                f"{_called(program)}: {what}", {"role": words, "path": program.real_path, "first_line": line}
            )


def _line_faults(program: Program) -> Iterator[str]:
    first = program.interpreter
    if program.kind == "empty":
        yield "the file is empty"
    elif program.kind == "text":
        yield "a text file without a #! line"
    elif first is None:
        return
    elif first.ends_in_cr:
        yield f"the line {first.line!r} ends in a carriage return"
    elif not first.path:
        yield "the #! line names no interpreter"
    elif not first.found:
        yield f"the line {first.line!r} names {first.path}, which the image lacks"
    elif not first.behind_env_found:
        yield f"the line {first.line!r} has env look for {first.behind_env!r}, which is not on the image's PATH"


@rule(
    "SM115",
    "cmd-only",
    severity=Severity.ERROR,
    roles=_RUN,
    needs=(Configuration, Launches),
    source="https://github.com/aws/sagemaker-training-toolkit/issues/65",
)
def cmd_only(image: Configuration, launches: Launches) -> Iterator[Outcome]:
    """The image relies on its CMD, which SageMaker replaces.

    What:
        Fails if there is a CMD, no ENTRYPOINT, and no `train` or `serve` program. A CMD that is only a shell or an
        interpreter comes from the base image and is not counted.

    Why:
        `docker run IMAGE train` and `docker run IMAGE serve` put their word in CMD's place, so nothing that the
        author meant is run: what works with plain `docker run IMAGE` does not start on SageMaker.

    Fix:
        Make it the ENTRYPOINT, in exec form: `ENTRYPOINT ["python", "/opt/program/serve.py"]`.
    """
    if image.entrypoint or not any(image.command):
        return
    command = [posixpath.basename(image.command[0]), *image.command[1:]]
    if len(command) == 1 and command[0] in _IDLE:
        return
    for words, launch in _different(launches):
        if not launch.program.found:
            yield Fail(
                f"CMD is {list(image.command)}, and the word `{launch.word}` takes its place",
                {"role": words, "command": list(image.command)},
            )
