"""The role's credentials and calls to AWS from inside containers."""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

from sm_emulate.errors import SmEmulateError
from sm_emulate.events import Noted, Warned
from sm_emulate.lifecycle.companion import Companion
from sm_emulate.lifecycle.link_local import LinkLocal
from sm_emulate.request.naming import DEFAULT_ROLE_ARN
from sm_emulate.spec.credentials import ADDRESS, ENDPOINT_PORTS, PORT, VARIABLE, credentials_path
from sm_emulate.storage.aws_environment import S3_VARIABLE, endpoints, has_credentials

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from sm_emulate.engine.protocol import Engine, Image
    from sm_emulate.events import Event
    from sm_emulate.lifecycle.aws_inside import AwsInside
    from sm_emulate.lifecycle.platform import Platform

_TAKEN = f"{PORT}/tcp"
END_SECONDS = 1.0
"""In which an engine notices that a container has ended."""


class Credentials(Companion):
    """Has containers find the role's credentials at 169.254.170.2, and a configured endpoint beside them.

    The address is one of their own loopback, and what listens there is ours: it works on any network and on none, and
    several jobs do not meet. Nothing is fetched and no library is imported before a container asks.

    Args:
        engine: runs the containers.
        platform: which S3 is meant, and where AWS is asked.
        role_arn: the role that the request names.
        publish: hears what a person should know.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        platform: Platform,
        role_arn: str | None,
        publish: Callable[[Event], None],
    ) -> None:
        self._engine, self._platform, self._role, self._publish = engine, platform, role_arn, publish
        self._paths: dict[str, str] = {}
        self._variables, self._servers = _routes(endpoints(platform.s3, os.environ))
        self._embedded: int | None = None
        if platform.s3.folder is not None and platform.s3.endpoint_url is None:
            self._embedded = ENDPOINT_PORTS[-1]
            self._variables[S3_VARIABLE] = f"http://{ADDRESS}:{self._embedded}"
        self._lock = threading.Lock()
        self._inside: AwsInside | None = None
        self._door = LinkLocal()
        self._entering: list[threading.Thread] = []

    def environment(self, host: str) -> Mapping[str, str]:
        """Give the variables of a host's container, none of which is a key."""
        return {VARIABLE: self._paths.setdefault(host, credentials_path(str(uuid4()))), **self._variables}

    def started(self, host: str, container: str) -> None:
        """Open the addresses inside, aside: the container's first line of output does not wait for them."""
        thread = threading.Thread(
            target=self._enter, args=(host, container), name=f"credentials {host}", daemon=True
        )
        self._entering.append(thread)
        thread.start()

    def close(self) -> None:
        """Close them, and cut what is still connected."""
        for thread in self._entering:
            thread.join()
        self._door.close()
        if self._inside is not None:
            self._inside.close()

    def _enter(self, host: str, container: str) -> None:
        ports = (PORT, *self._servers, *(() if self._embedded is None else (self._embedded,)))
        try:
            opened = self._engine.listen_inside(container, ADDRESS, ports)
            if opened is None:
                if not self._ends_now(container):
                    self._publish(Warned(message=f"{host} has no AWS credentials: {UNREACHABLE}"))
                return
        except SmEmulateError:  # it has ended and is gone
            return
        for port, listener in opened.items():
            self._door.add(listener, partial(self._answer, port=port, host=host, container=container))

    def _ends_now(self, container: str) -> bool:
        """Tell whether a container could not be entered because it has ended; the engine hears of that a bit later."""
        until = time.monotonic() + END_SECONDS
        while self._engine.state(container).exit is None:
            if time.monotonic() > until:
                return False
            time.sleep(END_SECONDS / 20)
        return True

    def _answer(self, connection: socket.socket, *, port: int, host: str, container: str) -> None:
        self._behind().answer(connection, port=port, host=host, container=container, path=self._paths[host])

    def _behind(self) -> AwsInside:
        """Give what answers; it is imported when the first container calls."""
        from sm_emulate.lifecycle.aws_inside import AwsInside

        with self._lock:
            if self._inside is None:
                foreign = bool(self._variables)
                self._inside = AwsInside(
                    role_arn=None if self._role == DEFAULT_ROLE_ARN and not foreign else self._role,
                    region=self._platform.region,
                    s3=self._platform.s3,
                    servers=self._servers,
                    embedded=self._embedded,
                    foreign=foreign,
                    publish=self._publish,
                )
            return self._inside


UNREACHABLE = "its network cannot be entered from here (`sm-emulate doctor` says why)"


def credentials_for(
    engine: Engine,
    *,
    image: Image,
    platform: Platform,
    isolated: bool,
    role_arn: str | None,
    publish: Callable[[Event], None],
) -> Credentials | None:
    """Give the companion if containers are to have credentials: not in isolation, and not where none can be given."""
    if isolated or platform.credentials == "none" or engine.network_entry is None:
        return None
    if engine.network_entry == "container" and not _worth_a_container(platform):
        return None
    if _TAKEN in image.exposed_ports:
        # our port of 169.254.170.2 would keep a program from port 80 of all addresses, which it has on the platform
        publish(Noted(message=f"no AWS credentials in the container: its image exposes port {PORT}"))
        return None
    return Credentials(engine, platform=platform, role_arn=role_arn, publish=publish)


def _worth_a_container(platform: Platform) -> bool:
    """Whether there is something to give, as far as can be told at a glance."""
    return (
        platform.s3.folder is not None
        or bool(endpoints(platform.s3, os.environ))
        or has_credentials(os.environ)
    )


def _routes(variables: Mapping[str, str]) -> tuple[dict[str, str], dict[int, tuple[str, int]]]:
    """Turn endpoint URLs into such as are reached from inside, and say which port there stands for which server.

    A URL with https is left as it is: its certificate is for its own name.
    """
    inside: dict[str, str] = {}
    ports: dict[tuple[str, int], int] = {}
    for name, url in variables.items():
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            inside[name] = url
            continue
        port = ports.setdefault((parts.hostname, parts.port or 80), ENDPOINT_PORTS[len(ports)])
        inside[name] = urlunsplit(parts._replace(netloc=f"{ADDRESS}:{port}"))
    return inside, {port: server for server, port in ports.items()}
