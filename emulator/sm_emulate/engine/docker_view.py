"""What is seen of a container of the Docker API: its state, processes, sockets, memory and files."""

from __future__ import annotations

import posixpath
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sm_emulate.engine import kernel_view, layers, listening, processes, render, resident
from sm_emulate.engine.streams import decode
from sm_emulate.engine.tarstream import TarError, TarStream
from sm_emulate.engine.wire import RefusedError
from sm_emulate.errors import EngineError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sm_emulate.engine.protocol import ContainerState, FileStat, Listener, Process
    from sm_emulate.engine.wire import Client


class DockerView:
    """The part of an `Engine` that looks into containers: by this machine's kernel where the engine shares it."""

    _client: Client
    _inside: set[str]
    """Addresses that we opened in containers, and no program of theirs."""

    def state(self, container: str) -> ContainerState:
        return render.state(self._inspect(container))

    def listeners(self, container: str) -> tuple[Listener, ...] | None:
        found = self._inspect(container)
        pid = int(found["State"].get("Pid") or 0)
        if not pid:
            return None
        seen = listening.of_process(pid, found["Id"]) if self._client.endpoint.local else None
        if seen is None:
            seen = self._listeners_by_exec(container)
        # what we opened there is not the container's
        return None if seen is None else tuple(each for each in seen if each.address not in self._inside)

    def catches(self, container: str, name: str) -> bool | None:
        pid = self.state(container).pid if self._client.endpoint.local else 0
        return kernel_view.catches(pid, container, name) if pid else None

    def devices(self, container: str) -> frozenset[str] | None:
        pid = self.state(container).pid if self._client.endpoint.local else 0
        return kernel_view.devices(pid, container) if pid else None

    def written_bytes(self, container: str) -> int | None:
        found = self._client.call("GET", f"/containers/{quote(container)}/json", query={"size": "true"})
        size = found.get("SizeRw")
        return None if size is None else int(size)

    def processes(self, container: str) -> tuple[Process, ...] | None:
        found = self._inspect(container)
        pid = int(found["State"].get("Pid") or 0)
        if not pid:
            return None
        seen = processes.of_process(pid, found["Id"]) if self._client.endpoint.local else None
        if seen is None:
            told = self._output_of(container, processes.BY_EXEC)
            seen = None if told is None else processes.below(1, processes.parse(told.splitlines()))
        return seen or None

    def kill_process(self, container: str, pid: int) -> bool:
        found = self._inspect(container)
        first = int(found["State"].get("Pid") or 0)
        if self._client.endpoint.local and processes.of_process(first, found["Id"]) is not None:
            return processes.kill(pid, found["Id"])
        return self._output_of(container, ("sh", "-c", f"kill -9 {pid} && echo done")) == "done\n"

    def memory(self, container: str) -> int | None:
        query = {"stream": 0, "one-shot": 1}
        try:
            if self._client.endpoint.local:
                found = self._inspect(container)
                seen = resident.of_process(int(found["State"].get("Pid") or 0), found["Id"])
                if seen is not None:
                    return seen
            return render.resident(
                self._client.call("GET", f"/containers/{quote(container)}/stats", query=query)
            )
        except (NotFoundError, RefusedError):
            return None

    def stat(self, container: str, path: str) -> FileStat | None:
        try:
            head = self._client.ask_head(f"/containers/{quote(container)}/archive", query={"path": path})
        except NotFoundError:
            return None
        except RefusedError:
            # 500 without a word (a HEAD has no body) where the path goes through a file as if it were a folder
            parent = posixpath.dirname(path.rstrip("/"))
            above = self.stat(container, parent) if parent not in ("", "/") else None
            if above is not None and above.kind == "link":
                above = self.stat(container, above.target)
            if above is None or above.kind == "directory":
                raise
            return None
        return render.file_stat(head.headers["x-docker-container-path-stat"], path)

    def read(self, container: str, path: str, limit: int) -> bytes | None:
        found = self.stat(container, path)
        if found is not None and found.kind == "link":
            found = self.stat(container, found.target)
        if found is None or found.kind != "file":
            return None
        with self._archive(container, "archive", {"path": found.path}) as stream:
            for _ in stream:
                return stream.content(limit)
        return None

    def files(self, container: str, under: str = "/") -> Iterator[FileStat]:
        top = "/" + under.strip("/")
        if top != "/":
            found = self.stat(container, top)
            if found is not None and found.kind == "link":
                top = found.target
                found = self.stat(container, top)
            if found is None:
                return
        if self._client.endpoint.local:
            with suppress(layers.UnreadableError):
                yield from layers.walk(layers.folders(self._inspect(container)), top)
                return
        yield from self._files_by_stream(container, top)

    def _files_by_stream(self, container: str, top: str) -> Iterator[FileStat]:
        """List files from an archive that the engine makes of them."""
        if top == "/":
            with self._archive(container, "export", None) as stream:
                for entry in stream:
                    path = "/" + entry.path.strip("./") if entry.path.startswith("./") else "/" + entry.path
                    if path.strip("/"):
                        yield replace(entry, path=path.rstrip("/"))
            return
        with self._archive(container, "archive", {"path": top}) as stream:
            for entry in stream:
                # named from the last folder of the path on
                _, _, inside = entry.path.strip("/").partition("/")
                yield replace(entry, path=f"{top}/{inside}".rstrip("/"))

    @contextmanager
    def _archive(self, container: str, kind: str, query: Mapping[str, object] | None) -> Iterator[TarStream]:
        connection = self._client.download(f"/containers/{quote(container)}/{kind}", query=query)
        try:
            yield TarStream(connection.receive_into)
        except (OSError, TarError) as error:
            raise EngineError(
                "the files of a container cannot be read",
                value=container,
                evidence=(str(error),),
                hint="is the container engine still running?",
            ) from error
        finally:
            connection.close()

    def _inspect(self, container: str) -> Any:
        return self._client.call("GET", f"/containers/{quote(container)}/json")

    def _listeners_by_exec(self, container: str) -> tuple[Listener, ...] | None:
        """Have the container read its own tables, where it has a `cat`."""
        tables = self._output_of(container, ("cat", "/proc/net/tcp", "/proc/net/tcp6"))
        return tuple(listening.parse(tables)) if tables and "local_address" in tables else None

    def _output_of(self, container: str, command: tuple[str, ...]) -> str | None:
        """Give what a command prints in the container; None if it cannot be run there."""
        body = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(command), "User": "0"}
        try:
            made = self._client.call("POST", f"/containers/{quote(container)}/exec", body=body)
            connection = self._client.hijack(
                f"/exec/{made['Id']}/start", body={"Detach": False, "Tty": False}
            )
        except EngineError:
            return None
        try:
            return b"".join(
                chunk.data for chunk in decode(connection.rest()) if chunk.stream == "stdout"
            ).decode("utf-8", "replace")
        except OSError:
            return None
        finally:
            connection.close()
