"""Multi-model endpoints through the command line: one container, many models, and AWS's own cases for it."""

from __future__ import annotations

import io
import json
import tarfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from random import Random

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from product import WAIT_SECONDS

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("multi_model")]

LABEL = "com.amazonaws.sagemaker.capabilities.multi-models=true"


def archive(words):
    """A model.tar.gz with these words."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("words.txt")
        member.size = len(words)
        tar.addfile(member, io.BytesIO(words.encode()))
    return packed.getvalue()


def patiently(seen):
    """Wait until `seen()` gives something true."""
    until = time.monotonic() + WAIT_SECONDS
    while not seen():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture(scope="module")
def image(sample_image):
    return sample_image("multi_model")


@pytest.fixture
def models(product):
    """A folder with the models a, b, c and d, and one further down."""
    names = ["a", "b", "c", "d", "deep/e"]
    return product.folder("models", files={f"{name}.tar.gz": archive(name) for name in names})


class Service:
    """An endpoint in service."""

    def __init__(self, product, image, models, *flags, **variables):
        given = [word for pair in variables.items() for word in ("--environment", "=".join(pair))]
        words = ("--multi-model", "--model", models, "--endpoint-name", "demo", "--credentials", "none")
        described = product.serve(image, *words, *given, *flags)
        self.product, self.url = product, described["Emulator"]["Url"]
        self.client = boto3.client(
            "sagemaker-runtime",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32),
        )

    def invoke(self, key, body="hi", **more):
        answer = self.client.invoke_endpoint(EndpointName="demo", TargetModel=key, Body=body, **more)
        with answer["Body"] as stream:
            return stream.read().decode()

    def seen(self, key):
        return json.loads(self.invoke(key, "!seen"))

    def log(self, key):
        """What was loaded and unloaded, in order."""
        return [line for line in self.seen(key)["log"] if not line.startswith("GET")]

    def refused(self, key, body="hi", **more):
        with pytest.raises(ClientError) as caught:
            self.invoke(key, body, **more)
        return caught.value.response

    @property
    def models(self):
        models = self.product.describe("demo")["Emulator"]["Models"]
        return models | {"Loaded": sorted(models["Loaded"])}


def test_a_model_is_loaded_on_its_first_use_from_a_read_only_folder_under_an_opaque_name(
    product, image, models
):
    service = Service(product, image, models)
    assert service.models == {"Loaded": [], "Loads": 0, "Unloads": 0, "Evictions": 0}
    assert service.invoke("a.tar.gz") == "a: hi"
    assert service.invoke("deep/e.tar.gz") == "deep/e: hi"
    assert service.invoke("a.tar.gz", "!write") == "Read-only file system"
    seen = service.seen("a.tar.gz")
    name = seen["path"].split("/")[2]
    assert seen["path"] == f"/models/{name}/invoke"
    assert seen["url"] == f"/opt/ml/models/{name}/model"
    assert seen["model"] == ["words.txt"]
    assert name.isalnum()
    assert len(seen["files"]) == 2
    assert seen["multi"] == "true"
    assert seen["log"][:2] == ["GET /ping", "GET /models"]
    assert service.models == {
        "Loaded": ["a.tar.gz", "deep/e.tar.gz"],
        "Loads": 2,
        "Unloads": 0,
        "Evictions": 0,
    }


def test_the_container_sees_the_headers_of_the_invocation(product, image, models):
    service = Service(product, image, models)
    seen = json.loads(
        service.invoke(
            "a.tar.gz", "!seen", ContentType="text/x", Accept="application/json", CustomAttributes="c=1"
        )
    )
    headers = seen["headers"]
    assert headers["content-type"] == "text/x"
    assert headers["accept"] == "application/json"
    assert headers["x-amzn-sagemaker-custom-attributes"] == "c=1"
    assert headers["x-amzn-sagemaker-target-model"] == "a.tar.gz"


def test_the_command_line_names_a_model_and_the_payload_may_be_long(product, image, models):
    Service(product, image, models)
    done = product.run("invoke", "demo", "--target-model", "b.tar.gz", "--data", "hi")
    assert (done.code, done.out) == (0, "b: hi")
    done = product.run("invoke", "demo", "--target-model", "b.tar.gz", stdin=b"x" * 5_000_000)
    assert (done.code, done.out) == (0, "b: " + "x" * 100)


def test_the_least_recently_used_model_makes_room_and_its_files_stay(product, image, models):
    service = Service(product, image, models, MODEL_ROOM="2")
    for key in ["a", "b", "a", "c", "b"]:
        service.invoke(f"{key}.tar.gz")
    assert service.log("b.tar.gz") == ["load a", "load b", "unload b", "load c", "unload a", "load b"]
    assert len(service.seen("b.tar.gz")["files"]) == 3
    assert service.models == {"Loaded": ["b.tar.gz", "c.tar.gz"], "Loads": 4, "Unloads": 2, "Evictions": 2}


def test_two_hundred_models_in_room_for_ten(product, image):
    keys = [f"m{number}" for number in range(200)]
    models = product.folder("models", files={f"{key}.tar.gz": archive(key) for key in keys})
    service = Service(product, image, models, MODEL_ROOM="10")
    for key in keys:
        assert service.invoke(f"{key}.tar.gz") == f"{key}: hi"
    gone = [line.removeprefix("unload ") for line in service.log("m199.tar.gz") if line.startswith("unload")]
    assert gone == keys[:190], "the least recently used first"
    random = Random(1)
    asked = [random.choice(keys) for _ in range(400)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda key: service.invoke(f"{key}.tar.gz"), asked))
    assert answers == [f"{key}: hi" for key in asked]
    assert len(service.models["Loaded"]) == 10


def test_what_is_wrong_with_a_request_is_said_as_sagemaker_says_it(product, image, models):
    (models / "broken.tar.gz").write_bytes(archive("broken"))
    (models / "noise.tar.gz").write_bytes(b"no archive")
    (product.tmp / "secret.tar.gz").write_bytes(archive("secret"))
    service = Service(product, image, models)
    done = product.run("invoke", "demo", "--data", "hi")
    assert done.code == 2
    assert "is missing a target model header" in done.err
    for key in ("nothing.tar.gz", "../secret.tar.gz"):
        error = service.refused(key)["Error"]
        assert error["Code"] == "ValidationError"
        assert error["Message"].startswith(f'Failed to download model data from URL: "file://{models}/{key}"')
    assert service.refused("noise.tar.gz")["Error"]["Code"] == "ValidationError"
    refused = service.refused("broken.tar.gz")
    assert (refused["Error"]["Code"], refused["OriginalStatusCode"]) == ("ModelError", 500)
    assert "a broken model" in refused["OriginalMessage"]
    refused = service.refused("a.tar.gz", "!status 418")
    assert (refused["Error"]["Code"], refused["OriginalStatusCode"]) == ("ModelError", 418)
    assert service.models["Loaded"] == ["a.tar.gz"]


def test_a_model_that_takes_long_is_not_ready_and_goes_on_loading(product, image, models):
    service = Service(product, image, models, "--setting", "model-wait=1", LOAD_SECONDS="5")
    refused = service.refused("a.tar.gz")
    assert refused["Error"]["Code"] == "ModelNotReadyException"
    assert refused["ResponseMetadata"]["HTTPStatusCode"] == 429
    while True:
        try:
            answer = service.invoke("a.tar.gz")
        except service.client.exceptions.ModelNotReadyException:
            continue
        break
    assert answer == "a: hi"
    assert service.log("a.tar.gz") == ["load a"]


def test_the_published_cases_of_statuses_409_507_and_404(product, image, models):
    service = Service(product, image, models, MODEL_ROOM="1")
    service.invoke("a.tar.gz")
    # 409: it was loaded by hand behind our back
    name = service.seen("a.tar.gz")["path"].split("/")[2]
    call("DELETE", f"{service.url}/models/{name}")
    call("POST", f"{service.url}/models", {"model_name": name, "url": f"/opt/ml/models/{name}/model"})
    assert service.invoke("a.tar.gz") == "a: hi"
    # 404: the container has lost it
    assert service.invoke("a.tar.gz", "!forget") == "forgotten"
    assert service.invoke("a.tar.gz") == "a: hi"
    # a 404 or 507 of the model itself goes to the caller
    assert service.refused("a.tar.gz", "!status 404")["OriginalStatusCode"] == 404
    assert service.refused("a.tar.gz", "!status 507")["OriginalStatusCode"] == 507
    assert service.models["Loaded"] == ["a.tar.gz"]


def test_no_room_at_an_invocation_costs_another_model_its_place(product, image, models):
    service = Service(product, image, models)
    for key in "abc":
        service.invoke(f"{key}.tar.gz")
    assert service.refused("c.tar.gz", "!status 507")["OriginalStatusCode"] == 507
    assert service.models["Loaded"] == ["c.tar.gz"]


def test_without_a_cache_nothing_of_a_model_stays(product, image, models):
    service = Service(product, image, models, "--model-cache-setting", "Disabled")
    for key in "aab":
        assert service.invoke(f"{key}.tar.gz") == f"{key}: hi"
    log = service.log("b.tar.gz")
    assert log[:3] == ["load a", "unload a", "load a"]
    patiently(lambda: service.models["Loaded"] == [])
    folder = product.home / "endpoints/demo/opt-ml/AllTraffic/models"
    patiently(lambda: list(folder.iterdir()) == [])


def test_a_full_disk_loses_the_files_of_unused_models(product, image):
    models = product.folder("models", files={f"{key}.tar.gz": archive(key * 1000) for key in "abc"})
    service = Service(product, image, models, "--setting", "model-disk=2500", MODEL_ROOM="1")
    for key in "abc":
        service.invoke(f"{key}.tar.gz")
    assert len(service.seen("c.tar.gz")["files"]) == 2


def test_models_come_from_an_s3_prefix_and_a_new_object_when_the_old_is_unloaded(product, image, bucket):
    for key in "ab":
        bucket.put_bytes(f"models/{key}.tar.gz", archive(key))
    started = product.start(
        "serve", image, "--multi-model", "--model", bucket.uri("models/"), "--s3", bucket.url,
        "--endpoint-name", "demo", "--environment", "MODEL_ROOM=1", "--credentials", "none", env=bucket.env,
    )  # fmt: skip
    started.wait_for("/endpoints/demo/invocations\n")

    def ask(key):
        return product.run("invoke", "demo", "--target-model", key, "--data", "hi")

    assert ask("a.tar.gz").out == "a: hi"
    bucket.put_bytes("models/a.tar.gz", archive("new"))
    assert ask("a.tar.gz").out == "a: hi", "it is loaded"
    assert ask("b.tar.gz").out == "b: hi"
    assert ask("a.tar.gz").out == "new: hi"
    missing = ask("c.tar.gz")
    assert missing.code == 2
    assert f'Failed to download model data from URL: "{bucket.uri("models/c.tar.gz")}"' in missing.err
    assert started.interrupt().finish().code == 130


def test_a_stop_while_a_model_loads_leaves_nothing(product, image, models):
    running = product.start(
        "serve", image, "--multi-model", "--model", models, "--endpoint-name", "demo",
        "--environment", "LOAD_SECONDS=500", "--credentials", "none", "--stop-grace", "1",
    )  # fmt: skip
    running.wait_for("/endpoints/demo/invocations\n")
    asking = product.start("invoke", "demo", "--target-model", "a.tar.gz", "--data", "hi")
    folder = product.home / "endpoints/demo/opt-ml/AllTraffic"
    patiently(lambda: list((folder / "models").glob("*/model/words.txt")))
    running.interrupt()
    running.wait_for("Deleting")
    running.interrupt()
    assert running.finish().code == 130
    assert asking.finish().code != 0
    assert not (folder / "models-coming").exists()
    assert product.left_on_engine() == []


def test_an_image_without_the_label_is_refused(product, images, models):
    image = images.serve("raise SystemExit(1)")
    done = product.run("serve", image, "--multi-model", "--model", models)
    assert done.code == 2
    assert f"Your Ecr Image {image} does not contain required {LABEL} Docker label(s)" in done.err
    assert product.runs() == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "PrimaryContainer.ModelDataUrl is missing"),
        (("--model", "nowhere"), "the model is not there"),
        (("--model", "a.tar.gz"), "ModelDataUrl is one archive"),
    ],
)
def test_what_is_no_folder_of_models_is_refused(product, words, expected):
    done = product.run("serve", "any", "--multi-model", *words)
    assert done.code == 2
    assert expected in done.err


def test_a_cache_setting_is_for_many_models(product):
    done = product.run("serve", "any", "--model-cache-setting", "Disabled")
    assert done.code == 2
    assert "MultiModelConfig is for multi-model containers" in done.err


def call(method, url, document=None, body=None, content_type="application/json"):
    """(status, answer) of the container's own paths."""
    data = json.dumps(document).encode() if document is not None else body
    request = urllib.request.Request(url, data, {"Content-Type": content_type}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


@pytest.mark.xdist_group("multi_model_server")
def test_the_multi_model_server_passes_the_cases_of_awss_inference_toolkit(product, images, sample_image):
    """The cases of test_dummy_multi_model.py in aws/sagemaker-inference-toolkit, in its order, against the endpoint."""
    base = sample_image("multi_model_server")
    image = images.make(base=base, files={"/resnet_152/words.txt": "152", "/resnet_18/words.txt": "18"})
    models = product.folder("models", files={f"{key}.tar.gz": archive(key) for key in "ab"})
    service = Service(product, image, models)
    url = service.url

    def listed():
        status, body = call("GET", f"{url}/models")
        return status, json.loads(body)["models"]

    first, second = ({"modelName": name, "modelUrl": f"/{name}"} for name in ("resnet_152", "resnet_18"))

    def load(name):
        return call("POST", f"{url}/models", {"model_name": name, "url": f"/{name}"})

    assert call("GET", f"{url}/ping")[0] == 200
    assert listed() == (200, [])
    status, body = load("resnet_152")
    assert (status, json.loads(body)["status"]) == (200, "Workers scaled")
    assert listed() == (200, [first])
    assert load("resnet_18")[0] == 200
    assert listed() == (200, [first, second])
    status, body = call("DELETE", f"{url}/models/resnet_152")
    assert (status, json.loads(body)["status"]) == (200, 'Model "resnet_152" unregistered')
    assert listed() == (200, [second])
    assert load("banana")[0] == 404
    assert call("DELETE", f"{url}/models/resnet_152")[0] == 404
    assert load("resnet_18")[0] == 409
    invoked = call("POST", f"{url}/models/resnet_18/invoke", body=b"cat", content_type="text/plain")
    assert invoked == (200, "18: cat")
    # and as SageMaker does it: models by their keys
    for key in "aba":
        assert service.invoke(f"{key}.tar.gz", "cat", ContentType="text/plain") == f"{key}: cat"
    assert len(listed()[1]) == 3
    assert service.models["Loads"] == 2
