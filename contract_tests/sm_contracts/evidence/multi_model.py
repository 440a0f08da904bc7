"""What the multi-model probe saw: the dialogue about models, and how it was kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sm_contracts.evidence.serving.exchange import Exchange
    from sm_contracts.evidence.serving.start import Start

SLOW_LOAD_S = 0.5
"""A load of at least this many seconds leaves time for pings beside it."""
TOLD_MIB = 4
"""Models that take less memory than this, in MiB, cannot be told from a process's own ups and downs."""


@dataclass(frozen=True, kw_only=True)
class CapabilityLabel:
    """The image's label for many models."""

    value: str | None
    """None if it has none."""


@dataclass(frozen=True, kw_only=True)
class PingWithoutModels:
    """How the container came up with SAGEMAKER_MULTI_MODEL and no model."""

    start: Start


@dataclass(frozen=True, kw_only=True)
class Page:
    """One answer to GET /models."""

    answer: Exchange
    names: tuple[str, ...] = ()
    token: str | None = None
    """Its nextPageToken; None on the last page."""
    trouble: str = ""
    """Why this is no page of models; empty if it is one."""


def read_page(answer: Exchange) -> Page:
    """Read an answer to GET /models as the platform does."""
    if not answer.ok:
        return Page(answer=answer, trouble=f"the container {answer}")
    if answer.length > len(answer.body):
        return Page(answer=answer, trouble=f"the container answered with {answer.length} bytes in one page")
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return Page(
            answer=answer, trouble=f"the container answered 200 with what is no JSON: {answer.text[:80]!r}"
        )
    models = document.get("models") if isinstance(document, dict) else None
    if not isinstance(models, list):
        said = f"{answer.text[:80]!r}"
        return Page(answer=answer, trouble=f"the container answered 200 without a list of models: {said}")
    for each in models:
        if not (
            isinstance(each, dict)
            and all(isinstance(each.get(key), str) for key in ("modelName", "modelUrl"))
        ):
            said = f"{json.dumps(each)[:80]}"
            return Page(answer=answer, trouble=f"the container listed {said}, not a modelName and a modelUrl")
    token = document.get("nextPageToken")
    return Page(
        answer=answer,
        names=tuple(each["modelName"] for each in models),
        # MMS tells it as a text, others as a number
        token=None if token is None or token == "" else str(token),
    )


@dataclass(frozen=True, kw_only=True)
class ListBeforeLoad:
    """GET /models before anything was loaded."""

    page: Page


@dataclass(frozen=True, kw_only=True)
class UnknownName:
    """What a name that was never loaded is answered with."""

    get: Exchange
    delete: Exchange
    invoke: Exchange

    @property
    def each(self) -> dict[str, Exchange]:
        """The requests by the words that the rule has for them."""
        return {
            "GET /models/NAME": self.get,
            "DELETE /models/NAME": self.delete,
            "POST /models/NAME/invoke": self.invoke,
        }


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """One model under one name: how it was loaded, and what it said then."""

    name: str
    target_model: str
    answer: Exchange
    """To POST /models."""
    got: Exchange | None = None
    """To GET /models/NAME; None where it was not loaded."""
    invoked: Exchange | None = None
    """To POST /models/NAME/invoke."""

    @property
    def ok(self) -> bool:
        """Whether the container says that it is loaded."""
        return accepted(self.answer)

    @property
    def works(self) -> bool:
        """Whether it is loaded and answers with 200."""
        return self.ok and self.invoked is not None and self.invoked.ok

    def as_json(self) -> dict[str, Any]:
        """Give it as evidence in a report."""
        shown: dict[str, Any] = {
            "model_name": self.name,
            "target_model": self.target_model,
            "load": self.answer.as_json(),
        }
        if self.got is not None:
            shown["get"] = self.got.as_json()
        if self.invoked is not None:
            shown["invoke"] = self.invoked.as_json()
        return shown


def accepted(answer: Exchange) -> bool:
    """Tell whether an answer to a load or an unload says that it is done."""
    return answer.answered and answer.status is not None and 200 <= answer.status < 300


@dataclass(frozen=True, kw_only=True)
class Loads:
    """The first models, each under an opaque name."""

    models: tuple[Loaded, ...]
    listed: Page | None = None
    """GET /models when the first of them was loaded."""
    blamed: tuple[str, ...] = ()
    """Rules that name the reason, where a load fails for one that another rule is about."""


@dataclass(frozen=True, kw_only=True)
class DoubleLoad:
    """The same name loaded twice."""

    again: Exchange


@dataclass(frozen=True, kw_only=True)
class Invocations:
    """Loaded models that were invoked."""

    models: tuple[Loaded, ...]
    sample_given: bool
    blamed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Names:
    """One archive under names that have nothing to do with TargetModel.

    Args:
        first: under an opaque name, as the platform gives it.
        renamed: the same archive, under another opaque name and another TargetModel; None if it was not tried.
        derived: the same archive under a name that TargetModel gives, tried where `first` does not work.
        strange: names that GET /models told, and that were given to no model.
        sample_given: whether the invocations are known to make sense.
    """

    first: Loaded
    renamed: Loaded | None = None
    derived: Loaded | None = None
    strange: tuple[str, ...] = ()
    sample_given: bool = True


@dataclass(frozen=True, kw_only=True)
class Cycles:
    """Resident bytes after each unload of a model that was loaded and unloaded again and again."""

    model_bytes: int
    """That one loaded model takes."""
    readings: tuple[int, ...]
    collector: str = ""
    """A runtime whose collector takes its time."""


@dataclass(frozen=True, kw_only=True)
class Unloaded:
    """A model that was unloaded."""

    name: str
    answer: Exchange
    """To DELETE /models/NAME."""
    got: Exchange
    invoked: Exchange
    listed: tuple[Page, ...]
    again: Exchange
    """The next POST /models of the same name."""
    cycles: Cycles | None = None
    """None where memory was not or could not be read."""


@dataclass(frozen=True, kw_only=True)
class Paging:
    """GET /models page by page, with several models loaded."""

    expected: tuple[str, ...]
    pages: tuple[Page, ...]
    endless: bool = False
    """There was a next page beyond the last model."""
    strange: tuple[str, ...] = ()
    """Names that were given to no model, see `Names`."""


@dataclass(frozen=True, kw_only=True)
class Exhaustion:
    """Copies of a model, loaded into a container with little memory until it takes no more.

    Args:
        limit_bytes: of the container.
        model_bytes: that one loaded model takes.
        loaded: copies that were loaded.
        refusal: the answer to the first that was not; None if all were.
        alive: whether the container answered a ping after that.
        oom_killed: the kernel killed a process of it for memory.
        exit_code: None while it runs.
        log_tail: last lines of its output.
    """

    limit_bytes: int
    model_bytes: int
    loaded: int
    refusal: Exchange | None
    alive: bool = True
    oom_killed: bool = False
    exit_code: int | None = None
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PingBeside:
    """One ping while a model was being loaded."""

    sent_s: float
    """After the load was asked for."""
    answer: Exchange
    in_time: bool
    """Whether it was answered while the load still ran."""


@dataclass(frozen=True, kw_only=True)
class LoadWithPings:
    """A load, and the pings beside it."""

    seconds: float
    pings: tuple[PingBeside, ...]

    @property
    def blocked(self) -> bool:
        """Whether it took long enough for a ping, and none was answered before it ended."""
        early = [ping for ping in self.pings if ping.sent_s <= self.seconds - SLOW_LOAD_S * 0.6]
        return self.seconds >= SLOW_LOAD_S and bool(early) and not any(ping.in_time for ping in self.pings)


@dataclass(frozen=True, kw_only=True)
class PingsWhileLoading:
    """Every load that was watched."""

    loads: tuple[LoadWithPings, ...]
