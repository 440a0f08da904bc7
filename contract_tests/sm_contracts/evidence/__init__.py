"""What probes saw, as frozen values: the only thing that rules know of an image.

Every type of evidence is a frozen dataclass of its own, made by one probe. Where it could not be had the probe gives
`Missing` in its place, and every rule that needs it is inconclusive for that reason.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Missing:
    """Evidence that could not be had.

    Args:
        reason: why, as a sentence about this image.
        how: what to do to have it next time, if anything.
        applies: false where the evidence makes no sense for this image: its rules are then skipped.
    """

    reason: str
    how: str = ""
    applies: bool = True
