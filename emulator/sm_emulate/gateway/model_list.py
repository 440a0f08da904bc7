"""What follows each ping of a multi-model container: `GET /models`, page by page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import quote

from sm_emulate.gateway.ping import PingOutcome
from sm_emulate.spec import invocation
from sm_emulate.spec.multi_model import MODELS_PATH

if TYPE_CHECKING:
    from sm_emulate.gateway.front import Upstream

MAX_PAGES = 1000
"""A list that does not end by then has no end."""


@dataclass(frozen=True, kw_only=True)
class ListOutcome:
    """The models that a container has, or the way in which it did not say so."""

    outcome: PingOutcome
    names: tuple[str, ...] = ()


def list_models(
    upstream: Upstream, *, host_header: str, timeout_s: float = invocation.PING_TIMEOUT_S
) -> ListOutcome:
    """Ask a container for its models; never raises for what the container does.

    Args:
        upstream: where it listens.
        host_header: as it sees it.
        timeout_s: for each page.
    """
    import http.client

    began = perf_counter()
    names: list[str] = []
    path = MODELS_PATH
    status: int | None = None

    def failed(why: str) -> ListOutcome:
        return ListOutcome(outcome=_outcome(status, began, why))

    for _ in range(MAX_PAGES):
        connection = http.client.HTTPConnection(upstream.host, upstream.port, timeout=timeout_s)
        headers = {
            "Host": host_header,
            "User-Agent": invocation.CONTAINER_USER_AGENT,
            "Accept": "*/*",
            "Connection": "close",
        }
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException) as error:
            status = None
            return failed(f"GET {path} was not answered: {type(error).__name__} {error}".rstrip())
        finally:
            connection.close()
        if status != 200:
            return failed(f"GET {path} was answered with status {status}")
        try:
            page = json.loads(body)
            names += [each["modelName"] for each in page["models"]]
            token = page.get("nextPageToken")
        except (ValueError, KeyError, TypeError, AttributeError):
            return ListOutcome(outcome=_outcome(200, began, f"GET {path} was answered with {body[:80]!r}"))
        if not token:
            return ListOutcome(outcome=_outcome(200, began, ""), names=tuple(names))
        path = f"{MODELS_PATH}?next_page_token={quote(str(token), safe='')}"
    return failed(f"GET {MODELS_PATH} has no last page")


def _outcome(status: int | None, began: float, detail: str) -> PingOutcome:
    return PingOutcome(
        status=status,
        seconds=perf_counter() - began,
        failure="bad-response" if status is None else None,
        detail=detail,
        path=MODELS_PATH,
    )
