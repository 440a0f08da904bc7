"""Where Podman answers the Docker API otherwise than Docker does: how to know it, and what to make of it.

Measured with Podman 4.3.1, crun 1.8.1 and runc 1.1; docs/engines.md lists what is left to see.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sm_emulate.engine.protocol import Mount

NO_RLIMIT = re.compile(r"setrlimit .*not permitted")
"""crun's words for a limit that the engine may not set."""
HAS_DEPENDENTS = re.compile(r"has dependent containers")
"""Podman's words for a container whose network others share."""
_FAILED_START = re.compile(r"\bOCI (runtime|permission)\b|\b(crun|runc): ")
_NOT_FOUND = re.compile(r"executable file [`\"](?P<program>[^`\"]+)[`\"] not found in \$PATH")
_NOT_ALLOWED = re.compile(r"open executable: (Permission denied|Operation not permitted)")
_LIKE_DOCKER = "OCI runtime create failed: runc create failed: unable to start container process"


def answers(server: str) -> bool:
    """Tell from how an engine names itself whether it is Podman: `Libpod/4.3.1 (linux)`."""
    return server.startswith("Libpod/")


def version(server: str) -> dict[str, object]:
    """Give of the answer to `GET /version`, which takes Podman two seconds, what is told with every answer."""
    number = server.removeprefix("Libpod/").partition(" ")[0]
    return {"Version": number, "Components": [{"Name": "Podman Engine"}]}


def is_about_the_program(words: str) -> bool:
    """Tell whether the runtime made a container, and could not run its program."""
    return bool(_NOT_FOUND.search(words) or _NOT_ALLOWED.search(words) or NO_RLIMIT.search(words))


def why_not_started(words: str, program: str) -> str | None:
    """Say why a program could not be started in the words of Docker, which SageMaker repeats; None for anything else.

    Podman's runtime is crun as a rule, which has words of its own.
    """
    if found := _NOT_FOUND.search(words):
        name = found["program"]
        where = (
            f"stat {name}: no such file or directory" if "/" in name else "executable file not found in $PATH"
        )
        return f'{_LIKE_DOCKER}: exec: "{name}": {where}: unknown'
    if _NOT_ALLOWED.search(words):
        return f'{_LIKE_DOCKER}: exec: "{program}": permission denied: unknown'
    return words if _FAILED_START.search(words) else None


def missing_source(mounts: Sequence[Mount]) -> str | None:
    """Give what is to be mounted and is not there. Docker looks for it at once, Podman at the start."""
    return next((mount.source for mount in mounts if not Path(mount.source).exists()), None)
