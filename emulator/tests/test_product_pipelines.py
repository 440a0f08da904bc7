"""Serial pipelines and direct invocation through the command line, on the real engine."""

from __future__ import annotations

import json
import time

import pytest
from product import PYTHON, WAIT_SECONDS

from sm_emulate.spec.containers import LABEL

pytestmark = pytest.mark.engine

PART = (
    PYTHON
    + """\
import http.client, json, os, signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORD, PORT = os.environ["WORD"], int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

def status_of(host, port):
    connection = http.client.HTTPConnection(host, port, timeout=60)
    connection.request("GET", "/ping")
    return connection.getresponse().status

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        word, _, rest = body.decode().partition("=")
        if word == "fail" and rest == WORD:
            self.answer(500, b"it failed")
        elif word == "die" and rest == WORD:
            os._exit(7)
        elif word in ("fail", "die"):
            self.answer(200, body)
        elif word == "reach":
            host, port = rest.split(":")
            self.answer(200, str(status_of(host, int(port))).encode())
        elif word == "role":
            has = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" in os.environ
            self.answer(200, body.rstrip() + (b"y" if has else b"n"))
        elif word == "told":
            self.answer(200, json.dumps([os.environ.get("SAGEMAKER_BIND_TO_PORT"), os.environ.get("SAGEMAKER_SAFE_PORT_RANGE")]).encode())
        else:
            print(WORD, "was asked", flush=True)
            self.answer(200, body + WORD.encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/" + WORD)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("", PORT), Handler)
print(WORD, "serves", flush=True)
server.serve_forever()
"""
)


@pytest.fixture(scope="module")
def part(images):
    return images.make(f"LABEL {LABEL}=true", serve=PART)


def until_ended(product, name):
    deadline = time.monotonic() + WAIT_SECONDS
    while (described := product.describe(name))["EndpointStatus"] not in ("Failed", "OutOfService"):
        assert time.monotonic() < deadline, json.dumps(described, indent=2)
        time.sleep(0.1)
    return described


def test_a_pipeline_from_flags_serves_names_its_failures_and_leaves_nothing(product, part):
    described = product.serve(
        "--endpoint-name", "demo",
        "--container", f"front={part},env.WORD=one", "--container", f"back={part},env.WORD=two",
    )  # fmt: skip
    assert [each["BindToPort"] for each in described["Emulator"]["Containers"]["AllTraffic"]] == [
        14001,
        14002,
    ]
    answered = product.run("invoke", "demo", "--data", "x", "--verbose")
    assert answered.out == "xonetwo"
    assert "content-type: text/two" in answered.err.lower()
    streamed = product.run("invoke", "demo", "--data", "y", "--stream")
    assert (streamed.code, streamed.out) == (0, "yonetwo")
    for word, name in (("one", "front"), ("two", "back")):
        failed = product.run("invoke", "demo", "--data", f"fail={word}")
        assert failed.code == 1
        assert f'Received server error (500) from {name} with message "it failed"' in failed.err
    # the first asks the second, which then is asked for what the first saw
    assert product.run("invoke", "demo", "--data", "reach=127.0.0.1:14002").out == "200two"
    assert product.run("invoke", "demo", "--data", "reach=back:14002").out == "200two"
    assert product.run("invoke", "demo", "--data", "die=two").code == 1
    ended = until_ended(product, "demo")
    assert ended["EndpointStatus"] == "Failed"
    assert ended["FailureReason"].startswith("The back for production variant AllTraffic did not pass")
    assert ended["Emulator"]["ContainerExitCodes"] == {"AllTraffic/back": 7, "AllTraffic/front": 0}
    assert product.run("logs", "demo", "--host", "back").out == "two serves\n" + "two was asked\n" * 4
    assert product.run("logs", "demo", "--host", "AllTraffic/front").out == (
        "one serves\n" + "one was asked\n" * 2
    )
    assert product.left_on_engine() == []


@pytest.fixture(scope="module")
def renewed(images):
    return images.make(
        f"LABEL {LABEL}=true", serve=PART.replace("+ WORD.encode()", "+ WORD.encode() + b' again'")
    )


def test_direct_containers_of_a_request_file_are_asked_by_name(product, part, renewed):
    listed = [
        {"Image": part, "ContainerHostname": name, "Environment": {"WORD": name}} for name in ("a", "b")
    ]
    model = {
        "ModelName": "m",
        "Containers": listed,
        "InferenceExecutionConfig": {"Mode": "Direct"},
        "EnableNetworkIsolation": True,
    }
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    request = product.folder("requests") / "direct.json"
    request.write_text(
        json.dumps(
            {
                "CreateModel": model,
                "CreateEndpointConfig": {"EndpointConfigName": "demo", "ProductionVariants": [variant]},
                "CreateEndpoint": {"EndpointName": "demo", "EndpointConfigName": "demo"},
            }
        )
    )
    product.serve("--request", str(request))
    assert product.run("invoke", "demo", "--data", "x", "--target-container", "b").out == "xb"
    assert product.run("invoke", "demo", "--data", "x", "--target-container", "a").out == "xa"
    told = [product.run("invoke", "demo", "--data", "told", "--target-container", name).json for name in "ab"]
    assert told == [["14001", "9000-9499"], ["14002", "9500-9999"]]
    unnamed = product.run("invoke", "demo", "--data", "x")
    assert (unnamed.code, unnamed.err.split(":")[0]) == (2, "ValidationError")
    refused = product.run("update", "demo", "--image", part)
    assert refused.code == 2
    assert "--container a or b" in refused.err
    done = product.run("update", "demo", "--image", renewed, "--container", "b")
    assert done.code == 0, str(done)
    assert product.run("invoke", "demo", "--data", "x", "--target-container", "b").out == "xb again"
    assert product.run("invoke", "demo", "--data", "x", "--target-container", "a").out == "xa"
    assert product.run("stop", "demo").code == 0
    assert product.left_on_engine() == []


@pytest.mark.parametrize(("isolated", "roles"), [(False, "role=yy"), (True, "role=nn")])
def test_a_transform_job_of_a_request_file_sends_records_through_all(product, part, isolated, roles):
    data = product.folder("data", files={"a": "x\nrole=\n", "b": "reach=back:14002"})
    names = (("front", "one"), ("back", "two"))
    model = {
        "ModelName": "m",
        "Containers": [
            {"Image": part, "ContainerHostname": name, "Environment": {"WORD": word}} for name, word in names
        ],
        "EnableNetworkIsolation": isolated,
    }
    job = {
        "TransformJobName": "job",
        "ModelName": "m",
        "BatchStrategy": "SingleRecord",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": str(data)}},
            "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": str(product.tmp / "out"), "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    requests = product.folder(
        "requests", files={"job.json": json.dumps({"CreateModel": model, "CreateTransformJob": job})}
    )
    done = product.run("transform", "--request", requests / "job.json", "--output", "json")
    assert done.code == 0, str(done)
    assert {each.name: each.read_text() for each in (product.tmp / "out").iterdir()} == {
        "a.out": f"x\nonetwo\n{roles}\n",  # a record keeps its newline
        "b.out": "200two\n",
    }
    assert done.json["Emulator"]["ContainerExitCodes"] == {"instance-1/front": 0, "instance-1/back": 0}
    assert product.run("logs", "job", "--host", "front").out.startswith("one serves\n")
    assert product.left_on_engine() == []


def test_a_container_that_ends_under_a_transform_job_is_named(product, part):
    data = product.folder("data", files={"a": "x", "b": "die=two"})
    done = product.run(
        "transform", "--container", f"front={part},env.WORD=one", "--container", f"back={part},env.WORD=two",
        "--job-name", "job", "--input", data, "--output", "json",
    )  # fmt: skip
    assert done.code == 1, str(done)
    assert done.json["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert done.json["Emulator"]["ContainerExitCodes"] == {"instance-1/front": 0, "instance-1/back": 7}
    assert (
        "b: Unable to get response from algorithm (back)"
        in product.run("logs", "job", "--host", "data-log").out
    )
    assert (product.home / "transform-jobs/job/output/a.out").read_text() == "xonetwo"
    assert product.left_on_engine() == []


def test_a_transform_job_s_request_file_says_which_containers_or_the_flags_do(product):
    model = {"ModelName": "m", "Containers": [{"Image": "a"}, {"Image": "b"}]}
    requests = product.folder(
        "requests",
        files={"job.json": json.dumps({"CreateModel": model, "CreateTransformJob": {"ModelName": "m"}})},
    )
    words = ("transform", "--request", requests / "job.json", "--job-name", "job", "--input", requests)
    more = (
        "--instance-type",
        "ml.m5.large",
        "--instance-count",
        "1",
        "--input-type",
        "S3Prefix",
        "--dry-run",
    )
    for given in (("--model", "."), ("img",)):
        refused = product.run(*words, *given, *more)
        assert refused.code == 2
        assert "is for a model of one container: name all of this one's with --container" in refused.err
    both = product.run("transform", "img", "--container", "a", "--container", "b", "--input", requests)
    assert (both.code, product.runs()) == (2, [])
    assert "IMAGE and --container exclude each other" in both.err
    replaced = product.run(*words, *more, "--container", "x", "--container", "y", "--output", "json")
    assert [each["DockerRun"][-2:] for each in replaced.json] == [["x", "serve"], ["y", "serve"]]


def test_one_that_ends_at_its_start_is_named(product, part):
    failed = product.run(
        "serve", "--endpoint-name", "demo",
        "--container", f"{part},env.WORD=one", "--container", part,
    )  # fmt: skip
    assert failed.code == 1
    assert (
        "The container-2 for production variant AllTraffic did not pass the ping health check." in failed.err
    )
    assert "KeyError: 'WORD'" in failed.err
    assert product.left_on_engine() == []


def test_an_image_without_the_label_is_refused_before_anything_starts(product, part, images):
    bare = images.make(serve=PART)
    refused = product.run("serve", "--container", part, "--container", bare)
    assert refused.code == 2
    assert f"Your Ecr Image {bare} does not contain required {LABEL}=true Docker label(s)" in refused.err
    assert product.left_on_engine() == []


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("img", "--container", "a"), "IMAGE and --container exclude each other"),
        (("--model", ".", "--container", "a"), "--model and --container exclude each other"),
        (("img", "--direct"), "--direct belongs to --container"),
        (("--container", "a,size=3"), "this is no container"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(product, words, complaint):
    refused = product.run("serve", *words)
    assert refused.code == 2
    assert complaint in refused.err
