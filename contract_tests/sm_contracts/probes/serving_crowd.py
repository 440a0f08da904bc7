"""Acts with many clients: connections, load, drops, and what memory does meanwhile."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from sm_contracts.evidence import Missing
from sm_contracts.evidence.serving.connections import Accepts, AfterDrops, AfterMalformed, KeepAlive
from sm_contracts.evidence.serving.load import BusyPings, BusyRound, MemoryReadings, Mixup, ParallelAnswers
from sm_contracts.probes.serving_http import ping_request, wait
from sm_contracts.probes.serving_long import PING_LIMIT_S, Sample, any_request
from sm_contracts.probes.serving_payloads import MOST_DISTINCT, distinct, malformed

if TYPE_CHECKING:
    from sm_contracts.evidence.serving.exchange import Exchange
    from sm_contracts.probes.serving_http import Client, Request
    from sm_contracts.probes.serving_life import Life

CLIENTS_AT_ONCE = 32
ACCEPT_ROUNDS = 3
ACCEPT_LIMIT_S = 0.25
BUSY_CLIENTS = 4
BUSY_S = 1.5
LONGEST_BUSY_S = 20.0
DROPS = 4
"""Of each kind."""
BURST = 60
RECOVERY_S = 10.0
"""Two pings of the platform: until then a container has time to become healthy again."""
READINGS = 9
READING_S = 0.3
RISING = 4
"""Readings in a row that must all be higher than the one before for memory to be read further."""
LONGER_S = 15.0
ENOUGH_GROWTH = 80 << 20
LARGEST_STEP = 16 << 20
"""Of growth between two readings."""
LAZY_COLLECTORS = ("java", "dotnet")
SLOWEST_REPEATED_S = 1.5


def accepts(life: Life) -> Accepts:
    """Connect many clients at once, in rounds."""
    client = life.client
    rounds = []
    for _ in range(ACCEPT_ROUNDS):
        if life.bench.stopping():
            break
        rounds.append(_connect_at_once(client))
        wait(0.1, life.bench.stopping)
    return Accepts(clients=CLIENTS_AT_ONCE, rounds=tuple(rounds))


def _connect_at_once(client: Client) -> tuple[float, ...]:
    ping = ping_request()
    head = ping.head(*client.platform)
    with selectors.DefaultSelector() as selector:
        sockets: list[socket.socket] = []
        began = {}
        for _ in range(CLIENTS_AT_ONCE):
            one = socket.socket()
            one.setblocking(False)
            sockets.append(one)
            began[one] = time.monotonic()
            one.connect_ex((client.host, client.port))
            selector.register(one, selectors.EVENT_WRITE)
        taken: dict[socket.socket, float] = {}
        deadline = time.monotonic() + 5.0
        while len(taken) < len(sockets) and time.monotonic() < deadline:
            for key, _ in selector.select(0.1):
                one = key.fileobj  # type: ignore[assignment]  # sockets were registered, nothing else
                taken[one] = time.monotonic() - began[one]
                selector.unregister(one)
                with suppress(OSError):  # refused: it was not slow, and pings tell about health
                    one.send(head)
        for one in sockets:
            with suppress(OSError):  # the answers are of no interest, but a server should not see resets
                one.settimeout(1.0)
                if one in taken:
                    while one.recv(4096):
                        pass
            one.close()
    return tuple(round(taken.get(one, 5.0), 4) for one in sockets)


def keep_alive(life: Life, sample: Sample | None) -> KeepAlive:
    """Send two requests over one connection, in every order of ping and invocation."""
    invocation = replace(any_request(sample), keep_alive=True, timeout_s=20.0)
    ping = ping_request(keep_alive=True, timeout_s=10.0)
    pairs = []
    for first, second in ((ping, ping), (invocation, ping), (invocation, invocation)):
        pair = _pair(life.client, first, second)
        if pair[1] is not None and pair[1].failure in {"closed", "reset"}:
            pair = _pair(life.client, first, second)  # the container may have closed it for being idle
        pairs.append(pair)
    return KeepAlive(pairs=tuple(pairs))


def _pair(client: Client, first: Request, second: Request) -> tuple[Exchange, Exchange | None]:
    with client.connect() as connection:
        connection.request(first)
        one = connection.answer(first)
        if one.closes or one.failure:
            return one, None
        connection.request(second)
        return one, connection.answer(replace(second, timeout_s=min(second.timeout_s, 20.0)))


@dataclass
class _Crowd:
    """Clients that invoke until told to stop; every access to what they found holds the lock."""

    invocations: int = 0
    failures: list[Exchange] = field(default_factory=list)
    mixups: list[Mixup] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


def busy(life: Life, sample: Sample) -> tuple[BusyPings, ParallelAnswers]:
    """Invoke from several clients with distinct payloads while pings go on."""
    known = _known_answers(life, sample)
    rounds: list[BusyRound] = []
    crowd = _Crowd()
    while len(rounds) < 2 and not life.bench.stopping() and life.container is not None:
        rounds.append(_busy_round(life, sample, known, crowd))
        if rounds[-1].slowest_s <= PING_LIMIT_S:
            break
    return (
        BusyPings(rounds=tuple(rounds)),
        ParallelAnswers(
            clients=BUSY_CLIENTS,
            invocations=crowd.invocations,
            distinct=len({answer for answer in known.values() if answer is not None}),
            failures=tuple(crowd.failures[:5]),
            mixups=tuple(crowd.mixups[:5]),
        ),
    )


def _known_answers(life: Life, sample: Sample) -> dict[bytes, bytes | None]:
    """Learn the answers of payloads sent alone; None where they differ from one time to the next."""
    steady = len({answer.body for answer in sample.answers}) == 1
    known: dict[bytes, bytes | None] = {sample.payload.body: sample.answers[-1].body if steady else None}
    if not steady or sample.seconds > 1.0:
        return known
    began, refused = time.monotonic(), 0
    for body in distinct(sample.payload)[1:]:
        if len(known) >= MOST_DISTINCT or time.monotonic() - began > 3.0 or life.bench.stopping():
            break
        asked = replace(sample.request(), body=body, timeout_s=5.0)
        one = life.client.send(asked)
        if not one.ok:
            refused += 1
            if refused == 3:
                break  # they are malformed to this model, and that is tried elsewhere
            continue
        if life.client.send(asked).body == one.body:
            known[body] = one.body
    return known


def _busy_round(life: Life, sample: Sample, known: dict[bytes, bytes | None], crowd: _Crowd) -> BusyRound:
    bodies = list(known)
    client = life.client
    enough = threading.Event()
    before = crowd.invocations

    def invoke(number: int) -> None:
        turn = number
        while True:
            body = bodies[turn % len(bodies)]
            turn += 1
            seen = client.send(replace(sample.request("one of several invocations at once"), body=body))
            with crowd.lock:
                crowd.invocations += 1
                expected = known[body]
                if not seen.ok:
                    crowd.failures.append(seen)
                elif expected is not None and seen.body != expected:
                    crowd.mixups.append(
                        Mixup(payload=_short(body), expected=_short(expected), got=_short(seen.body))
                    )
            if enough.is_set() or not seen.answered:
                return

    pings: list[Exchange] = []
    with ThreadPoolExecutor(max_workers=BUSY_CLIENTS, thread_name_prefix="invoking") as pool:
        clients = [pool.submit(invoke, number) for number in range(BUSY_CLIENTS)]
        began = time.monotonic()
        wait(min(0.05, sample.seconds), life.bench.stopping)
        while time.monotonic() - began < max(BUSY_S, min(2 * sample.seconds, LONGEST_BUSY_S)):
            pings.append(client.ping(timeout_s=6.0))
            over = all(each.done() for each in clients)
            if over or pings[-1].served_s > PING_LIMIT_S or life.bench.stopping():
                break
            wait(0.1, life.bench.stopping)
        enough.set()
    return BusyRound(clients=BUSY_CLIENTS, invocations=crowd.invocations - before, pings=tuple(pings))


def _short(data: bytes) -> str:
    return data[:120].decode("utf-8", "replace")


def memory(life: Life, sample: Sample) -> MemoryReadings | Missing:
    """Read resident memory between batches of invocations."""
    if sample.seconds > SLOWEST_REPEATED_S:
        return Missing(f"an invocation takes {sample.seconds:.1f} s, too long to repeat it often")
    batch = max(1, min(100, int(READING_S / max(sample.seconds, 0.001))))
    container = life.container
    if container is None:
        return Missing("the container had ended")
    processes = life.bench.engine.processes(container) or ()
    collector = next((each.name for each in processes if each.name in LAZY_COLLECTORS), "")
    enough = ENOUGH_GROWTH * (4 if collector else 1)
    readings: list[int] = []
    until = 0.0
    before = life.bench.engine.memory(container)
    while not life.bench.stopping():
        for _ in range(batch):
            life.client.send(sample.request())
        seen = life.bench.engine.memory(container)
        if seen is None or before is None:
            return Missing("the engine does not tell how much memory the container holds")
        if not readings and seen - before > LARGEST_STEP:
            # a large leak must show without taking the machine's memory
            batch, before = max(1, batch * LARGEST_STEP // (seen - before)), seen
            if batch > 1:
                continue
        readings.append(seen)
        if len(readings) < READINGS:
            continue
        # what a garbage collector has not taken yet grows, too: only more of it tells
        until = until or time.monotonic() + LONGER_S
        late = readings[-RISING - 1 :]
        rising = all(after > before for before, after in pairwise(late))
        if not rising or readings[-1] - readings[0] > enough or time.monotonic() > until:
            break
    return MemoryReadings(batch=batch, readings=tuple(readings), collector=collector)


def after_drops(life: Life, sample: Sample | None) -> AfterDrops:
    """Have clients go away within their requests, then ask for its health."""
    asked = any_request(sample)
    slow = sample is not None and sample.seconds > 0.5
    number = 1 if slow else DROPS
    client = life.client
    for reset in (False, True):
        for _ in range(number):
            with client.connect() as connection:
                connection.send(connection.head(replace(asked, body=asked.body + b" ")))
                connection.send(asked.body)  # one byte is missing
                wait(0.02, life.bench.stopping)
                connection.close(reset=reset)
    for _ in range(number):
        with client.connect() as connection:
            connection.request(asked)
            connection.close(reset=True)
    patience = RECOVERY_S + (number * sample.seconds if sample is not None else 0.0)
    pings, waited = _until_healthy(life, patience)
    return AfterDrops(clients=3 * number, pings=pings, waited_s=waited, exit_code=life.exit_code)


def after_malformed(life: Life, sample: Sample | None) -> AfterMalformed:
    """Send malformed requests from several clients, then ask for its health."""
    asked = any_request(sample)
    wrong = malformed(sample.payload) if sample is not None else ()
    requests = [
        replace(asked, body=each.body, content_type=each.content_type, timeout_s=5.0) for each in wrong
    ] or [
        replace(asked, body=body, content_type=kind, timeout_s=5.0)
        for body in (b"", b"{", bytes(range(256)), b"nonsense")
        for kind in ("application/json", "text/csv")
    ]
    until = time.monotonic() + 10.0

    def send(number: int) -> bool:
        if time.monotonic() > until or life.bench.stopping():
            return False
        life.client.send(requests[number % len(requests)])
        return True

    with ThreadPoolExecutor(max_workers=BUSY_CLIENTS, thread_name_prefix="malformed") as pool:
        sent = sum(pool.map(send, range(BURST)))
    pings, waited = _until_healthy(life, RECOVERY_S)
    return AfterMalformed(requests=sent, pings=pings, waited_s=waited, exit_code=life.exit_code)


def _until_healthy(life: Life, patience: float) -> tuple[tuple[Exchange, ...], float]:
    began = time.monotonic()
    pings: list[Exchange] = []
    wait(0.1, life.bench.stopping)
    while True:
        # slow pings are SM304's; here it is about whether there are any
        pings.append(life.client.ping(timeout_s=3 * PING_LIMIT_S))
        waited = time.monotonic() - began
        if pings[-1].ok or waited > patience or life.bench.stopping() or life.container is None:
            # one that exits may have answered a moment before
            if pings[-1].ok and not life.ended_within(0.3):
                return tuple(pings), waited
            if not pings[-1].ok or life.container is None:
                return (*pings, life.client.ping(timeout_s=PING_LIMIT_S)), waited
        wait(0.5, life.bench.stopping)
