"""Times as run.json, result.json and the Describe* answers have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def iso(moment: datetime) -> str:
    """Give a time in ISO 8601, to the millisecond."""
    return moment.isoformat(timespec="milliseconds")
