"""Updates of data capture and of asynchronous inference through the command line, on the real engine."""

from __future__ import annotations

import base64
import json
import threading

import pytest
from product import SERVER
from test_product_async import SLOW, runtime, worked_off

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def server(images):
    return images.make(serve=SERVER)


@pytest.fixture(scope="module")
def slow_server(images):
    return images.make(serve=SLOW)


def text(side):
    data = side["data"]
    return base64.b64decode(data).decode() if side["encoding"] == "BASE64" else data


def captured(folder):
    """What was captured there: the request and the answer of each."""
    lines = [line for file in folder.rglob("*.jsonl") for line in file.read_text().splitlines()]
    sides = [json.loads(line)["captureData"] for line in lines]
    return [(text(each["endpointInput"]), text(each["endpointOutput"])) for each in sides]


def test_capture_changes_under_load_and_every_request_is_captured_once(product, server):
    first, second = product.tmp / "first", product.tmp / "second"
    described = product.serve(server, "--endpoint-name", "demo", "--data-capture", first)
    client = runtime(described["Emulator"]["Url"])
    sent, over = [], threading.Event()

    def load():
        while not over.is_set():
            body = f"number {len(sent)}"
            answer = client.invoke_endpoint(EndpointName="demo", Body=body, ContentType="text/csv")
            assert answer["Body"].read().decode() == body
            sent.append(body)

    loading = threading.Thread(target=load)
    loading.start()
    done = product.run("update", "demo", "--data-capture", second, "--output", "json")
    over.set()
    loading.join()
    assert done.code == 0, str(done)
    assert done.json["DataCaptureConfig"]["DestinationS3Uri"] == second.as_uri()
    before = len(captured(first))
    assert product.run("invoke", "demo", "--data", "last", "--content-type", "text/csv").out == "last"
    assert product.run("update", "demo", "--no-data-capture").code == 0
    assert "DataCaptureConfig" not in product.describe("demo")
    assert product.run("invoke", "demo", "--data", "none", "--content-type", "text/csv").out == "none"
    client.close()
    product.run("stop", "demo")
    kept = captured(first), captured(second)
    assert len(kept[0]) == before, "all of the old configuration was stored when the update was over"
    assert sorted(request for side in kept for request, _ in side) == sorted([*sent, "last"])
    assert all(request == answer for side in kept for request, answer in side)
    assert [bool(side) for side in kept] == [True, True]
    assert product.left_on_engine() == []


def test_accepted_requests_survive_an_update_and_the_kind_stays(product, slow_server):
    first, second = product.tmp / "first", product.tmp / "second"
    described = product.serve(
        slow_server, "--endpoint-name", "later", "--async-output", first, "--max-concurrent", "1"
    )
    client = runtime(described["Emulator"]["Url"])
    accepted = [
        client.invoke_endpoint_async(EndpointName="later", Body=b"%d" % number) for number in range(20)
    ]
    done = product.run(
        "update", "later", "--async-output", second, "--max-concurrent", "4", "--output", "json"
    )
    assert done.code == 0, str(done)
    config = done.json["AsyncInferenceConfig"]
    assert config["OutputConfig"]["S3OutputPath"] == second.as_uri()
    assert config["ClientConfig"] == {"MaxConcurrentInvocationsPerInstance": 4}
    accepted.append(client.invoke_endpoint_async(EndpointName="later", Body=b"20"))
    client.close()
    worked_off(product, "later")
    assert sorted(int(file.read_text()) for file in first.iterdir()) == list(range(20))
    assert [file.read_text() for file in second.iterdir()] == ["20"]
    for number, answer in enumerate(accepted):
        (place,) = [
            folder for folder in (first, second) if answer["OutputLocation"].startswith(folder.as_uri())
        ]
        assert place == (second if number == 20 else first)
    assert (
        len((product.home / "async-inference" / "later" / "notifications.ndjson").read_text().splitlines())
        == 21
    )

    document = json.loads((product.home / "endpoints" / "later" / "request.json").read_text())
    del document["CreateEndpointConfig"]["AsyncInferenceConfig"]
    refused = product.run("update", "later", "--request", "-", stdin=json.dumps(document).encode())
    assert refused.code == 2, str(refused)
    assert "ValidationException: The AsyncInferenceConfig parameter cannot be removed" in refused.err
    lines = (product.home / "endpoints" / "later" / "events.ndjson").read_text().splitlines()
    told = [event["status"] for event in map(json.loads, lines) if event["event"] == "StatusChanged"]
    assert told == ["Creating", "InService", "Updating", "InService"], "nothing was started"
    product.run("stop", "later")
    product.run("clean", "later")
    assert product.left_on_engine() == []
