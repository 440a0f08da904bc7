"""Every error that a user can meet, and whose fault it is.

    SmEmulateError                 has a code, an exit status and a hint
    ├── RequestError               exit 2   what was asked for is wrong; nothing was started
    │   └── ArchiveError           exit 2   a model archive that hosting would refuse
    ├── ContainerError             exit 1   the container is at fault
    │   └── EndpointFailedError    exit 1   it did not pass the ping health check
    ├── MachineError               exit 3   this machine cannot run it
    │   ├── EngineNotFoundError    exit 3   no container engine answers
    │   ├── ImageNotFoundError     exit 3   neither here nor in a registry
    │   ├── PipeError          exit 3   a FIFO cannot be made
    │   ├── GpuNotFoundError       exit 3   a GPU was asked for that is not there
    │   ├── StorageError           exit 3   S3 refused, or cannot be reached
    │   └── EngineError            exit 3   the engine refused a call
    │       ├── NotFoundError      exit 3   a container or network that is gone
    │       └── StartError         exit 3   the engine could not start the program (the job blames the image)
    ├── NothingCheckedError        exit 5   a check that checked nothing
    └── BugError                   exit 4   our own

A failed training job is no exception: it is a result with status `Failed`.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the `sm-emulate` process answers. The container's own code is a field of the result."""

    OK = 0
    CONTAINER = 1
    """The container is at fault: the job failed, a rule is broken."""
    USAGE = 2
    """Wrong usage or a wrong request."""
    MACHINE = 3
    """This machine cannot run it: no engine, no image, no disk, no GPU."""
    BUG = 4
    """Our own fault."""
    NOTHING_CHECKED = 5
    INTERRUPTED = 130


class SmEmulateError(Exception):
    """An error in the words of the person who meets it.

    Args:
        what: one sentence without a full stop: what happened.
        value: the value that was seen, if one value is to blame.
        expected: what would have been right.
        hint: what to do about it.
        link: the page that makes it so.
        evidence: lines that show it (last log lines, the engine's own words).
    """

    code = "error"
    exit_code = ExitCode.BUG

    def __init__(
        self,
        what: str,
        *,
        value: object = None,
        expected: str | None = None,
        hint: str | None = None,
        link: str | None = None,
        evidence: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.value = None if value is None else str(value)
        self.expected = expected
        self.hint = hint
        self.link = link
        self.evidence = evidence

    def lines(self) -> list[str]:
        """Give the message as it is printed, `error:` first."""
        printed = [f"error: {self.what}"]
        for label, text in (
            ("value", self.value),
            ("expected", self.expected),
            ("hint", self.hint),
            ("see", self.link),
        ):
            if text is not None:
                printed.append(f"  {label + ':':<10}{text}")
        printed.extend(f"  | {line}" for line in self.evidence)
        return printed

    def as_json(self) -> dict[str, object]:
        """Give the message for a machine, keys always present."""
        return {
            "error": {
                "code": self.code,
                "what": self.what,
                "value": self.value,
                "expected": self.expected,
                "hint": self.hint,
                "link": self.link,
                "evidence": list(self.evidence),
            }
        }


class RequestError(SmEmulateError):
    code = "request"
    exit_code = ExitCode.USAGE


class ArchiveError(RequestError):
    code = "archive"


class ContainerError(SmEmulateError):
    code = "container"
    exit_code = ExitCode.CONTAINER


class EndpointFailedError(ContainerError):
    code = "endpoint-failed"
    containers: tuple[str, ...] = ()
    """What failure messages call those that did not pass."""


class MachineError(SmEmulateError):
    code = "machine"
    exit_code = ExitCode.MACHINE


class EngineNotFoundError(MachineError):
    code = "no-engine"


class ImageNotFoundError(MachineError):
    code = "no-image"


class PipeError(MachineError):
    code = "pipe"


class GpuNotFoundError(MachineError):
    code = "no-gpu"


class StorageError(MachineError):
    code = "storage"


class EngineError(MachineError):
    code = "engine"


class NotFoundError(EngineError):
    code = "not-found"


class StartError(EngineError):
    """The engine made the container but could not start its program; `what` holds the engine's own words."""

    code = "start"


class NothingCheckedError(SmEmulateError):
    code = "nothing-checked"
    exit_code = ExitCode.NOTHING_CHECKED


class BugError(SmEmulateError):
    code = "bug"
    exit_code = ExitCode.BUG
