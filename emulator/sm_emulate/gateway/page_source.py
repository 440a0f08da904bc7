"""What the page of an endpoint is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sm_emulate.storage.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from sm_emulate.storage.run_folder import RunFolder

PAGE_PATH = "/-/"


@dataclass(frozen=True, kw_only=True)
class PageSource:
    """Where the page's facts come from. All of it is called in threads of its own, never in the gateway's.

    Args:
        run: whose logs and events are shown.
        describe: gives the endpoint as DescribeEndpoint does, plus `Emulator`.
        hidden: gives the values that must not be shown, even where the container prints them.
    """

    run: RunFolder
    describe: Callable[[], Mapping[str, Any]]
    hidden: Callable[[], Collection[str]] = tuple

    def endpoints(self) -> list[dict[str, Any]]:
        """List the endpoints of the same home folder that a process holds now, this one first."""
        found = [_summary(self.describe(), this=True)]
        for run in Runs(self.run.home).all():
            if run.kind == "endpoints" and run.path != self.run.path and run.owner_pid() is not None:
                description = run.description()
                if description:
                    found.append(_summary(description, this=False))
        return [found[0], *sorted(found[1:], key=lambda each: str(each["EndpointName"]))]


def _summary(description: Mapping[str, Any], *, this: bool) -> dict[str, Any]:
    emulator = description.get("Emulator", {})
    return {
        "EndpointName": description.get("EndpointName"),
        "EndpointStatus": description.get("EndpointStatus"),
        "CreationTime": description.get("CreationTime"),
        "Image": emulator.get("Image"),
        "Url": emulator.get("Url", ""),
        "Page": emulator.get("Page", ""),
        "This": this,
    }
