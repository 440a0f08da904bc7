"""An asynchronous endpoint from acceptance to notification, and what becomes of requests when it dies."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import replace

import pytest

from sm_emulate import api
from sm_emulate.gateway.async_call import AsyncCall
from sm_emulate.gateway.front import Upstream
from sm_emulate.lifecycle.hosting import async_answers, async_work
from sm_emulate.lifecycle.hosting.async_work import AsyncWork
from sm_emulate.request.async_inference import AsyncInference
from sm_emulate.storage.async_queue import AsyncQueue

WAIT_SECONDS = 180
SUCCESS = "arn:aws:sns:us-east-1:123456789012:good"
ERROR = "arn:aws:sns:us-east-1:123456789012:bad"


class Place:
    """An asynchronous endpoint without a gateway, over containers of the test."""

    def __init__(self, tmp, heard):
        self.tmp, self.heard = tmp, heard
        self.out, self.bad = tmp / "out", tmp / "bad"
        self.queue = AsyncQueue(tmp / "home", "demo")
        self.config = AsyncInference(
            output_path=f"file://{self.out}",
            failure_path=f"file://{self.bad}",
            max_concurrent_per_instance=3,
            success_topic=SUCCESS,
            error_topic=ERROR,
        )
        self.works = []

    def work(self, settings=None, **changes):
        made = AsyncWork(
            replace(self.config, **changes),
            queue=self.queue,
            endpoint_name="demo",
            platform=api.platform(settings=settings),
            host_header="model.aws.local:8080",
            publish=self.heard,
        )
        self.works.append(made)
        return made

    def started(self, *containers, **changes):
        work = self.work(**changes)
        work.start([Upstream(host="127.0.0.1", port=container.port) for container in containers])
        return work

    def drained(self, work):
        for _ in range(WAIT_SECONDS * 100):
            if not work.waiting:
                return self
            threading.Event().wait(0.01)
        raise AssertionError(f"still there: {self.queue.pending()}")

    @property
    def outputs(self):
        return {path.name: path.read_bytes() for path in self.out.glob("**/*") if path.is_file()}

    @property
    def failures(self):
        return {path.name: path.read_text() for path in self.bad.glob("*")}

    @property
    def told(self):
        if not self.queue.notifications.exists():
            return []
        return [json.loads(line) for line in self.queue.notifications.read_text().splitlines()]

    @property
    def messages(self):
        return [json.loads(one["Message"]) for one in self.told]


@pytest.fixture
def place(tmp_path, heard):
    made = Place(tmp_path, heard)
    yield made
    for work in made.works:
        work.stop(0)


@pytest.fixture
def echo(serve, say):
    def handle(seen):
        status = int(seen.body) if seen.body.isdigit() and len(seen.body) == 3 else 200
        return say(seen.body, status=status, headers=[("Content-Type", "text/plain")])

    return serve(handle)


def test_the_container_gets_an_ordinary_invocation_and_the_answer_becomes_an_object(place, echo):
    work = place.started(echo)
    accepted = work.accept(
        AsyncCall(body=b"hello", content_type="text/csv", accept="text/plain", custom_attributes="a=1")
    )
    place.drained(work)
    (seen,) = echo.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/invocations", b"hello")
    assert dict(seen.headers) == {
        "Host": "model.aws.local:8080",
        "User-Agent": "AHC/2.0",
        "Content-Type": "text/csv",
        "Accept": "text/plain",
        "X-Amzn-SageMaker-Custom-Attributes": "a=1",
        "X-Amzn-SageMaker-Inference-Id": accepted.inference_id,
        "Content-Length": "5",
    }
    assert list(place.outputs.values()) == [b"hello"]
    assert accepted.output_location == f"file://{place.out / next(iter(place.outputs))}"
    assert accepted.output_location.endswith(".out")
    assert place.failures == {}


def test_a_file_is_sent_with_its_length(place, echo):
    payload = place.tmp / "with a space.bin"
    payload.write_bytes(b"0123456789" * 500_000)
    work = place.started(echo)
    work.accept(AsyncCall(input_location=f"file://{payload}"))
    place.drained(work)
    assert echo.seen[0].header("Content-Length") == "5000000"
    assert list(place.outputs.values()) == [payload.read_bytes()]


def test_filename_and_extension_name_the_output(place, echo):
    work = place.started(echo)
    named = work.accept(AsyncCall(body=b"x", filename="prediction.json", extension="2026/day"))
    place.drained(work)
    assert named.output_location == f"file://{place.out}/2026/day/prediction.json"
    assert named.failure_location == f"file://{place.bad}/prediction-error.out"
    assert (place.out / "2026/day/prediction.json").read_bytes() == b"x"


def test_requests_of_one_inference_id_keep_their_own_outputs_unless_a_setting_says_so(place, echo):
    work = place.started(echo)
    first, second = (work.accept(AsyncCall(body=b"x", inference_id="same")) for _ in "ab")
    assert first.inference_id == second.inference_id == "same"
    assert first.output_location != second.output_location
    named = place.work(settings={"async-output-name": "inference-id"})
    assert named.accept(AsyncCall(body=b"x", inference_id="a/b")).output_location.endswith("/out/a_b.out")


def test_the_success_notification(place, echo):
    work = place.started(echo, success_has_response=True)
    accepted = work.accept(
        AsyncCall(input_location=f"file://{payload(place)}", content_type="text/csv", inference_id="id-1")
    )
    place.drained(work)
    (told,) = place.told
    assert (told["Type"], told["TopicArn"]) == ("Notification", SUCCESS)
    (message,) = place.messages
    assert message.pop("eventTime") >= message.pop("receivedTime")
    assert message == {
        "awsRegion": "us-east-1",
        "invocationStatus": "Completed",
        "requestParameters": {
            "contentType": "text/csv",
            "endpointName": "demo",
            "inputLocation": f"file://{place.tmp}/payload",
        },
        "responseParameters": {"contentType": "text/plain", "outputLocation": accepted.output_location},
        "responseBody": {"content": base64.b64encode(b"payload").decode(), "encoding": "BASE64"},
        "inferenceId": "id-1",
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }


def payload(place):
    path = place.tmp / "payload"
    path.write_bytes(b"payload")
    return path


def test_an_error_of_the_container_leaves_its_answer_as_the_failure_object(place, echo):
    work = place.started(echo)
    accepted = work.accept(AsyncCall(body=b"500"))
    place.drained(work)
    assert place.outputs == {}
    assert place.failures == {accepted.failure_location.rpartition("/")[2]: "500"}
    (message,) = place.messages
    assert place.told[0]["TopicArn"] == ERROR
    assert message["invocationStatus"] == "Failed"
    assert message["failureReason"].startswith(
        'ClientError: Received server error (500) from primary with message "500".'
    )


def test_without_topics_and_failure_path_nobody_is_told(place, echo):
    work = place.started(echo, failure_path=None, success_topic=None, error_topic=None)
    assert work.accept(AsyncCall(body=b"500")).failure_location is None
    work.accept(AsyncCall(body=b"fine"))
    place.drained(work)
    assert list(place.outputs.values()) == [b"fine"]
    assert (place.failures, place.told) == ({}, [])


def test_an_input_that_is_not_there_fails_and_the_container_is_not_asked(place, echo):
    work = place.started(echo)
    work.accept(AsyncCall(input_location=f"file://{place.tmp}/nowhere"))
    place.drained(work)
    assert echo.seen == []
    (reason,) = place.failures.values()
    assert "there is no such object" in reason


def test_an_input_of_more_than_1_gb_fails(place, echo):
    long = place.tmp / "long"
    with long.open("wb") as file:
        file.truncate(1024**3 + 1)
    work = place.started(echo)
    work.accept(AsyncCall(input_location=f"file://{long}"))
    place.drained(work)
    assert echo.seen == []
    (reason,) = place.failures.values()
    assert reason.endswith("is longer than 1073741824 bytes.")


def test_a_request_that_waited_longer_than_its_ttl_fails(place, echo, monkeypatch):
    place.work().accept(AsyncCall(body=b"late", ttl_s=60))
    place.work().accept(AsyncCall(body=b"in time", ttl_s=3600))
    now = async_answers.time.time()
    monkeypatch.setattr(async_answers.time, "time", lambda: now + 120)
    place.drained(place.started(echo))
    assert [seen.body for seen in echo.seen] == [b"in time"]
    (reason,) = place.failures.values()
    assert reason == "ClientError: The request was in the queue for longer than its RequestTTLSeconds of 60."


def test_a_container_that_is_too_slow_or_breaks_off_fails_the_request(place, containers):
    def talk(wire):
        if wire.read_request().body == b"slow":
            wire.more()

    work = place.started(containers(talk))
    work.accept(AsyncCall(body=b"slow", timeout_s=1))
    work.accept(AsyncCall(body=b"breaks"))
    place.drained(work)
    reasons = sorted(place.failures.values())
    assert len(reasons) == 2
    assert "could not get a response from the demo endpoint" in reasons[0]
    assert "Your invocation timed out" in reasons[1]


def test_no_more_than_the_limit_at_once_for_each_instance(place, containers, say):
    at_once, most, lock = [0, 0], [0, 0], threading.Lock()
    full = [threading.Event(), threading.Event()]

    def talking(number):
        def talk(wire):
            while wire.read_request() is not None:
                with lock:
                    at_once[number] += 1
                    most[number] = max(most[number], at_once[number])
                    if at_once[number] == 3:
                        full[number].set()
                assert full[number].wait(WAIT_SECONDS)
                threading.Event().wait(0.02)
                with lock:
                    at_once[number] -= 1
                wire.send(say(b"ok"))

        return talk

    work = place.started(containers(talking(0)), containers(talking(1)))
    for _ in range(40):
        work.accept(AsyncCall(body=b"x"))
    place.drained(work)
    assert most == [3, 3]
    assert len(place.outputs) == 40


def test_without_a_limit_a_setting_says_how_many_at_once(place, containers, say):
    lock, at_once, most, full = threading.Lock(), [0], [0], threading.Event()

    def talk(wire):
        while wire.read_request() is not None:
            with lock:
                at_once[0] += 1
                most[0] = max(most[0], at_once[0])
                if at_once[0] == 2:
                    full.set()
            assert full.wait(WAIT_SECONDS)
            threading.Event().wait(0.02)
            with lock:
                at_once[0] -= 1
            wire.send(say(b"ok"))

    work = place.started(
        containers(talk), max_concurrent_per_instance=None, settings={"async-concurrency": "2"}
    )
    for _ in range(20):
        work.accept(AsyncCall(body=b"x"))
    place.drained(work)
    assert most == [2]


def test_what_is_not_over_at_the_end_is_done_by_the_next_one(place, containers, echo):
    reached = threading.Event()

    def talk(wire):
        wire.read_request()
        reached.set()
        wire.more()

    first = place.started(containers(talk))
    for number in range(10):
        first.accept(AsyncCall(body=b"%d" % number))
    assert reached.wait(WAIT_SECONDS)
    first.stop(0)
    assert first.waiting == 10
    assert place.outputs == {}
    place.drained(place.started(echo))
    assert sorted(place.outputs.values()) == [b"%d" % number for number in range(10)]
    assert len({one["MessageId"] for one in place.told}) == len(place.told) == 10


@pytest.mark.parametrize("died", ["before the object", "before the notification", "before letting go"])
def test_a_settled_request_is_seen_through_without_asking_again_and_told_once(place, echo, died, monkeypatch):
    dying = {
        "before the object": (async_answers.store_of.__module__ + ".store_of", None),
        "before the notification": (AsyncQueue, "notify"),
        "before letting go": (AsyncQueue, "remove"),
    }[died]

    class Died(BaseException):
        """The process is gone at this point."""

    def die(*_):
        raise Died

    with monkeypatch.context() as patched:
        if dying[1] is None:
            patched.setattr(async_answers, "store_of", die)
        else:
            patched.setattr(*dying, die)
        patched.setattr(threading, "excepthook", lambda _: None)
        first = place.started(echo)
        first.accept(AsyncCall(body=b"once"))
        for _ in range(WAIT_SECONDS * 100):
            if place.queue.outcome(place.queue.pending()[0]) is not None:
                break
            threading.Event().wait(0.01)
        first.stop(0)
    assert first.waiting == 1
    place.drained(place.started(echo))
    assert len(echo.seen) == 1
    assert list(place.outputs.values()) == [b"once"]
    assert len(place.told) == 1


def test_a_container_that_takes_no_connection_loses_no_request(place, echo, nobody, monkeypatch):
    monkeypatch.setattr(async_work, "AGAIN_SECONDS", 0.01)
    work = place.work()
    work.start([Upstream(host="127.0.0.1", port=nobody.port)])
    work.accept(AsyncCall(body=b"later"))
    threading.Event().wait(0.1)
    assert work.waiting == 1
    work.stop(0)
    place.drained(place.started(echo))
    assert list(place.outputs.values()) == [b"later"]


def test_a_store_that_fails_is_tried_again_and_the_container_is_not(place, echo, monkeypatch):
    monkeypatch.setattr(async_work, "AGAIN_SECONDS", 0.01)
    place.out.write_text("in the way")
    work = place.started(echo)
    work.accept(AsyncCall(body=b"kept"))
    for _ in range(WAIT_SECONDS * 100):
        if place.heard:
            break
        threading.Event().wait(0.01)
    place.out.unlink()
    place.drained(work)
    assert list(place.outputs.values()) == [b"kept"]
    assert len(echo.seen) == 1


def test_requests_go_to_the_instances_of_the_moment(place, containers, echo, say):
    go = threading.Event()

    def talk(wire):
        while (seen := wire.read_request()) is not None:
            go.wait(WAIT_SECONDS)
            wire.send(say(b"first " + seen.body))

    work = place.started(containers(talk), max_concurrent_per_instance=1)
    work.accept(AsyncCall(body=b"1"))
    while not place.queue.answer(place.queue.pending()[0]).exists():
        threading.Event().wait(0.01)
    work.set_upstreams([Upstream(host="127.0.0.1", port=echo.port)])
    work.accept(AsyncCall(body=b"2"))
    for _ in range(WAIT_SECONDS * 100):
        if work.waiting == 1:
            break
        threading.Event().wait(0.01)
    assert work.retiring
    go.set()
    place.drained(work)
    assert sorted(place.outputs.values()) == [b"2", b"first 1"]
