"""Asynchronous endpoints and data capture through the command line, on the real engine."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from product import SERVER, WAIT_SECONDS

pytestmark = pytest.mark.engine

SLOW = SERVER.replace(
    'word, _, rest = body[:100].decode("latin-1").partition("=")',
    'self.dawdle(); word, _, rest = body[:100].decode("latin-1").partition("=")',
).replace(
    "    def answer(self",
    """    asked = []

    def dawdle(self):
        self.asked.append(self)
        while len(self.asked) > int(os.environ.get("AT_MOST", "1000")):
            time.sleep(1)
        time.sleep(0.05)

    def answer(self""",
    1,
)
"""It takes its time, and answers AT_MOST so many: the others are still there when the test comes to kill it."""


@pytest.fixture(scope="module")
def server(images):
    return images.make(serve=SERVER)


@pytest.fixture(scope="module")
def slow_server(images):
    assert SLOW.count("dawdle") == 2
    return images.make(serve=SLOW)


def runtime(url):
    session = boto3.session.Session(
        aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="secret", region_name="us-east-1"
    )
    return session.client(
        "sagemaker-runtime",
        endpoint_url=f"http://{urlsplit(url).netloc}",
        config=Config(retries={"max_attempts": 0}, max_pool_connections=20),
    )


def waiting(product, name):
    return list((product.home / "async-inference" / name).glob("*.request"))


def worked_off(product, name):
    until = time.monotonic() + WAIT_SECONDS
    while waiting(product, name):
        assert time.monotonic() < until, waiting(product, name)
        time.sleep(0.05)


def test_kill_9_with_100_accepted_requests_loses_none_and_does_none_twice(product, slow_server):
    words = (
        slow_server,
        "--endpoint-name",
        "later",
        "--async-output",
        product.tmp / "out",
        "--max-concurrent",
        "4",
    )
    running = product.start("serve", *words, "--environment", "AT_MOST=50")
    running.wait_for("/endpoints/later/async-invocations\n")
    client = runtime(product.describe("later")["Emulator"]["Url"])

    def invoke(number):
        body = b"status=500" if number % 10 == 0 else b"payload %d" % number
        answer = client.invoke_endpoint_async(EndpointName="later", Body=body, InferenceId=f"id-{number}")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
        return answer

    with ThreadPoolExecutor(10) as pool:
        accepted = list(pool.map(invoke, range(100)))
    client.close()
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait(WAIT_SECONDS)
    left = len(waiting(product, "later"))
    assert left >= 50

    again = product.start("serve", *words)
    again.wait_for("/endpoints/later/async-invocations\n")
    worked_off(product, "later")
    done = again.interrupt().finish()
    assert f"{left} async requests that were accepted before are worked off" in done.err

    for number, answer in enumerate(accepted):
        output, failure = (
            answer[name].removeprefix("file://") for name in ("OutputLocation", "FailureLocation")
        )
        assert os.path.exists(output) != os.path.exists(failure), answer  # noqa: PTH110  # as the API gave them
        with open(failure if number % 10 == 0 else output, "rb") as file:  # noqa: PTH123  # likewise
            assert file.read() == (b"answered 500" if number % 10 == 0 else b"payload %d" % number)
    assert len(list((product.tmp / "out").iterdir())) == 100
    lines = (product.home / "async-inference" / "later" / "notifications.ndjson").read_text().splitlines()
    told = [json.loads(json.loads(line)["Message"])["inferenceId"] for line in lines]
    assert sorted(told) == sorted(f"id-{number}" for number in range(100))
    product.run("clean")  # the first one's container


def test_invoke_async_waits_and_a_file_is_an_input(product, server):
    product.serve(server, "--endpoint-name", "later", "--async-output", product.tmp / "out")
    payload = product.folder("in", files={"x.csv": "1,2,3"}) / "x.csv"
    where = product.run("invoke", "later", "--async", "--input-location", payload)
    assert (where.code, where.out.startswith(f"file://{product.tmp}/out/")) == (0, True), str(where)
    waited = product.run("invoke", "--async", "--wait", "--data", "headers", "--content-type", "text/csv")
    assert waited.code == 0, str(waited)
    assert waited.json["content-type"] == "text/csv"
    failed = product.run("invoke", "--async", "--wait", "--data", "status=404")
    assert (failed.code, "answered 404" in failed.err) == (1, True), str(failed)
    at_once = product.run("invoke", "later", "--data", "x")
    assert (at_once.code, "takes InvokeEndpointAsync only" in at_once.err) == (2, True), str(at_once)
    worked_off(product, "later")
    product.run("stop", "later")
    product.run("clean", "later")
    assert not (product.home / "async-inference").exists()


def test_objects_of_the_embedded_s3(product, server):
    bucket = product.folder("home", "s3", "bucket", files={"in/x": "from S3"})
    assert bucket.parent.parent == product.home
    product.serve(server, "--endpoint-name", "later", "--s3", "embedded", "--async-output", "s3://bucket/out")
    done = product.run(
        "invoke", "--async", "--wait", "--s3", "embedded", "--input-location", "s3://bucket/in/x"
    )
    assert (done.code, done.out) == (0, "from S3"), str(done)
    assert [file.read_text() for file in (bucket / "out").iterdir()] == ["from S3"]


def test_flags_of_an_asynchronous_endpoint_alone_are_refused(product, server):
    refused = product.run("serve", server, "--max-concurrent", "2")
    assert (refused.code, "--async-output makes it asynchronous" in refused.err) == (2, True), str(refused)
    in_the_way = product.folder("x", files={"file": ""}) / "file"
    for flag in ("--async-output", "--data-capture"):
        refused = product.run("serve", server, flag, in_the_way)
        assert (refused.code, "the place to write to is no folder" in refused.err) == (2, True), str(refused)
    refused = product.run("serve", server, "--async-output", "out", "--max-concurrent", "1001")
    assert (refused.code, "MaxConcurrentInvocationsPerInstance" in refused.err) == (2, True), str(refused)


def test_captured_invocations_are_stored_when_the_endpoint_stops(product, server):
    product.serve(server, "--endpoint-name", "demo", "--data-capture", product.tmp / "captured")
    for number in range(5):
        product.run(
            "invoke", "--data", f"{number}", "--content-type", "text/csv", "--inference-id", f"i{number}"
        )
    product.run("invoke", "--data", "status=500")
    product.run("stop", "demo")
    files = list((product.tmp / "captured" / "demo" / "AllTraffic").glob("*/*/*/*/*.jsonl"))
    found = sorted(
        (json.loads(line) for file in files for line in file.read_text().splitlines()),
        key=lambda line: line["eventMetadata"]["inferenceId"],
    )
    assert [line["captureData"]["endpointInput"] for line in found] == [
        {"observedContentType": "text/csv", "mode": "INPUT", "data": str(number), "encoding": "CSV"}
        for number in range(5)
    ]
    assert [line["captureData"]["endpointOutput"]["data"] for line in found] == list("01234")
