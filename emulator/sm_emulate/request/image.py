"""What the name of an image may look like."""

from __future__ import annotations

import re

from sm_emulate.errors import RequestError

_NAME = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REGISTRY = r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?:{_REGISTRY}/)?{_NAME}(?:/{_NAME})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
    r"|sha256:[0-9a-f]{64}"
)


def check_reference(reference: str) -> None:
    """Raise RequestError for what no engine and no registry takes as the name of an image."""
    if not _REFERENCE.fullmatch(reference):
        raise RequestError(
            "this cannot be the name of an image",
            value=reference,
            expected="[REGISTRY/]NAME[:TAG][@DIGEST], the name in lower case",
        )
