"""The command line. Each command is a module of its own, imported when it is asked for.

Results go to stdout, progress and container logs to stderr. An error of our tree becomes its message and its
exit code.
"""

from __future__ import annotations

import errno
import gc
import io
import itertools
import os
import sys
from typing import TYPE_CHECKING

from sm_emulate.errors import BugError, ExitCode, MachineError, RequestError, SmEmulateError

if TYPE_CHECKING:
    from typing import NoReturn


def console() -> NoReturn:
    """Be the `sm-emulate` process: do what `main` does, quickly, and end.

    Nothing here needs the interpreter taken apart object by object, which takes longer than making the result;
    whatever has to be put away is put away by a `with` or `finally` of its own.
    """
    _open_what_is_closed()
    gc.set_threshold(20_000)  # the usual 700 looks for garbage fifty times while modules are imported
    code = int(ExitCode.OK)
    only_help = sys.argv[1:] in (["--help"], ["-h"])
    if not only_help:
        code = _code_of_main()
    try:
        if only_help:
            from sm_emulate.cli.front_page import front_page

            sys.stdout.write(front_page() + "\n")
        sys.stdout.flush()
        sys.stderr.flush()
    except (BrokenPipeError, ValueError):
        pass  # the reader has left, or the stream was closed for that reason
    except OSError as error:
        code = ExitCode.MACHINE
        os.write(2, f"error: the output could not be written: {error.strerror}\n".encode())
    os._exit(code)


def _open_what_is_closed() -> None:
    """Have /dev/null where we were started without a stream, as by `>&-`: a file of ours would get its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(
                os.devnull, os.O_RDONLY if not number else os.O_WRONLY
            )  # the lowest that is free
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - it stays open


def _code_of_main() -> int:
    try:
        main()
    except SystemExit as leave:
        return int(leave.code or 0)
    except KeyboardInterrupt:  # while it was imported
        return ExitCode.INTERRUPTED


def main() -> NoReturn:
    """Run the `sm-emulate` command and leave with its exit code."""
    import click

    from sm_emulate.cli.group import ReaderLeftError, sm_emulate

    debug = "--debug" in sys.argv[1:]
    try:
        _check_words()
        code = sm_emulate.main(prog_name="sm-emulate", standalone_mode=False)
    except click.exceptions.Exit as leave:
        code = leave.exit_code
    except click.ClickException as wrong_usage:
        wrong_usage.show()
        _as_json(RequestError(wrong_usage.format_message()))
        code = wrong_usage.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = ExitCode.INTERRUPTED
    except ReaderLeftError:
        # as in `sm-emulate logs NAME | head`; Python flushes its stdout once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.OK
    except SmEmulateError as error:
        if debug:
            raise
        tell(error)
        code = error.exit_code
    except OSError as refusal:
        if debug:
            raise
        tell(of_the_system(refusal))
        code = ExitCode.MACHINE
    except Exception as bug:
        if debug:
            raise
        tell(
            BugError(
                f"a bug in sm-emulate: {type(bug).__name__}: {bug}",
                hint="run it again with --debug and report the traceback",
            )
        )
        code = ExitCode.BUG
    sys.exit(int(code or 0))


def _check_words() -> None:
    """Refuse arguments that no file and no request can hold, and print whatever the locale."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for word in sys.argv[1:]:
        if any(
            "\ud800" <= letter <= "\udfff" for letter in word
        ):  # how Python keeps bytes that it cannot read
            raise RequestError(
                "an argument is no text in UTF-8",
                value=ascii(word),
                expected="UTF-8, and a locale that can hold it",
                hint="set LC_ALL=C.UTF-8" if sys.getfilesystemencoding() != "utf-8" else None,
            )


def of_the_system(refusal: OSError) -> MachineError:
    """Give the error for what the system refused: our stdout on a full disk, a folder that vanished."""
    hint = None
    if refusal.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "make room, or name a folder on another disk with SM_EMULATE_HOME or --home; `sm-emulate doctor` looks"
    return MachineError(
        f"the system refused: {refusal.strerror or refusal}", value=refusal.filename, hint=hint
    )


def tell(error: SmEmulateError) -> None:
    """Print an error: for a person on stderr, and as JSON on stdout where JSON was asked for."""
    import click

    click.echo("\n".join(error.lines()), err=True)
    _as_json(error)


def _as_json(error: SmEmulateError) -> None:
    words = sys.argv[1:]
    if "--output=json" in words or ("--output", "json") in itertools.pairwise(words):
        import json

        import click

        click.echo(json.dumps(error.as_json(), indent=2))
