"""Who may read what the gateway itself tells: this machine's people, and no web page of somebody else.

Anybody's web page can have a browser send requests to 127.0.0.1. It cannot read the answers, since none carries a
CORS header, unless its own name is made to lead here (DNS rebinding); the Host header then has that name. So Host must
be an address, which nobody can rebind, or a name that means this machine and nothing else.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sm_emulate.gateway.captured import header_of
from sm_emulate.spec.invocation import RequestHeader

if TYPE_CHECKING:
    from collections.abc import Sequence

OWN_PREFIX = b"/-/"
"""Of all that the gateway itself tells; no path of the API or of a container looks like it."""

_NAMES = frozenset(
    {"localhost", "host.docker.internal", "gateway.docker.internal", "host.containers.internal"}
)
"""The last three: what containers call the machine that they run on."""

_READ = ("Host", "Origin", "Accept", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Last-Event-ID")
HEADERS = {
    name.lower().encode(): (
        RequestHeader(name=name, member=name, longest=8192, seen_in_container=False),
        name.encode() + b": ",
    )
    for name in _READ
}
"""What is kept of the head of such a request."""


def wants_a_page(lines: Sequence[bytes]) -> bool:
    """Tell whether a browser asks for something to show, as no client of the API does."""
    return "text/html" in (header_of(lines, b"Accept") or "")


def refused(lines: Sequence[bytes], *, page: bool) -> str | None:
    """Say why the sender of this head may not have an answer; None if it may.

    Args:
        lines: of the head, as far as `HEADERS` has them.
        page: it asks for the page itself, which a link of another site may lead to.
    """
    host = header_of(lines, b"Host")
    if host is not None and not _means_this_machine(host):
        return (
            f"The Host header is {host[:200]}, which is not an address of this machine. Open this page by its "
            "address, such as http://127.0.0.1:PORT/-/"
        )
    origin = header_of(lines, b"Origin")
    if origin is not None and origin != f"http://{host}":
        return "Pages of other origins may not read this."
    site = header_of(lines, b"Sec-Fetch-Site")
    if site in {None, "same-origin", "none"} or (page and header_of(lines, b"Sec-Fetch-Mode") == "navigate"):
        return None
    return "Pages of other origins may not read this."


def _means_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in _NAMES:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
