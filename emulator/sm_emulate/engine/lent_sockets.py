"""Sockets inside a container's network for somebody who is not root: a second container opens them and hands them out.

It shares the first one's network for the fraction of a second that this takes, runs this machine's own Python (the
image may have none), and leaves nothing there but the address. The sockets work for us because the kernel is the same.
"""

from __future__ import annotations

import socket
import sys
import sysconfig
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sm_emulate.engine import listener
from sm_emulate.engine.borrowed import mounted
from sm_emulate.engine.protocol import LABEL_HOST, ContainerSpec, Mount
from sm_emulate.errors import SmEmulateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sm_emulate.engine.protocol import Engine

_KIT = "/.sm-emulate"
_PATIENCE_SECONDS = 10.0


def borrow(
    engine: Engine,
    container: str,
    address: str,
    ports: tuple[int, ...],
    *,
    image: str,
    labels: Mapping[str, str],
) -> dict[int, socket.socket] | None:
    """Give sockets that listen at an address inside a container, by port; None if that cannot be done."""
    with (
        tempfile.TemporaryDirectory(prefix="sm-emulate-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waiting,
    ):
        waiting.settimeout(_PATIENCE_SECONDS)
        waiting.bind(f"{folder}/door")
        waiting.listen(1)
        helper = None
        try:
            helper = engine.create(
                _helper(container, address, ports, folder=folder, image=image, labels=labels)
            )
            engine.start(helper)
            # what it opens is here before it ends; one that ends without a word has failed
            failed = engine.wait(helper).code != 0
            return None if failed else _taken(waiting, len(ports))
        except (SmEmulateError, OSError):
            return None
        finally:
            if helper is not None:
                with suppress(SmEmulateError):  # `sm-emulate clean` finds it by its labels
                    engine.remove(helper)


def _taken(waiting: socket.socket, most: int) -> dict[int, socket.socket]:
    connection, _ = waiting.accept()
    with connection:
        connection.settimeout(_PATIENCE_SECONDS)
        words, numbers, _, _ = socket.recv_fds(connection, 256, most)
    ports = [int(word) for word in words.split() if word.isdigit()]
    return {port: socket.socket(fileno=number) for port, number in zip(ports, numbers, strict=True)}


def _helper(
    container: str,
    address: str,
    ports: tuple[int, ...],
    *,
    folder: str,
    image: str,
    labels: Mapping[str, str],
) -> ContainerSpec:
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    program, tools = mounted(python)
    library = f"python{sys.version_info.major}.{sys.version_info.minor}"
    script = Path(listener.__file__).resolve()
    return ContainerSpec(
        image=image,
        entrypoint=(*program, "-S", "-B", f"{_KIT}/{script.name}"),
        command=(f"{_KIT}/folder/door", address, *map(str, ports)),
        environment={"LD_PRELOAD": "", "PYTHONHOME": f"{_KIT}/home", "PYTHONPATH": ""},
        user="0:0",
        working_dir="/",
        network=f"container:{container}",
        capabilities=("NET_ADMIN",),
        mounts=(
            *tools,
            Mount(source=sysconfig.get_path("stdlib"), target=f"{_KIT}/home/lib/{library}", read_only=True),
            Mount(source=str(script), target=f"{_KIT}/{script.name}", read_only=True),
            Mount(source=folder, target=f"{_KIT}/folder"),
        ),
        labels={name: value for name, value in labels.items() if name != LABEL_HOST},
    )
