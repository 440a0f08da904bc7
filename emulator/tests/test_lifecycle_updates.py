"""Updates of data capture and of asynchronous inference: what was begun by one configuration ends by it."""

from __future__ import annotations

import base64
import json
import threading
import time

import pytest

from sm_emulate import api
from sm_emulate.errors import RequestError
from sm_emulate.events import Warned
from sm_emulate.lifecycle.hosting.update import Update, ask_for, requested
from sm_emulate.request import async_inference, data_capture
from sm_emulate.request.endpoint import from_request_file
from sm_emulate.storage.async_queue import AsyncQueue

WAIT_SECONDS = 180


def until(happened):
    deadline = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def begin(endpoint, **wanted):
    update = Update(**wanted)
    ask_for(endpoint.run_folder, update)
    return update


def over(endpoint, update):
    """Wait until an update is over and the endpoint says InService again; give how it ended."""
    until(lambda: endpoint.result().last_update.get("Id") == update.id)
    until(lambda: endpoint.result().status == "InService")
    return endpoint.result().last_update


def updated(endpoint, **wanted):
    last = over(endpoint, begin(endpoint, **wanted))
    assert last["Status"] == "Succeeded", last
    return endpoint.result().describe()


def capture(place, sampling=100):
    made = data_capture.config_of_flags(destination=place.as_uri(), sampling=sampling)
    return {data_capture.MEMBER: made}


def asynchronous(place, topic="x"):
    made = async_inference.config_of_flags(
        output=place.as_uri(), failure=None, max_concurrent=1, endpoint_name=topic
    )
    return {async_inference.MEMBER: made}


def text(side):
    data = side["data"]
    return base64.b64decode(data).decode() if side["encoding"] == "BASE64" else data


def captured(place):
    files = sorted(place.rglob("*.jsonl"))
    lines = [json.loads(line)["captureData"] for file in files for line in file.read_text().splitlines()]
    return sorted((text(line["endpointInput"]), text(line["endpointOutput"])) for line in lines)


@pytest.fixture
def serve(endpoints, model):
    """Give a function that serves a model by this endpoint configuration."""

    def start(config, **more):
        made = model()
        request = endpoints.request(made)
        document = request.as_aws()
        document["CreateEndpointConfig"] = {**document["CreateEndpointConfig"], **config}
        return made, api.serve(
            from_request_file(document), engine=endpoints.engine, listeners=(endpoints.heard,), **more
        )

    return start


def ask(text):
    assert api.invoke("demo", text, content_type="text/csv").body == text[::-1]


def in_flight(model, text):
    """Send a request that the model has and does not answer; give what waits for its answer."""
    before = len(model.requests)
    model.free.clear()
    asking = threading.Thread(target=ask, args=(text,))
    asking.start()
    until(lambda: any(each[0] == "POST" for each in model.requests[before:]))
    return asking


# --- data capture -------------------------------------------------------------------------------------


def test_capture_begins_changes_and_ends_with_updates(serve, tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    _, serving = serve({})
    with serving as endpoint:
        for _ in range(3):
            ask(b"none-0")  # one that comes again and again is passed on unread
        assert "DataCaptureConfig" not in endpoint.result().describe()
        described = updated(endpoint, config=capture(a))
        assert described["DataCaptureConfig"] == {
            "EnableCapture": True,
            "CaptureStatus": "Started",
            "CurrentSamplingPercentage": 100,
            "DestinationS3Uri": a.as_uri(),
        }
        assert described["EndpointConfigName"] == "demo-update-1"
        ask(b"none-0")
        ask(b"a-1")
        described = updated(endpoint, config=capture(b))
        assert captured(a) == [("a-1", "1-a"), ("none-0", "0-enon")], "stored when the update is over"
        assert described["DataCaptureConfig"]["DestinationS3Uri"] == b.as_uri()
        ask(b"b-1")
        described = updated(endpoint, config={data_capture.MEMBER: None})
        assert "DataCaptureConfig" not in described
        ask(b"none-1")
        assert endpoint.run_folder.read(endpoint.run_folder.request)["CreateEndpointConfig"].keys() == {
            "EndpointConfigName",
            "ProductionVariants",
        }
    assert captured(b) == [("b-1", "1-b")]
    assert len(captured(a)) == 2
    assert not list(endpoint.run_folder.path.glob("captured*"))


def test_a_request_that_the_old_containers_answer_is_captured_as_it_began(serve, tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    old, serving = serve(capture(a))
    with serving as endpoint:
        asking = in_flight(old, b"a-1")
        # the new containers are the same program: what it answers now, it answers for the new ones
        update = begin(endpoint, config=capture(b))
        until(lambda: endpoint.request.endpoint_config_name == "demo-update-1")
        assert endpoint.result().status == "Updating"
        old.free.set()
        asking.join()
        ask(b"b-1")
        assert over(endpoint, update)["Status"] == "Succeeded"
        assert captured(a) == [("a-1", "1-a")]
    assert captured(b) == [("b-1", "1-b")]


def test_an_update_of_something_else_leaves_capture_as_it_is(serve, endpoints, model, tmp_path):
    a = tmp_path / "a"
    _, serving = serve(capture(a))
    with serving as endpoint:
        ask(b"a-1")
        endpoints.engine.add_image("img:2", model())
        described = updated(endpoint, image="img:2")
        assert described["DataCaptureConfig"]["CaptureStatus"] == "Started"
        ask(b"a-2")
    assert [line for line, _ in captured(a)] == ["a-1", "a-2"]
    assert not list(endpoints.heard.of(Warned))


def test_capture_that_an_update_did_not_bring_is_rolled_back(serve, endpoints, tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    _, serving = serve(capture(a, sampling=100))
    with serving as endpoint:
        endpoints.engine.add_image("broken:1", lambda _: 3)
        last = over(endpoint, begin(endpoint, image="broken:1", config=capture(b)))
        assert last["Status"] == "RolledBack"
        assert endpoint.result().describe()["DataCaptureConfig"]["DestinationS3Uri"] == a.as_uri()
        ask(b"a-1")
    assert captured(a) == [("a-1", "1-a")]
    assert not b.exists()


def test_a_place_that_is_no_folder_is_refused_before_a_container_starts(serve, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    model, serving = serve({})
    with serving as endpoint:
        pinged = model.box
        last = over(endpoint, begin(endpoint, config=capture(in_the_way)))
        assert (last["Status"], "the folder is no folder" in last["FailureReason"]) == ("RolledBack", True)
        assert model.box is pinged, "no second container"
        ask(b"x")


# --- asynchronous inference ---------------------------------------------------------------------------


def test_accepted_requests_survive_an_update_and_go_where_they_were_told(serve, home, tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    model, serving = serve(asynchronous(a, "first"))
    queue = AsyncQueue(home, "demo")
    with serving as endpoint:
        model.free.clear()
        accepted = [api.invoke_async("demo", b"%d" % number) for number in range(5)]
        until(lambda: any(each[0] == "POST" for each in model.requests))
        update = begin(endpoint, config=asynchronous(b, "second"))
        until(lambda: endpoint.request.endpoint_config_name == "demo-update-1")
        assert (
            endpoint.result().describe()["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"] == b.as_uri()
        )
        accepted.append(api.invoke_async("demo", b"5"))
        model.free.set()
        assert over(endpoint, update)["Status"] == "Succeeded"
        until(lambda: not queue.pending())
    assert [api.wait_for_answer(each) for each in accepted] == [(True, b"%d" % number) for number in range(6)]
    assert (len(list(a.iterdir())), len(list(b.iterdir()))) == (5, 1)
    told = [
        json.loads(line)["TopicArn"].rpartition(":")[2]
        for line in queue.notifications.read_text().splitlines()
    ]
    # the first was at an old instance, the others were answered by a new one
    assert sorted(told) == ["first-success"] + ["second-success"] * 5


def test_whose_topics_hold_is_a_setting(serve, home, tmp_path):
    model, serving = serve(
        asynchronous(tmp_path / "a", "first"), platform=api.platform(settings={"async-topics": "accepted"})
    )
    queue = AsyncQueue(home, "demo")
    with serving as endpoint:
        model.free.clear()
        for number in range(3):
            api.invoke_async("demo", b"%d" % number)
        until(lambda: any(each[0] == "POST" for each in model.requests))
        update = begin(endpoint, config=asynchronous(tmp_path / "b", "second"))
        until(lambda: endpoint.request.endpoint_config_name == "demo-update-1")
        model.free.set()
        assert over(endpoint, update)["Status"] == "Succeeded"
        until(lambda: not queue.pending())
    told = [
        json.loads(line)["TopicArn"].rpartition(":")[2]
        for line in queue.notifications.read_text().splitlines()
    ]
    assert told == ["first-success"] * 3


@pytest.mark.parametrize(
    ("now", "then", "words"),
    [
        (True, False, "The AsyncInferenceConfig parameter cannot be removed from this endpoint demo."),
        (False, True, "The AsyncInferenceConfig parameter cannot be added to this endpoint demo."),
    ],
)
def test_the_two_kinds_are_not_updated_into_each_other(endpoints, model, tmp_path, now, then, words):
    document = endpoints.request(model()).as_aws()
    config = asynchronous(tmp_path / "a")
    standing = from_request_file(
        document | {"CreateEndpointConfig": document["CreateEndpointConfig"] | (config if now else {})}
    )
    wanted = document | {"CreateEndpointConfig": document["CreateEndpointConfig"] | (config if then else {})}
    with pytest.raises(RequestError) as refused:
        requested(Update(request=wanted), standing)
    assert refused.value.what == f"ValidationException: {words}"
