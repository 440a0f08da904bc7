"""The queue on disk: what was accepted is there for whoever comes next, in order, until it is let go."""

from __future__ import annotations

import json

import pytest

from sm_emulate.errors import MachineError
from sm_emulate.storage.async_queue import AsyncQueue


@pytest.fixture
def queue(tmp_path):
    return AsyncQueue(tmp_path, "demo")


def test_another_process_finds_the_requests_in_the_order_of_acceptance(queue, tmp_path):
    added = [queue.add({"inferenceId": str(number)}, b"\n%d\n" % number) for number in range(20)]
    later = AsyncQueue(tmp_path, "demo")
    assert later.pending() == [queued.key for queued in added]
    assert [later.read(key) for key in later.pending()] == added
    assert AsyncQueue(tmp_path, "other").pending() == []


def test_a_request_without_a_body_of_its_own_has_none_and_an_empty_one_is_not_none(queue):
    assert queue.read(queue.add({"inputLocation": "s3://b/k"}, None).key).body is None
    assert queue.read(queue.add({}, b"").key).body == b""


def test_a_request_that_is_over_leaves_nothing(queue):
    queued = queue.add({}, b"x")
    queue.answer(queued.key).write_bytes(b"y")
    queue.settle(queued.key, {"location": None})
    assert queue.outcome(queued.key) == {"location": None}
    queue.remove(queued.key)
    assert queue.read(queued.key) is None
    assert queue.outcome(queued.key) is None
    assert list(queue.folder.iterdir()) == []


def test_tidy_removes_halves_and_keeps_what_was_accepted(queue):
    kept = queue.add({}, b"x")
    queue.answer(kept.key).write_bytes(b"half an answer")
    (queue.folder / ".half.request").write_bytes(b"{")
    queue.settle("gone", {})
    queue.answer("gone").write_bytes(b"")
    queue.notify({"MessageId": "1"})
    queue.tidy()
    assert {entry.name for entry in queue.folder.iterdir()} == {
        f"{kept.key}.request",
        f"{kept.key}.answer",
        "notifications.ndjson",
    }


def test_a_notification_that_was_cut_off_was_not_sent(queue):
    queue.folder.mkdir(parents=True)
    queue.notify({"MessageId": "1"})
    with queue.notifications.open("a") as file:
        file.write(json.dumps({"MessageId": "2"})[:-3])
    assert queue.notified() == {"1"}


def test_a_queue_that_cannot_be_written_says_where(tmp_path):
    (tmp_path / "async-inference").write_text("in the way")
    with pytest.raises(MachineError, match="an async request cannot be written down"):
        AsyncQueue(tmp_path, "demo").add({}, b"x")


def test_clear_drops_all_of_one_endpoint(queue, tmp_path):
    other = AsyncQueue(tmp_path, "other")
    other.add({}, b"x")
    queue.add({}, b"x")
    queue.clear()
    queue.clear()
    assert queue.pending() == []
    assert len(other.pending()) == 1
