"""The sample images under plain Docker: what they do must not depend on the emulator."""

from __future__ import annotations

import json
import sys
import threading
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest itself needs it there

ROOT = Path(__file__).parents[2]
SAMPLES = [
    "basic_training",
    "bidirectional",
    "decision_trees",
    "fastapi_server",
    "fastapi_streaming",
    "mpi",
    "multi_model",
    "multi_model_server",
    "node_server",
    "pipeline",
    "processing_summary",
    "stateful",
    "static_c",
    "toolkit_script_mode",
    "torch_gloo",
]
SECTION = {"bidirectional": "serve", "pipeline": "serve", "streaming": "serve", "sessions": "serve"}
"""Where the sample input of a role stands, if not under the role's own name."""
IRIS = (ROOT / "fixtures/iris/train.csv").read_bytes()
PAYLOAD = (ROOT / "fixtures/iris/payload.csv").read_bytes()
RESOURCES = b'{"current_host":"algo-1","hosts":["algo-1"],"network_interface_name":"eth0"}'


class Container:
    """A container with files put in before it starts and taken out after it ends; nothing is mounted."""

    def __init__(self, docker, image, word, *flags):
        self.docker = docker
        label = f"dev.sm-emulate.session={uuid.uuid4()}"
        self.id = docker("create", "--label", label, *flags, image, word).stdout.strip()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.docker("rm", "--force", "--volumes", self.id)

    def put(self, tmp_path, files):
        for name, data in files.items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.docker("cp", f"{tmp_path}/root/.", f"{self.id}:/")

    def run(self):
        """Run it to its end: (exit code, what it printed)."""
        done = self.docker("start", "--attach", self.id, check=False)
        return done.returncode, done.stdout + done.stderr

    def take(self, tmp_path, folder):
        """The files that lie in a folder of it."""
        self.docker("cp", f"{self.id}:{folder}", str(tmp_path / "out"))
        return {p.name: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}

    def serve(self, port=8080):
        """Start it and give the address once it answers HTTP at all."""
        self.docker("start", self.id)
        published = self.docker("port", self.id, str(port)).stdout.split()[0].rpartition(":")[2]
        address = f"http://127.0.0.1:{published}"
        for _ in range(600):
            if answers(address):
                return address
            state = self.docker("inspect", "--format", "{{.State.Status}}", self.id).stdout.strip()
            assert state == "running", self.logs()
            threading.Event().wait(0.05)
        raise AssertionError(f"nothing answers on port {port}\n{self.logs()}")

    def stop(self):
        """SIGTERM as the platform sends it; the exit code."""
        self.docker("stop", "--time", "30", self.id)
        return int(self.docker("inspect", "--format", "{{.State.ExitCode}}", self.id).stdout)

    def logs(self):
        done = self.docker("logs", self.id)
        return done.stdout + done.stderr


def answers(address):
    try:
        ask(f"{address}/ping")
    except OSError:
        return False
    return True


def ask(url, data=None, content_type=None):
    """(status, content type, body), whatever the status."""
    headers = {"Content-Type": content_type} if content_type else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers["Content-Type"], refused.read()


def opt_ml(hyperparameters, **channels):
    """What training containers find under /opt/ml."""
    files = {
        "opt/ml/input/config/hyperparameters.json": json.dumps(hyperparameters).encode(),
        "opt/ml/input/config/inputdataconfig.json": json.dumps(
            {name: {"TrainingInputMode": "File"} for name in channels}
        ).encode(),
        "opt/ml/input/config/resourceconfig.json": RESOURCES,
        "opt/ml/model/.made": b"",
        "opt/ml/output/data/.made": b"",
    }
    return files | {f"opt/ml/input/data/{name}/iris.csv": data for name, data in channels.items()}


@pytest.fixture(scope="module")
def tree(docker, sample_image, tmp_path_factory):
    """The model that the decision-tree sample made of the iris table."""
    folder = tmp_path_factory.mktemp("tree")
    with Container(docker, sample_image("decision_trees"), "train") as container:
        container.put(folder, opt_ml({"max_leaf_nodes": "5"}, training=IRIS))
        code, printed = container.run()
        assert code == 0, printed
        assert "train_accuracy=0.97" in printed
        return container.take(folder, "/opt/ml/model")["tree.joblib"]


def test_every_sample_says_why_and_what_to_expect():
    assert sorted(path.parent.name for path in ROOT.glob("sample_images/*/Dockerfile")) == SAMPLES
    for name in SAMPLES:
        folder = ROOT / "sample_images" / name
        assert (folder / "why.md").read_text().startswith(f"# {name}\n")
        assert (folder / "Dockerfile").read_text().startswith("ARG BASE_IMAGE=python:3.11-slim-bookworm\n")
        expect = tomllib.loads((folder / "expect.toml").read_text())
        assert expect["breaks"] == []
        sections = {SECTION.get(role, role) for role in expect["roles"]}
        for part in expect.get("targets", {"": expect}).values():
            assert sections == set(part) & {"train", "serve", "processing"}
            given = [
                *part.get("train", {}).get("channels", {}).values(),
                *part.get("processing", {}).get("inputs", {}).values(),
                *filter(None, [part.get("serve", {}).get("payload")]),
            ]
            assert all((folder / path).is_file() for path in given)


@pytest.mark.engine
@pytest.mark.xdist_group("decision_trees")
def test_decision_trees_predicts_with_what_it_learned(docker, sample_image, tree, tmp_path):
    with Container(
        docker, sample_image("decision_trees"), "serve", "--publish", "127.0.0.1::8080"
    ) as container:
        container.put(tmp_path, {"opt/ml/model/tree.joblib": tree})
        address = container.serve()
        assert ask(f"{address}/ping")[0] == 200
        status, kind, body = ask(f"{address}/invocations", PAYLOAD, "text/csv")
        assert (status, kind) == (200, "text/csv")
        assert body.decode().split() == ["setosa"] * 5 + ["versicolor"] * 5 + ["virginica"] * 5
        assert ask(f"{address}/invocations", b"{}", "application/json")[0] == 415
        assert ask(f"{address}/invocations", b"a,b,c,d\n", "text/csv")[0] == 400
        # Larger than nginx lets through by itself, smaller than what an endpoint does.
        many = PAYLOAD * (4_000_000 // len(PAYLOAD))
        status, _, body = ask(f"{address}/invocations", many, "text/csv; charset=utf-8")
        assert (status, body.count(b"\n")) == (200, many.count(b"\n"))
        assert container.stop() == 0
        assert '"POST /invocations HTTP/1.1" 200' in container.logs()


@pytest.mark.engine
@pytest.mark.xdist_group("decision_trees")
def test_decision_trees_is_not_healthy_without_a_model(docker, sample_image):
    flags = (
        "--publish",
        "127.0.0.1::9000",
        "--env",
        "SAGEMAKER_BIND_TO_PORT=9000",
        "--read-only",
        "--tmpfs",
        "/tmp",
    )
    with Container(docker, sample_image("decision_trees"), "serve", *flags) as container:
        address = container.serve(port=9000)
        assert ask(f"{address}/ping")[0] == 503
        assert "No such file or directory: '/opt/ml/model/tree.joblib'" in container.logs()
        assert container.stop() == 0


@pytest.mark.engine
@pytest.mark.xdist_group("decision_trees")
def test_decision_trees_says_why_it_failed(docker, sample_image, tmp_path):
    with Container(docker, sample_image("decision_trees"), "train") as container:
        container.put(tmp_path, opt_ml({}, training=b"setosa,not a number\n"))
        code, _ = container.run()
        assert code == 1
        failure = container.take(tmp_path, "/opt/ml/output")["failure"].decode()
        assert failure.startswith("ValueError: could not convert string to float: 'not a number'\n")


@pytest.mark.engine
def test_static_c_trains_and_serves_without_anything_else_in_the_image(docker, sample_image, tmp_path):
    image = sample_image("static_c")
    with Container(docker, image, "train") as container:
        container.put(tmp_path, opt_ml({"rounds": '"2"', "unknown": "x"}, training=IRIS))
        code, printed = container.run()
        assert code == 0, printed
        assert printed.count("train_accuracy=0.9") == 2
        model = container.take(tmp_path, "/opt/ml/model")["means.csv"]
    flags = ("--publish", "127.0.0.1::9000", "--env", "SAGEMAKER_BIND_TO_PORT=9000", "--user", "1234")
    with Container(docker, image, "serve", *flags) as container:
        container.put(tmp_path / "serve", {"opt/ml/model/means.csv": model})
        address = container.serve(port=9000)
        assert ask(f"{address}/ping") == (200, None, b"")
        status, kind, body = ask(f"{address}/invocations", PAYLOAD, "text/csv; charset=utf-8")
        assert (status, kind) == (200, "text/csv; charset=utf-8")
        assert body.split()[:5] == [b"setosa"] * 5
        assert body.count(b"\n") == PAYLOAD.count(b"\n")
        assert ask(f"{address}/invocations", b"a,b,c,d\n", "text/csv")[0] == 400
        assert ask(f"{address}/invocations", b"{}", "application/json")[0] == 415
        assert ask(f"{address}/nothing")[0] == 404
        many = b"5.1,3.5,1.4,0.2\n" * (25 * 1024 * 1024 // 16)
        assert ask(f"{address}/invocations", many, "text/csv")[2].count(b"\n") == many.count(b"\n")
        assert container.stop() == 0


@pytest.mark.engine
def test_static_c_says_why_it_failed(docker, sample_image, tmp_path):
    with Container(docker, sample_image("static_c"), "train") as container:
        container.put(tmp_path, opt_ml({}, training=b"setosa,not a number\n"))
        assert container.run()[0] == 1
        failure = container.take(tmp_path, "/opt/ml/output")["failure"].decode()
        assert failure.endswith("iris.csv: line 1 is no label with numbers, as many as in the lines before")
    with Container(docker, sample_image("static_c"), "serve") as container:
        code, printed = container.run()
        assert (code, printed) == (1, "error: no model: /opt/ml/model/means.csv: No such file or directory\n")


@pytest.mark.engine
def test_basic_training_prints_what_it_is_given(docker, sample_image, tmp_path):
    flags = ("--env", "TRAINING_JOB_NAME=job-1")
    with Container(docker, sample_image("basic_training"), "train", *flags) as container:
        container.put(tmp_path, opt_ml({"epochs": "2", "seconds_per_epoch": "0"}, train=IRIS))
        code, printed = container.run()
        assert code == 0
        lines = printed.splitlines()
        assert 'arguments: ["train"]' in lines
        assert f"/opt/ml/input/config/resourceconfig.json 0644 {RESOURCES!r}" in lines
        assert "TRAINING_JOB_NAME=job-1" in lines
        assert f"  iris.csv {len(IRIS)} bytes" in lines
        assert "channel validation: absent" in lines
        assert "epoch=2 train_loss=0.3333; validation_loss=0.3667;" in lines
        model = json.loads(container.take(tmp_path, "/opt/ml/model")["model.json"])
        assert model == {"epochs": 2, "stopped": False}


@pytest.mark.engine
def test_basic_training_saves_when_it_is_stopped(docker, sample_image, tmp_path):
    with Container(docker, sample_image("basic_training"), "train") as container:
        container.put(tmp_path, opt_ml({"epochs": "100000"}))
        container.docker("start", container.id)
        for _ in range(600):
            if "epoch=1 " in container.logs():
                break
            threading.Event().wait(0.05)
        assert container.stop() == 0
        model = json.loads(container.take(tmp_path, "/opt/ml/model")["model.json"])
        assert model["stopped"] is True
        assert 1 <= model["epochs"] < 100000


@pytest.mark.engine
def test_toolkit_runs_the_script_with_its_arguments_and_folders(docker, sample_image, tmp_path):
    # The toolkit waits for the name algo-1 to resolve.
    flags = ("--add-host", "algo-1:127.0.0.1")
    with Container(docker, sample_image("toolkit_script_mode"), "train", *flags) as container:
        container.put(tmp_path, opt_ml({"shrinkage": "0.25"}, training=IRIS))
        code, printed = container.run()
        assert code == 0, printed
        assert 'SM_USER_ARGS=["--shrinkage","0.25"]' in printed
        assert "host algo-1, 135 rows" in printed
        model = json.loads(container.take(tmp_path, "/opt/ml/model")["model.json"])
        assert model["classes"] == ["setosa", "versicolor", "virginica"]


@pytest.mark.engine
@pytest.mark.xdist_group("multi_model")
def test_multi_model_loads_lists_predicts_and_unloads_without_the_emulator(docker, sample_image, tmp_path):
    flags = ("--publish", "127.0.0.1::8080", "--env", "MODEL_ROOM=1", "--env", "PAGE_SIZE=1")
    with Container(docker, sample_image("multi_model"), "serve", *flags) as container:
        files = {f"opt/ml/models/{name}/model/words.txt": name.encode() for name in ("one", "two")}
        container.put(tmp_path, files)
        address = container.serve()

        def load(name):
            asked = {"model_name": name, "url": f"/opt/ml/models/{name}/model"}
            return ask(f"{address}/models", json.dumps(asked).encode(), "application/json")[0]

        assert ask(f"{address}/ping")[0] == 200
        assert json.loads(ask(f"{address}/models")[2]) == {"models": []}
        assert [load("nothing"), load("one"), load("one"), load("two")] == [404, 200, 409, 507]
        listed = json.loads(ask(f"{address}/models")[2])["models"]
        assert listed == [{"modelName": "one", "modelUrl": "/opt/ml/models/one/model"}]
        assert ask(f"{address}/models/one/invoke", b"hi", "text/plain")[2] == b"one: hi"
        assert ask(f"{address}/models/two/invoke", b"hi", "text/plain")[0] == 404
        assert container.stop() == 0
