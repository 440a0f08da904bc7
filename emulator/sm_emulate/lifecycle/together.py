"""Steps that are taken at the same time, each in a thread of its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def together(
    steps: Sequence[Callable[[], object]],
    *,
    name: str,
    failed: Callable[[BaseException], None] = lambda _: None,
    least: type[BaseException] | tuple[type[BaseException], ...] = (),
) -> None:
    """Take all steps at once and wait for all of them; the first error is raised then.

    Args:
        steps: what to do; a single one is done by the caller's own thread.
        name: of the threads.
        failed: hears of each error at once, in its thread, so that the others can be told to give up.
        least: errors that are raised only if there is no other.
    """
    if len(steps) == 1:
        steps[0]()
        return
    errors: list[BaseException] = []

    def take(step: Callable[[], object]) -> None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001  # raised again below
            errors.append(error)
            failed(error)

    threads = [threading.Thread(target=take, args=(step,), name=name, daemon=True) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in sorted(errors, key=lambda error: isinstance(error, least)):
        raise error
