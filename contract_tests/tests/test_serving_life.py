"""When a container counts as one that came up."""

from __future__ import annotations

import threading

from sm_contracts.probes import Workbench
from sm_contracts.probes.serving import endpoint_request
from sm_contracts.probes.serving_life import Conditions, Life
from sm_contracts.roles import Role
from sm_contracts.subject import Subject
from sm_emulate.engine.memory import MemoryEngine
from sm_emulate.gateway.ping import PingOutcome


def test_a_200_of_whoever_got_its_address_does_not_bring_a_container_up(tmp_path, monkeypatch):
    """Two lives at once: where one ends, an engine gives its address to the next container."""
    over, engine = threading.Event(), MemoryEngine()

    def program(box):
        over.wait(180)
        return 7

    def somebody_else(*_, heard, **__):
        outcome = PingOutcome(status=200, seconds=0.001)
        heard(outcome)
        over.set()
        engine.wait(life.container)
        return outcome

    engine.add_image("image", program)
    monkeypatch.setattr("sm_emulate.lifecycle.hosting.serving_container.wait_until_healthy", somebody_else)
    subject = Subject(image="image", roles=frozenset({Role.SERVE}), roles_found_by="asked for")
    (tmp_path / "bench").mkdir()
    bench = Workbench(subject=subject, engine=engine, folder=tmp_path / "bench")
    life = Life(bench, endpoint_request(bench), Conditions(name="serverless", window_s=480))
    with life:
        start = life.begin()
    assert (start.outcome, start.exit_code) == ("exited", 7)
    assert [ping.status for ping in start.pings] == [200]
