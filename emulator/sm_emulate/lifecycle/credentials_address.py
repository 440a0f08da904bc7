"""What a container is answered at 169.254.170.2: its role's credentials, and the little that ECS tells of a task."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sm_emulate.spec.credentials import METADATA
from sm_emulate.storage.role_keys import NoKeysError

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from sm_emulate.storage.role_keys import Keys, RoleKeys

_LONGEST_REQUEST = 1 << 14
_PATIENCE_SECONDS = 10.0
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}


class CredentialsAddress:
    """The handler of one container's connections.

    Args:
        path: the one path that is answered with credentials.
        keys: where they come from.
        task: what the metadata addresses answer.
    """

    def __init__(self, path: str, *, keys: RoleKeys, task: Mapping[str, Any]) -> None:
        self._path, self._keys, self._task = path, keys, task

    def __call__(self, connection: socket.socket) -> None:
        """Answer one request."""
        connection.settimeout(_PATIENCE_SECONDS)
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(4096)
            head += piece
            if not piece or len(head) > _LONGEST_REQUEST:
                return
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        status, answer = self._answer(*words) if len(words) == 3 else _trouble(400, "BadRequest", "no HTTP")
        body = json.dumps(answer).encode()
        connection.sendall(
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
            + body
        )

    def _answer(self, method: str, target: str, _version: str) -> tuple[int, Mapping[str, Any]]:
        path = target.partition("?")[0]
        if method != "GET":
            return _trouble(405, "MethodNotAllowed", f"{method} is not answered here, GET is")
        if path == self._path:
            try:
                return 200, _as_ecs(self._keys.current())
            except NoKeysError as error:
                return _trouble(400, "NoCredentialsAssociated", f"sm-emulate: {error}")
        if path.startswith(METADATA):
            whole = path.rstrip("/").endswith("/task")
            return 200, {**self._task, "Containers": [self._container]} if whole else self._container
        return _trouble(404, "InvalidIdInRequest", "Credentials not found")

    @property
    def _container(self) -> Mapping[str, Any]:
        return {
            "DockerId": self._task["DockerId"],
            "Name": self._task["Family"],
            "DesiredStatus": "RUNNING",
            "KnownStatus": "RUNNING",
            "Type": "NORMAL",
        }


def _as_ecs(keys: Keys) -> dict[str, str]:
    return {
        "RoleArn": keys.role_arn,
        "AccessKeyId": keys.access_key,
        "SecretAccessKey": keys.secret_key,
        "Token": keys.token,
        "Expiration": f"{keys.expiration:%Y-%m-%dT%H:%M:%SZ}",
    }


def _trouble(status: int, code: str, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"code": code, "message": message, "HTTPErrorCode": status}
