"""What the settings and an image's label say about bidirectional streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_emulate.gateway.front import Bidirectional
from sm_emulate.spec.bidirectional import LABEL

if TYPE_CHECKING:
    from sm_emulate.engine.protocol import Image
    from sm_emulate.spec.settings import Settings


def kept(settings: Settings) -> Bidirectional:
    """Give how an endpoint keeps its bidirectional streams."""
    return Bidirectional(
        timeout_s=settings.number("bidirectional-timeout"),
        ping_interval_s=settings.number("bidirectional-ping-interval"),
        unanswered_pings=settings.number("bidirectional-unanswered-pings"),
        input_end_closes=settings.text("bidirectional-input-end") == "close",
        normal_close_is_end=settings.text("bidirectional-normal-close") == "end",
    )


def takes_streams(image: Image, settings: Settings) -> bool:
    """Tell whether SageMaker opens WebSockets to containers of this image."""
    return image.labels.get(LABEL) == "true" or settings.text("bidirectional-label") == "ignored"
