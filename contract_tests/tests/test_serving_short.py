"""Short lives wait for an answer as long as the long life took to give one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sm_contracts.evidence.serving.exchange import Exchange
from sm_contracts.probes import serving_short
from sm_contracts.probes.serving_long import Sample
from sm_contracts.probes.serving_short import Setting
from sm_contracts.subject import SamplePayload


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float, _stopping: object) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(serving_short, "time", clock)
    monkeypatch.setattr(serving_short, "wait", clock.wait)
    return clock


def ask(clock: Clock, *, loaded_at_s: float, first_took_s: float) -> tuple[Exchange, ...]:
    def send(_request: object) -> Exchange:
        return Exchange(what="the sample payload", status=200 if clock.now >= loaded_at_s else 500)

    payload = SamplePayload(body=b"1,2", content_type="text/csv")
    sample = Sample(payload=payload, accept=None, works=True, worked_after_s=first_took_s)
    bench: Any = SimpleNamespace(stopping=lambda: False)
    life: Any = SimpleNamespace(client=SimpleNamespace(send=send), container="c")
    nothing: Any = None
    setting = Setting(bench=bench, request=nothing, model=None, sample=sample, first=nothing, window_s=20)
    return setting.ask(life)


def test_an_image_that_is_pinged_healthy_before_it_is_ready_is_late_in_every_life(clock):
    assert ask(clock, loaded_at_s=7.0, first_took_s=6.0)[-1].ok


def test_an_image_that_answered_at_once_is_not_waited_for_long(clock):
    assert not ask(clock, loaded_at_s=7.0, first_took_s=0.0)[-1].ok
    assert clock.now < 4.0
