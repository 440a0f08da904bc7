"""What processing leaves behind, and how it takes a stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.evidence.processing import ExitMessages, ProcessingOutputs, ProcessingStopped
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.processing import sources

if TYPE_CHECKING:
    from collections.abc import Iterator

_DECLARE = "declare what it leaves with --processing-output NAME,from=/opt/ml/processing/..."
_SHOWN = 5


@rule(
    "SM703",
    "no-output",
    severity=Severity.WARNING,
    roles=Role.PROCESSING,
    needs=ProcessingOutputs,
    source=sources.DATA,
)
def no_output(outputs: ProcessingOutputs) -> Iterator[Outcome]:
    """A declared output stays empty.

    What:
        A run ended well and left no file in the LocalPath of an output that was declared.

    Why:
        The platform uploads what lies in that directory, and nothing else. A job that writes elsewhere is Completed,
        and its results are gone with its instances.

    Fix:
        Write to the LocalPath of the output, which exists when the program starts; or correct LocalPath in the
        request.
    """
    if not outputs.folders:
        yield Inconclusive("no output was declared", _DECLARE)
    for name, folder in outputs.folders.items():
        if not folder.files:
            yield Fail(
                f"output {name} is empty: nothing was written to {outputs.places[name]}",
                {"output": name, "local_path": outputs.places[name]},
            )


@rule(
    "SM704",
    "symlink-in-output",
    severity=Severity.WARNING,
    roles=Role.PROCESSING,
    needs=ProcessingOutputs,
    source=sources.DATA,
)
def symlink_in_output(outputs: ProcessingOutputs) -> Iterator[Outcome]:
    """An output holds symlinks, which are not uploaded.

    What:
        A run left symlinks in the LocalPath of a declared output.

    Why:
        The platform does not follow symlinks when it uploads: what they point to does not arrive in S3, and nothing
        says so.

    Fix:
        Copy or move the files to the output; `cp -L` and `shutil.copytree` follow links.
    """
    if not outputs.folders:
        yield Inconclusive("no output was declared", _DECLARE)
    for name, folder in outputs.folders.items():
        if folder.symlinks:
            found = sorted(folder.symlinks)
            yield Fail(
                f"output {name} holds {len(found)} symlinks, such as {found[0]}",
                {"output": name, "symlinks": {each: folder.symlinks[each] for each in found[:_SHOWN]}},
            )


@rule(
    "SM705",
    "exit-message-not-utf8",
    severity=Severity.ERROR,
    roles=Role.PROCESSING,
    needs=ExitMessages,
    source=sources.MESSAGE,
)
def exit_message_not_utf8(messages: ExitMessages) -> Iterator[Outcome]:
    """The exit message is not UTF-8.

    What:
        A run left bytes in /opt/ml/output/message that are not UTF-8.

    Why:
        The first kilobyte of that file becomes ExitMessage. If the data in it is not UTF-8 the job fails with a
        ClientError, even one whose program exited with 0.

    Fix:
        Open the file with `encoding="utf-8"`, whatever the locale of the container is; decode what came from other
        programs before it is written there.
    """
    for run in messages.runs:
        data = run.message
        if data is None:
            continue
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            yield Fail(
                f"the exit message is not UTF-8: byte {data[error.start]:#04x} at {error.start}",
                run.as_evidence(),
            )
            return


@rule(
    "SM707",
    "stop-ignored",
    severity=Severity.ERROR,
    roles=Role.PROCESSING,
    needs=ProcessingStopped,
    source=sources.PROCESSING,
)
def stop_ignored(stopped: ProcessingStopped) -> Iterator[Outcome]:
    """Processing goes on after a stop until it is killed.

    What:
        A run was sent SIGINT in the middle and was still alive at the end of the stop window (120 seconds unless
        --stop-grace says otherwise). It is a warning where another run ended on SIGTERM.

    Why:
        StopProcessingJob and a reached MaxRuntimeInSeconds send SIGINT and then SIGKILL, as the page on processing
        containers says; training has SIGTERM, and no page says how long it takes. What is killed saves nothing and
        leaves no exit message. PID 1 has no default handler: what does not handle a signal never notices it.

    Fix:
        Handle SIGINT and SIGTERM alike: save, and exit. Use the exec form of ENTRYPOINT, and `exec` in shell scripts,
        so that the program itself is PID 1; a shell needs `trap ... INT TERM`.
    """
    about = {
        "window_s": stopped.window_s,
        "signal_after_s": None if stopped.sent_after_s is None else round(stopped.sent_after_s, 2),
        "lived_on_s": round(stopped.lived_on_s, 2),
        "handler": stopped.handled,
        "heeds_sigterm": stopped.heeds_sigterm,
    }
    if stopped.killed:
        words = f"{stopped.window_s:g} s after SIGINT the program was still alive and was killed"
        if stopped.heeds_sigterm:
            yield Fail(
                f"{words}; it ends on SIGTERM", about | stopped.run.as_evidence(), severity=Severity.WARNING
            )
        else:
            yield Fail(words, about | stopped.run.as_evidence())
    elif stopped.ended_by_itself:
        yield Inconclusive(
            f"it ended by itself after {stopped.run.seconds:.1f} s, before a stop could show anything",
            "give sample input that takes longer",
        )
    else:
        yield Pass(about)
