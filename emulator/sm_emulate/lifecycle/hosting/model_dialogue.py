"""How a multi-model container is asked to load and unload, and what it has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sm_emulate.gateway.caller import CallAnswer, Caller
from sm_emulate.spec import multi_model as spec
from sm_emulate.spec.invocation import CONTAINER_USER_AGENT, TARGET_MODEL_HEADER

if TYPE_CHECKING:
    from sm_emulate.gateway.front import Upstream

CONNECT_SECONDS = 10.0
"""For a connection to be accepted: loading and unloading are no invocations, for which the limit is shorter."""


class ModelDialogue:
    """`Dialogue` of a shelf: one connection for each question, so that an idle one holds up no small server.

    Args:
        upstream: where the container listens.
        host_header: as it sees it.
        limit_s: for one answer.
    """

    def __init__(self, upstream: Upstream, *, host_header: str, limit_s: float = spec.LOAD_LIMIT_S) -> None:
        self._upstream, self._host_header, self._limit_s = upstream, host_header, limit_s

    async def load(self, name: str, key: str) -> CallAnswer:
        """`POST /models`."""
        asked = {"model_name": name, "url": f"{spec.DIRECTORY}/{name}/model"}
        return await self._call("POST", spec.MODELS_PATH, key, json.dumps(asked).encode())

    async def unload(self, name: str, key: str) -> CallAnswer:
        """`DELETE /models/{name}`."""
        return await self._call("DELETE", f"{spec.MODELS_PATH}/{name}", key, None)

    async def get(self, name: str, key: str) -> CallAnswer:
        """`GET /models/{name}`."""
        return await self._call("GET", f"{spec.MODELS_PATH}/{name}", key, None)

    async def _call(self, method: str, path: str, key: str, body: bytes | None) -> CallAnswer:
        headers = {
            "Host": self._host_header,
            "User-Agent": CONTAINER_USER_AGENT,
            "Accept": "*/*",
            # for the container's logs, as the guide has it; bytes of UTF-8, as they came
            TARGET_MODEL_HEADER: key.encode("utf-8", "surrogateescape").decode("latin-1"),
            "Connection": "close",
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        caller = Caller(self._upstream, headers, connect_timeout_s=CONNECT_SECONDS)
        try:
            return await caller.call(method, path, body, timeout_s=self._limit_s)
        finally:
            caller.close()
