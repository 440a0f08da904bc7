"""What processing containers leave in /opt/ml/output/message, and the ExitMessage that it becomes.

https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-metadata.html
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from sm_emulate.artifacts.regular import read_inside
from sm_emulate.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LENGTH = 1024
"""ExitMessage is the first kilobyte."""
_JUDGED_BYTES = 1 << 20
"""So much of a file is looked at to see whether it is text."""


class NotTextError(Exception):
    """A message is not in UTF-8."""


def exit_message(folders: Iterable[Path]) -> str | None:
    """Give the messages of all hosts, joined and cut to a kilobyte; None if nobody left one.

    Args:
        folders: each host's /opt/ml/output, in order.

    Raises:
        NotTextError: one of them is not in UTF-8.
        MachineError: a message is there and the current user may not read it.
    """
    found = [message for folder in folders if (message := _message(folder)) is not None]
    if not found:
        return None
    return "".join(found).encode()[:LENGTH].decode("utf-8", "ignore")


def _message(folder: Path) -> str | None:
    try:
        read = read_inside(folder, "message", _JUDGED_BYTES)
    except OSError as error:
        raise MachineError(
            f"the exit message could not be read: {error.strerror or error}",
            value=error.filename or folder / "message",
            expected="a file that the current user may read",
            hint="check its owner and mode",
        ) from error
    if read is None:
        return None
    try:
        # a character that is cut in half where we stop reading is no fault
        return codecs.getincrementaldecoder("utf-8")().decode(read, final=len(read) < _JUDGED_BYTES)
    except UnicodeDecodeError as error:
        raise NotTextError(str(error)) from error
