"""The engine of a call: the caller's own, or the first that answers."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sm_emulate.engine.protocol import Engine


@contextmanager
def engine_for(given: Engine | None) -> Iterator[Engine]:
    """Give the engine to use. The caller's own stays open afterwards.

    Raises:
        EngineNotFoundError: none was given and none answers.
    """
    if given is not None:
        yield given
        return
    from sm_emulate.engine.discover import connect

    found = connect(environ=os.environ)
    try:
        yield found
    finally:
        found.close()
