"""Inference components through the command line: reserved limits, scaling while serving, and what is refused."""

from __future__ import annotations

import json
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from product import SERVER

pytestmark = pytest.mark.engine

WHO = SERVER.replace(
    "made = {",
    """made = {
            "who": lambda: [os.environ.get("ME"), socket.gethostbyname(socket.gethostname()), limits()],""",
    1,
).replace(
    "def write():",
    """def limits():
    groups = [pathlib.Path(name) for name in (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max")]
    return [int(each.read_text()) >> 20 for each in groups if each.exists()]

def write():""",
    1,
)


@pytest.fixture(scope="module")
def image(images):
    return images.make(serve=WHO)


def ask(described, component=None, body="who"):
    client = boto3.client(
        "sagemaker-runtime",
        endpoint_url=described["Emulator"]["Url"],
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}),
    )
    named = {} if component is None else {"InferenceComponentName": component}
    answer = client.invoke_endpoint(EndpointName="demo", Body=body, **named)
    with answer["Body"] as stream:
        return stream.read()


def refused(described, component=None):
    with pytest.raises(ClientError) as caught:
        ask(described, component)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    return caught.value.response["Error"]["Message"]


def copies(product, name):
    listed = product.describe("demo")["Emulator"]["InferenceComponents"]
    return {each["InferenceComponentName"]: each["RuntimeConfig"] for each in listed}.get(name)


def test_components_share_an_instance_and_are_scaled_added_and_deleted_while_it_serves(product, image):
    model = product.folder("model", files={"weights": "1 2 3"})
    described = product.serve(
        "--component", f"a={image},memory=256", "--component", f"b={image},memory=128,max-memory=384,model={model}",
        "--endpoint-name", "demo", "--instance-type", "ml.m5.large",
    )  # fmt: skip
    assert copies(product, "a") == {"DesiredCopyCount": 1, "CurrentCopyCount": 1}
    assert json.loads(ask(described, "a"))[2] == [256]
    assert json.loads(ask(described, "b"))[2] == [384]
    assert json.loads(ask(described, "b", "files")) == {"weights": "1 2 3"}
    assert refused(described).startswith("Inference Component Name header is required")
    assert product.run("invoke", "demo", "--component", "a", "--data", "hi").out == "hi"

    assert product.run("update", "demo", "--component", "a", "--copies", "2").code == 0
    assert len({ask(described, "a") for _ in range(40)}) == 2
    assert product.run("update", "demo", "--component", "a", "--copies", "0").code == 0
    assert copies(product, "a") == {"DesiredCopyCount": 0, "CurrentCopyCount": 0}
    assert refused(described, "a").startswith("Inference Component has no capacity")

    large = product.run("update", "demo", "--component", f"c={image},memory=9000")
    assert (large.code, "There is not enough hardware resources" in large.err) == (2, True), str(large)
    added = product.run("update", "demo", "--component", f"c={image},memory=128", "--output", "json")
    assert added.code == 0, str(added)
    openai = (
        described["Emulator"]["Url"] + "/endpoints/demo/inference-components/c/openai/v1/chat/completions"
    )
    with urllib.request.urlopen(urllib.request.Request(openai, b"{}"), timeout=60) as answer:
        assert answer.read() == b"{}"
    assert product.run("update", "demo", "--delete-component", "b").code == 0
    assert refused(described, "b").endswith("not found.")

    assert product.run("stop", "demo").code == 0
    assert product.run("logs", "demo", "--host", "a/copy-2").out == "serving\nbye\n"
    codes = product.describe("demo")["Emulator"]["ContainerExitCodes"]
    assert codes == {"a/copy-1": 0, "a/copy-2": 0, "b/copy-1": 0, "c/copy-1": 0}
    assert product.left_on_engine() == []


def test_a_request_file_has_components_and_a_plain_endpoint_none(product, image):
    document = {
        "CreateEndpointConfig": {
            "EndpointConfigName": "demo",
            "ExecutionRoleArn": "arn:aws:iam::123456789012:role/any",
            "ProductionVariants": [
                {"VariantName": "v", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
            ],
        },
        "CreateEndpoint": {"EndpointName": "demo", "EndpointConfigName": "demo"},
        "CreateInferenceComponent": [
            {
                "InferenceComponentName": "c",
                "EndpointName": "demo",
                "VariantName": "v",
                "Specification": {
                    "Container": {"Image": image, "Environment": {"ME": "c"}},
                    "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 128},
                },
                "RuntimeConfig": {"CopyCount": 1},
            }
        ],
    }
    done = product.run(
        "serve", "--request", "-", "--detach", "--output", "json", stdin=json.dumps(document).encode()
    )
    assert done.code == 0, str(done)
    assert json.loads(ask(done.json, "c"))[0] == "c"
    assert product.run("stop", "demo").code == 0
    for words, said in (
        (("--component", f"a={image},memory=64"), "MinMemoryRequiredInMb is too small"),
        (("--component", f"a={image},size=3"), "this is no inference component"),
        (("--component", f"a={image}", image), "--component does not go with an IMAGE"),
        (("--component", f"a={image}", "--multi-model"), "--component does not go with --multi-model"),
        (("--component", f"a={image},gpus=1", "--instance-type", "ml.m5.large"), "not enough hardware"),
    ):
        refusal = product.run("serve", *words)
        assert (refusal.code, said in refusal.err) == (2, True), str(refusal)
