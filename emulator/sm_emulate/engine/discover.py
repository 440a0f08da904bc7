"""Which container engine to use: the one that was named, else the first that answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from sm_emulate.engine.docker import DockerEngine
from sm_emulate.engine.endpoint import Endpoint, Tls
from sm_emulate.engine.wire import Client
from sm_emulate.errors import EngineError, EngineNotFoundError, RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMES = ("unix://", "tcp://", "http://", "https://", "ssh://")
_LOCAL_PATIENCE = 2.0
_FAR_PATIENCE = 5.0
_SYSTEM_SOCKETS = (("/var/run/docker.sock", "Docker"), ("/run/podman/podman.sock", "Podman"))
_INSTALL = (
    "install Docker (https://docs.docker.com/engine/install/) or Podman and start it, or set DOCKER_HOST"
)


def connect(host: str | None = None, *, environ: Mapping[str, str]) -> DockerEngine:
    """Give the engine that answers first.

    In order: `host`, DOCKER_HOST, DOCKER_CONTEXT, the current Docker context, then the usual sockets of
    Docker, rootless Docker, Docker Desktop, Colima and Podman. One that is named and does not answer is an
    error; the current context gives way to the sockets.

    Raises:
        EngineNotFoundError: nothing answers; the evidence has every place tried and why it did not.
    """
    home = Path(environ.get("HOME") or Path.home())
    if host is not None and not host.startswith(SCHEMES):
        raise RequestError(
            "this is no address of a container engine",
            value=host,
            expected="unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST",
            hint="from --engine",
        )
    named = _named(host, environ, home)
    if named is not None:
        try:
            return _reach(named)
        except OSError as error:
            raise EngineNotFoundError(
                "the container engine does not answer",
                value=f"{named.url} (from {named.origin})",
                hint=f"start it, or mend or unset {named.origin}",
                evidence=(_why(error),),
            ) from error
    tried = []
    for endpoint in _usual(environ, home):
        engine_or_reason = _attempt(endpoint)
        if isinstance(engine_or_reason, DockerEngine):
            return engine_or_reason
        tried.append(f"{endpoint.url} ({endpoint.origin}): {engine_or_reason}")
    raise EngineNotFoundError("no container engine answers", hint=_INSTALL, evidence=tuple(tried))


def _reach(endpoint: Endpoint) -> DockerEngine:
    return DockerEngine(Client.reach(endpoint, _LOCAL_PATIENCE if endpoint.local else _FAR_PATIENCE))


def _attempt(endpoint: Endpoint) -> DockerEngine | str:
    """Give the engine, or why there is none."""
    try:
        return _reach(endpoint)
    except OSError as error:
        return _why(error)
    except EngineError as error:
        return f"{error.what} ({error.value})"


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such socket"
    if isinstance(error, PermissionError):
        return "permission denied: `sudo usermod -aG docker $USER`, then log in again"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there: the engine is not started"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return error.strerror or str(error)


def _named(host: str | None, environ: Mapping[str, str], home: Path) -> Endpoint | None:
    for url, origin in ((host, "--engine"), (environ.get("DOCKER_HOST"), "DOCKER_HOST")):
        if url:
            return Endpoint(url=url, origin=origin, tls=_tls_of_environment(url, environ, home))
    context = environ.get("DOCKER_CONTEXT")
    if context and context != "default":
        return _context(context, environ, home, "DOCKER_CONTEXT")
    return None


def _tls_of_environment(url: str, environ: Mapping[str, str], home: Path) -> Tls | None:
    if not url.startswith(("tcp://", "https://")):
        return None
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    folder = environ.get("DOCKER_CERT_PATH")
    if not verify and not folder:
        return None
    return _tls_of_folder(Path(folder) if folder else _config_folder(environ, home), verify=verify)


def _tls_of_folder(folder: Path, *, verify: bool) -> Tls:
    ca, cert, key = (
        str(path) if path.exists() else None for path in (folder / f"{n}.pem" for n in ("ca", "cert", "key"))
    )
    return Tls(ca=ca, cert=cert, key=key, verify=verify)


def _config_folder(environ: Mapping[str, str], home: Path) -> Path:
    folder = environ.get("DOCKER_CONFIG")
    return Path(folder) if folder else home / ".docker"


def _context(name: str, environ: Mapping[str, str], home: Path, origin: str) -> Endpoint:
    """Read a Docker context from where the Docker command line keeps it."""
    from hashlib import sha256

    folder = _config_folder(environ, home) / "contexts"
    key = sha256(name.encode()).hexdigest()
    try:
        endpoint = json.loads((folder / "meta" / key / "meta.json").read_text())["Endpoints"]["docker"]
        url, skip = str(endpoint["Host"]), bool(endpoint.get("SkipTLSVerify"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineNotFoundError(
            "the Docker context is not there",
            value=f"{name} (from {origin})",
            expected="a context that `docker context ls` lists",
            evidence=(f"{type(error).__name__}: {error}",),
        ) from error
    material = folder / "tls" / key / "docker"
    tls = (
        _tls_of_folder(material, verify=not skip)
        if material.is_dir() and not url.startswith("unix")
        else None
    )
    return Endpoint(url=url, origin=f"{origin} {name}" if origin else f"context {name}", tls=tls)


def _usual(environ: Mapping[str, str], home: Path) -> list[Endpoint]:
    found = []
    context = _current_context(environ, home)
    if context is not None:
        found.append(context)
    runtime = environ.get("XDG_RUNTIME_DIR")
    own = [
        (f"{runtime}/docker.sock" if runtime else None, "rootless Docker"),
        (f"{home}/.docker/run/docker.sock", "Docker Desktop"),
        (f"{home}/.colima/default/docker.sock", "Colima"),
        (f"{home}/.colima/docker.sock", "Colima"),
        (f"{runtime}/podman/podman.sock" if runtime else None, "rootless Podman"),
    ]
    sockets = [*_SYSTEM_SOCKETS[:1], *own, *_SYSTEM_SOCKETS[1:]]
    found += [Endpoint(url=f"unix://{path}", origin=origin) for path, origin in sockets if path is not None]
    return found


def _current_context(environ: Mapping[str, str], home: Path) -> Endpoint | None:
    try:
        config = json.loads((_config_folder(environ, home) / "config.json").read_text())
        name = config.get("currentContext")
        if not name or name == "default":
            return None
        return _context(str(name), environ, home, "the current Docker context")
    except (OSError, ValueError, AttributeError, EngineNotFoundError):
        # a broken configuration of another program; the usual sockets may still answer
        return None
