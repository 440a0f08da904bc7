"""Serverless endpoints through the command line: what a container finds, and how many there are."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from product import SERVER, WAIT_SECONDS

pytestmark = pytest.mark.engine

NOSY = SERVER.replace(
    "made = {",
    """made = {
            "limits": limits, "slow": lambda: time.sleep(2) or socket.gethostbyname(socket.gethostname()),""",
    1,
).replace(
    "def write():",
    """def tried(what):
    try:
        what()
    except OSError as error:
        return os.strerror(error.errno)
    return "fine"

def limits():
    import multiprocessing
    groups = [pathlib.Path(name) for name in (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max")]
    return {
        "user": f"{os.getuid()}:{os.getgid()}",
        "memory": [int(each.read_text()) for each in groups if each.exists()],
        "root": tried(lambda: pathlib.Path("/usr/new").touch()),
        "model": tried(lambda: (MODEL / "new").touch()),
        "tmp": tried(lambda: pathlib.Path("/tmp/new").touch()),
        "shm": os.path.exists("/dev/shm"),
        "queue": tried(multiprocessing.Queue),
    }

def write():""",
    1,
)


@pytest.fixture(scope="module")
def image(images):
    return images.make(serve=NOSY)


@pytest.fixture
def model(product):
    return product.folder("model", files={"weights": "1 2 3"})


def client(described):
    return boto3.client(
        "sagemaker-runtime",
        endpoint_url=described["Emulator"]["Url"],
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}),
    )


def invoke(described, body):
    answer = client(described).invoke_endpoint(EndpointName="less", Body=body)
    with answer["Body"] as stream:
        return stream.read()


def serve(product, image, *words):
    flags = ("--endpoint-name", "less", "--serverless-memory", "1024", "--serverless-concurrency", "2")
    return product.serve(image, *flags, *words)


def test_a_serverless_container_is_small_is_nobody_and_writes_to_tmp_alone(product, image, model):
    described = serve(product, image, "--model", model)
    assert described["Emulator"]["Environments"] == 0
    assert json.loads(invoke(described, "limits")) == {
        "user": "993:990",
        "memory": [1024 << 20],
        "root": "Read-only file system",
        "model": "Read-only file system",
        "tmp": "fine",
        "shm": False,
        "queue": "No such file or directory",
    }
    assert json.loads(invoke(described, "files")) == {"weights": "1 2 3"}
    metrics, deadline = {}, time.monotonic() + WAIT_SECONDS
    while metrics.get("Invocations") != 2:  # they are written down once a second
        assert time.monotonic() < deadline
        metrics = product.describe("less")["Emulator"]["Metrics"].get("AllTraffic", {})
    assert metrics["ModelSetupTime"]["SampleCount"] == 1, "the second request found it warm"
    assert product.run("stop", "less").code == 0
    logs = product.run("logs", "less")
    assert logs.out.count("serving") == 2
    assert product.left_on_engine() == []


def test_each_request_at_once_has_a_container_and_one_too_many_is_throttled(product, image):
    described = serve(product, image, "--provisioned-concurrency", "2")
    assert described["Emulator"]["Environments"] == 2
    refused, deadline = None, time.monotonic() + WAIT_SECONDS
    with ThreadPoolExecutor(3) as pool:
        while refused is None:
            assert time.monotonic() < deadline
            asked = [pool.submit(invoke, described, "slow") for _ in range(3)]
            errors = [each.exception() for each in asked]
            refused = next((error.response for error in errors if error is not None), None)
    answers = {each.result() for each in asked if each.exception() is None}
    assert len(answers) == 2, "two containers"
    assert refused["Error"] == {"Message": "Rate exceeded", "Code": "ThrottlingException"}
    assert refused["ResponseMetadata"]["HTTPStatusCode"] == 429
    with pytest.raises(ClientError, match="has oversize body") as caught:
        invoke(described, b"x" * (4 * 1024 * 1024 + 1))
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_a_request_file_a_kill_and_what_is_refused(product, image):
    document = {
        "CreateModel": {"ModelName": "m", "PrimaryContainer": {"Image": image}},
        "CreateEndpointConfig": {
            "EndpointConfigName": "c",
            "ProductionVariants": [
                {
                    "VariantName": "v",
                    "ModelName": "m",
                    "ServerlessConfig": {
                        "MemorySizeInMB": 2048,
                        "MaxConcurrency": 3,
                        "ProvisionedConcurrency": 1,
                    },
                }
            ],
        },
        "CreateEndpoint": {"EndpointName": "less", "EndpointConfigName": "c"},
    }
    running = product.start(
        "serve", "--request", product.folder("r", files={"r": json.dumps(document)}) / "r"
    )
    running.wait_for("InService")
    running.kill()
    assert product.left_on_engine() != []
    assert product.run("clean").code == 0
    assert product.left_on_engine() == []
    for words, said in (
        (("--serverless-memory", "1500"), "no multiple of 1024"),
        (("--enable-network-isolation",), "serverless endpoints do not go with network isolation"),
        (("--gpus", "all"), "serverless endpoints have no GPUs"),
        (("--instance-type", "ml.m5.large"), "a serverless variant has no instances"),
        (("--data-capture", "./captured"), "serverless endpoints do not go with data capture"),
        (("--variant", f"b={image}"), "several production variants"),
    ):
        flags = ("--serverless-memory", "1024", "--serverless-concurrency", "2")
        done = product.run("serve", image, *flags, *words)
        assert (done.code, said in done.err) == (2, True), str(done)
    assert product.runs() == ["endpoints/less"]
