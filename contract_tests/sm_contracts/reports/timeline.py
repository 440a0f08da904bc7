"""A probe's containers, pings and invocations over time, as SVG that a page carries in itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from sm_contracts.reports.wording import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WIDTH, LEFT, RIGHT, LANE, PLOT = 960, 200, 16, 22, 150
MARKS = 1500
"""More than this many pings or invocations are thinned out: never the slow or failed ones."""
PING_LIMIT_S, INVOCATION_LIMIT_S = 2.0, 60.0
_LEAST_S, _MOST_S = 0.001, 100.0


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Where a moment stands on the picture."""

    start: float
    end: float

    def x(self, at: float) -> float:
        share = (at - self.start) / (self.end - self.start)
        return round(LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT), 1)

    def ticks(self) -> list[float]:
        """Give round moments, about eight of them."""
        rough = (self.end - self.start) / 8
        size = 10 ** math.floor(math.log10(rough))
        step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
        first = math.ceil(self.start / step)
        return [round(number * step, 6) for number in range(first, math.floor(self.end / step) + 1)]


def picture(probe: str, happenings: Sequence[Mapping[str, Any]]) -> str:
    """Give the SVG of one probe: a lane for each container, then how long pings and invocations took."""
    lives = [each for each in happenings if each["what"] == "container"]
    marks = [each for each in happenings if each["what"] in {"ping", "invocation"}]
    if not lives and not marks:
        return ""
    moments = [float(each["at"]) for each in happenings] + [float(each["until"]) for each in lives]
    moments += [float(each["at"]) + float(each["seconds"]) for each in marks]
    scale = Scale(start=min(moments), end=max(*moments, min(moments) + 0.1))
    lanes = len(lives) * LANE
    plot = PLOT if marks else 0
    height = 24 + lanes + plot + 8
    named = f"timeline-{''.join(char if char.isalnum() else '-' for char in probe)}"
    return "".join(
        (
            f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{named}">',
            f'<title id="{named}">{_text(summary(probe, happenings))}</title>',
            *_axis(scale, height),
            *_lives(lives, scale),
            *_signals(happenings, lives, scale),
            *(_plot(marks, scale, 24 + lanes) if marks else ()),
            "</svg>",
        )
    )


def summary(probe: str, happenings: Sequence[Mapping[str, Any]]) -> str:
    """Say in one sentence what the picture shows."""
    lives = sum(each["what"] == "container" for each in happenings)
    said = [counted(lives, "container")]
    for what in ("ping", "invocation"):
        seen = [each for each in happenings if each["what"] == what]
        if seen:
            good = sum(each["status"] == 200 for each in seen)
            slowest = max(float(each["seconds"]) for each in seen)
            said.append(
                f"{counted(len(seen), what)}, {good} answered 200, the slowest took {duration(slowest)}"
            )
    return f"{probe}: {'; '.join(said)}"


def duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.3g} s"


def thinned(marks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Give at most about `MARKS` of them, every slow or failed one among them."""
    telling: list[Mapping[str, Any]] = []
    plain: list[Mapping[str, Any]] = []
    for each in marks:
        usual = (each["status"] == 200 or _refused(each)) and float(each["seconds"]) <= PING_LIMIT_S / 2
        (plain if usual else telling).append(each)
    step = max(1, math.ceil(len(plain) / MARKS))
    return [*telling, *plain[::step]]


def _axis(scale: Scale, height: float) -> Iterator[str]:
    for at in scale.ticks():
        x = scale.x(at)
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="18" y2="{height - 4}"/>'
        yield f'<text x="{x}" y="12" text-anchor="middle">{at:g} s</text>'


def _top(lane: int) -> int:
    return 22 + lane * LANE


def _lives(lives: Sequence[Mapping[str, Any]], scale: Scale) -> Iterator[str]:
    for lane, life in enumerate(lives):
        top = _top(lane)
        x, until = scale.x(float(life["at"])), scale.x(float(life["until"]))
        lasted = duration(float(life["until"]) - float(life["at"]))
        code, killed = life["exit_code"], life.get("killed", False)
        ended = ", killed by the probe" if killed else "" if code is None else f", exit code {code}"
        # 143: SIGTERM's own
        bad = " bad" if code not in {None, 0, 143} and not killed else ""
        yield f'<text x="{LEFT - 8}" y="{top + 13}" text-anchor="end">{_text(_short(life["name"]))}</text>'
        yield (
            f'<rect class="life{bad}" x="{x}" y="{top + 2}" width="{max(until - x, 2):.1f}" height="{LANE - 6}" '
            f'rx="3"><title>{_text(str(life["name"]))}: lived {lasted}{ended}</title></rect>'
        )


def _signals(
    happenings: Sequence[Mapping[str, Any]], lives: Sequence[Mapping[str, Any]], scale: Scale
) -> Iterator[str]:
    lanes = {life["name"]: lane for lane, life in enumerate(lives)}
    for each in happenings:
        if each["what"] == "signal" and each["container"] in lanes:
            x, top = scale.x(float(each["at"])), _top(lanes[each["container"]])
            yield (
                f'<line class="signal" x1="{x}" x2="{x}" y1="{top}" y2="{top + LANE - 2}">'
                f"<title>{_text(str(each['name']))} at {float(each['at']):.1f} s</title></line>"
            )


def _plot(marks: Sequence[Mapping[str, Any]], scale: Scale, top: float) -> Iterator[str]:
    """Seconds upwards, a decade as high as the next; circles are pings, squares invocations."""
    bottom = top + PLOT - 8

    def y(seconds: float) -> float:
        held = min(max(seconds, _LEAST_S), _MOST_S)
        share = math.log10(held / _LEAST_S) / math.log10(_MOST_S / _LEAST_S)
        return round(bottom - share * (PLOT - 20), 1)

    for seconds in (0.001, 0.01, 0.1, 1.0, 10.0, 100.0):
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(seconds)}" y2="{y(seconds)}"/>'
        yield f'<text x="{LEFT - 8}" y="{y(seconds) + 4}" text-anchor="end">{duration(seconds)}</text>'
    for what, limit in (("ping", PING_LIMIT_S), ("invocation", INVOCATION_LIMIT_S)):
        seen = thinned([each for each in marks if each["what"] == what])
        if not seen:
            continue
        yield f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(limit)}" y2="{y(limit)}"/>'
        yield (
            f'<text class="limit" x="{WIDTH - RIGHT}" y="{y(limit) - 4}" text-anchor="end">'
            f"{what} limit {duration(limit)}</text>"
        )
        for each in seen:
            yield _mark(what, each, scale.x(float(each["at"])), y(float(each["seconds"])))


def _mark(what: str, each: Mapping[str, Any], x: float, y: float) -> str:
    seconds = float(each["seconds"])
    status = each["status"] if each["status"] is not None else each.get("failure") or "no answer"
    title = f"<title>{what} at {float(each['at']):.2f} s: {_text(str(status))}, {duration(seconds)}</title>"
    kind = f"{what}{_manner(what, each, seconds)}"
    if what == "ping":
        return f'<circle class="{kind}" cx="{x}" cy="{y}" r="3">{title}</circle>'
    side = 6
    return (
        f'<rect class="{kind}" x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side}" height="{side}">'
        f"{title}</rect>"
    )


def _manner(what: str, each: Mapping[str, Any], seconds: float) -> str:
    """Tell good from bad, and both from what is neither: nothing listens yet, or a client's error is told as one."""
    status = each["status"]
    if seconds > (PING_LIMIT_S if what == "ping" else INVOCATION_LIMIT_S):
        return " bad"
    if status == 200:
        return ""
    if _refused(each) or (what == "invocation" and status is not None and status < 500):
        return " other"
    return " bad"


def _refused(each: Mapping[str, Any]) -> bool:
    return each["status"] is None and each.get("failure") == "refused"


def _short(name: object) -> str:
    text = str(name)
    return text if len(text) <= 28 else f"{text[:27]}…"


def _text(words: str) -> str:
    return escape(printable(words))
