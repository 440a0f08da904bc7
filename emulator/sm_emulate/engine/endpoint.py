"""Where a container engine listens, and how to get a connection to it."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True, kw_only=True)
class Tls:
    """The files of a TLS client. Without `ca` the system's authorities count."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    verify: bool = True


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where an engine listens."""

    url: str
    """`unix:///PATH`, `tcp://HOST:PORT` or `ssh://[USER@]HOST[:PORT]`."""
    tls: Tls | None = None
    origin: str = ""
    """Who named it: `DOCKER_HOST`, `Docker context colima` ..."""

    @property
    def local(self) -> bool:
        """Whether it is a socket of this machine (which a VM may still stand behind)."""
        return self.url.startswith("unix://")

    def dial(self, timeout: float) -> socket.socket:
        """Open a connection. Raises OSError (also for a URL that cannot be understood)."""
        scheme, _, rest = self.url.partition("://")
        if scheme == "unix":
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(timeout)
                connection.connect(unquote(rest) if rest.startswith("/") else "/" + unquote(rest))
            except BaseException:
                connection.close()
                raise
            return connection
        if scheme in ("tcp", "http", "https"):
            host, port = _host_and_port(rest, 2376 if self.tls else 2375)
            plain = socket.create_connection((host, port), timeout)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return (
                plain if self.tls is None and scheme != "https" else _secure(plain, host, self.tls or Tls())
            )
        if scheme == "ssh":
            return _through_ssh(rest, timeout)
        raise OSError(
            errno.EPROTONOSUPPORT,
            f"an engine is named by unix://, tcp:// or ssh://, not {scheme or 'nothing'}://",
        )


def _host_and_port(rest: str, usual: int) -> tuple[str, int]:
    authority = rest.split("/", 1)[0]
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, str(usual)
    if not port.isdigit():
        raise OSError(errno.EINVAL, f"{port!r} is no port number")
    return host.strip("[]"), int(port)


def _secure(plain: socket.socket, host: str, tls: Tls) -> socket.socket:
    import ssl

    try:
        context = ssl.create_default_context(cafile=tls.ca)
        if not tls.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if tls.cert is not None:
            context.load_cert_chain(tls.cert, tls.key)
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _through_ssh(rest: str, timeout: float) -> socket.socket:
    """Have the far Docker command line pass bytes on, as the Docker command line itself does."""
    import subprocess

    authority = rest.split("/", 1)[0]
    target, colon, port = authority.rpartition(":")
    if not colon:
        target, port = authority, ""
    if target.startswith("-"):
        raise OSError(errno.EINVAL, f"{target!r} is no host name")
    options = ["-p", port] if port else []
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            # the child ends by itself when our side of the pair closes
            process = subprocess.Popen(
                ["ssh", "-T", "-o", "ConnectTimeout=10", *options, target, "docker", "system", "dial-stdio"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
    ours.settimeout(max(timeout, 15.0))
    return _ReapingSocket(ours, process)


class _ReapingSocket(socket.socket):
    """A socket whose far end is a child of ours, gone when the socket is closed."""

    def __init__(self, pair: socket.socket, child: Any) -> None:
        timeout = pair.gettimeout()
        super().__init__(pair.family, pair.type, pair.proto, fileno=pair.detach())
        self.settimeout(timeout)
        self._child = child

    def close(self) -> None:
        super().close()
        if self._child.poll() is None:
            self._child.terminate()
        self._child.wait()
