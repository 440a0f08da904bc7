"""Transform jobs of pipelines on the in-memory engine: what each container is asked, what is told, and how it ends."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sm_emulate import api
from sm_emulate.engine.protocol import Image
from sm_emulate.errors import RequestError
from sm_emulate.events import LogLines, Warned
from sm_emulate.spec.containers import LABEL

IMAGE = Image(
    id="", os="linux", architecture="amd64", entrypoint=(), command=(), environment={}, user="",
    working_dir="", labels={LABEL: "true"}, size_bytes=0,
)  # fmt: skip


class Part:
    """A container that puts its word behind each line; a line `fail=WORD` makes it answer with a status."""

    def __init__(self, word, *, wants=None, ping=200, status=500):
        self.word, self.wants, self.ping, self.status = word, wants, ping, status
        self.asked, self.pages, self.environments = [], [], []

    def __call__(self, box):
        box.handled.add("SIGTERM")
        self.environments.append(box.environment)
        server = self.server(box.listen(int(box.environment.get("SAGEMAKER_BIND_TO_PORT", "8080"))))
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        box.print(f"{self.word} serves")
        try:
            while box.next_signal(0.01) is None:
                pass
        finally:
            server.shutdown()
        return 0

    def server(self, listening):
        part = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                part.pages.append((self.path, self.headers["Host"]))
                if self.path == "/ping":
                    self.answer(part.ping, b"")
                elif part.wants is None:
                    self.answer(404, b"")
                else:
                    self.answer(200, json.dumps(part.wants).encode())

            def do_POST(self):
                body = self.body()
                part.asked.append((body, dict(self.headers)))
                if f"fail={part.word}".encode() in body:
                    self.answer(part.status, b"it failed")
                else:
                    word = part.word.encode()
                    self.answer(200, b"".join(line + b"-" + word + b"\n" for line in body.splitlines()))

            def body(self):
                if "Content-Length" in self.headers:
                    return self.rfile.read(int(self.headers["Content-Length"]))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", f"text/{part.word}")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = listening
        server.daemon_threads = True
        return server


class Scene:
    """Runs transform jobs of pipelines whose programs are Python functions."""

    def __init__(self, engine, home, heard, tmp_path):
        self.engine, self.home, self.heard, self.tmp = engine, home, heard, tmp_path
        self.input, self.output = tmp_path / "in", tmp_path / "out"
        self.input.mkdir()

    def request(self, *parts, job=None, names=("front", "back", "last"), **model):
        listed = []
        for number, (part, name) in enumerate(zip(parts, names, strict=False)):
            self.engine.add_image(f"part:{number}", part, image=IMAGE)
            own = {"OWN": part.word}
            listed.append({"Image": f"part:{number}", "ContainerHostname": name, "Environment": own})
        document = {
            "TransformJobName": "job",
            "ModelName": "m",
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": str(self.input)}},
                "ContentType": "text/csv",
                "SplitType": "Line",
            },
            "TransformOutput": {
                "S3OutputPath": str(self.output),
                "Accept": "text/csv",
                "AssembleWith": "Line",
            },
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            "ModelClientConfig": {"InvocationsMaxRetries": 0},
            **(job or {}),
        }
        return api.transform_request_from_aws(document, {"ModelName": "m", "Containers": listed, **model})

    def run(self, *parts, settings=None, window_s=60.0, **more):
        return api.transform(
            self.request(*parts, **more),
            engine=self.engine,
            platform=api.platform(settings=settings),
            start_window_s=window_s,
            listeners=(self.heard,),
        )

    def outputs(self):
        return {each.name: each.read_text() for each in sorted(self.output.glob("*"))}

    @property
    def data_log(self):
        lines = b"".join(event.data for event in self.heard.of(LogLines) if event.host == "data-log").decode()
        return [line.partition(":[sagemaker logs]: ")[2] for line in lines.splitlines()]


@pytest.fixture
def scene(engine, home, heard, tmp_path):
    return Scene(engine, home, heard, tmp_path)


def test_what_one_answers_is_what_the_next_is_asked_with_its_content_type(scene):
    (scene.input / "a.csv").write_text("1\n2\n")
    parts = [Part("one"), Part("two"), Part("three")]
    result = scene.run(*parts)
    assert (result.status.value, scene.outputs()) == (
        "Completed",
        {"a.csv.out": "1-one-two-three\n2-one-two-three\n"},
    )
    asked = [part.asked for part in parts]
    assert [[body for body, _ in each] for each in asked] == [
        [b"1\n2\n"], [b"1-one\n2-one\n"], [b"1-one-two\n2-one-two\n"],
    ]  # fmt: skip
    headers = [each[0][1] for each in asked]
    assert [each.get("Content-Type") for each in headers] == ["text/csv", "text/one", "text/two"]
    assert [each.get("Accept") for each in headers] == [None, None, "text/csv"]
    assert [each["Host"] for each in headers] == [f"169.254.255.131:{port}" for port in (14001, 14002, 14003)]


def test_each_container_is_told_that_it_is_a_batch_job_and_where_to_listen(scene):
    (scene.input / "a.csv").write_text("1\n")
    parts = [Part("one"), Part("two")]
    result = scene.run(*parts, job={"Environment": {"MINE": "yes"}, "MaxPayloadInMB": 2})
    told = [part.environments[0] for part in parts]
    assert [each["SAGEMAKER_BATCH"] for each in told] == ["true", "true"]
    assert [each["SAGEMAKER_MAX_PAYLOAD_IN_MB"] for each in told] == ["2", "2"]
    assert [each["SAGEMAKER_BIND_TO_PORT"] for each in told] == ["14001", "14002"]
    assert [each["SAGEMAKER_SAFE_PORT_RANGE"] for each in told] == ["9000-9499", "9500-9999"]
    assert [each["OWN"] for each in told] == ["one", "two"]
    assert [each["MINE"] for each in told] == ["yes", "yes"]
    described = result.describe()["Emulator"]
    assert [(each["ContainerHostname"], each["BindToPort"]) for each in described["Containers"]] == [
        ("front", 14001),
        ("back", 14002),
    ]
    assert described["ContainerExitCodes"] == {"instance-1/front": 0, "instance-1/back": 0}
    logs = result.run_folder / "logs" / "instance-1"
    assert {each.name: each.read_text() for each in logs.iterdir()} == {
        "front.log": "one serves\n",
        "back.log": "two serves\n",
    }


def test_the_job_s_environment_may_be_for_the_first_alone(scene):
    (scene.input / "a.csv").write_text("1\n")
    parts = [Part("one"), Part("two")]
    scene.run(
        *parts, job={"Environment": {"MINE": "yes"}}, settings={"transform-pipeline-environment": "first"}
    )
    assert [part.environments[0].get("MINE") for part in parts] == ["yes", None]


@pytest.mark.parametrize(
    ("settings", "line", "asked"),
    [
        ({}, "MaxConcurrentTransforms=4, MaxPayloadInMB=8, BatchStrategy=MULTI_RECORD", [1, 0]),
        (
            {"transform-pipeline-parameters": "strictest"},
            "MaxConcurrentTransforms=2, MaxPayloadInMB=8, BatchStrategy=SINGLE_RECORD",
            [1, 1],
        ),
    ],
)
def test_the_first_says_how_it_is_sent_records_or_the_strictest_of_all(scene, settings, line, asked):
    (scene.input / "a.csv").write_text("1\n2\n")
    parts = [
        Part(
            "one", wants={"MaxConcurrentTransforms": 4, "MaxPayloadInMB": 8, "BatchStrategy": "MULTI_RECORD"}
        ),
        Part(
            "two", wants={"MaxConcurrentTransforms": 2, "MaxPayloadInMB": 0, "BatchStrategy": "SINGLE_RECORD"}
        ),
    ]
    scene.run(*parts, settings=settings)
    assert scene.data_log[0] == line
    assert [[path for path, _ in part.pages].count("/execution-parameters") for part in parts] == asked


@pytest.mark.parametrize(
    ("status", "line", "reason"),
    [
        (413, "ClientError: 413 (back)", "ClientError: See job logs for more information"),
        (
            500,
            "Bad HTTP status received from algorithm: 500 (back)",
            "AlgorithmError: See job logs for more information",
        ),
    ],
)
def test_an_error_names_its_container_and_those_after_it_are_not_asked(scene, status, line, reason):
    (scene.input / "a.csv").write_text("1\n")
    (scene.input / "b.csv").write_text("fail=two\n")
    parts = [Part("one"), Part("two", status=status), Part("three")]
    result = scene.run(*parts)
    assert (result.failure_reason, scene.outputs()) == (reason, {"a.csv.out": "1-one-two-three\n"})
    shown = str(scene.input / "b.csv").lstrip("/")
    assert scene.data_log[1:] == [
        f"{shown}: {line}", f"{shown}: ", f"{shown}: Message:", f"{shown}: it failed",
    ]  # fmt: skip
    assert [len(part.asked) for part in parts] == [2, 2, 1]


def test_what_fails_is_sent_the_whole_way_again(scene):
    (scene.input / "a.csv").write_text("fail=two\n")
    parts = [Part("one"), Part("two")]
    scene.run(*parts, job={"ModelClientConfig": {"InvocationsMaxRetries": 1}})
    assert [len(part.asked) for part in parts] == [2, 2]


def test_between_two_there_is_no_limit_unless_one_is_set(scene):
    (scene.input / "a.csv").write_text("12345678\n")
    tight = {"pipeline-payload-limit": "8"}
    assert scene.run(Part("one"), Part("two"), settings=tight).status.value == "Completed"
    (scene.output / "a.csv.out").unlink()
    tight["transform-pipeline-limit"] = "pipeline-payload-limit"
    last = Part("two")
    result = scene.run(Part("one"), last, settings=tight, job={"TransformJobName": "again"})
    assert result.failure_reason == "ClientError: See job logs for more information"
    assert (scene.outputs(), last.asked) == ({}, [])
    assert "the answer of front is 13 bytes, and back is given at most" in scene.data_log[-1]


def test_a_body_of_any_size_is_sent_in_chunks_to_the_first(scene):
    (scene.input / "a.csv").write_text("1\n")
    parts = [Part("one"), Part("two")]
    scene.run(*parts, job={"MaxPayloadInMB": 0})
    assert scene.outputs() == {"a.csv.out": "1-one-two\n"}
    sent = [part.asked[0][1] for part in parts]
    assert [each.get("Transfer-Encoding") for each in sent] == ["chunked", None]


def test_many_small_records_keep_their_order(scene):
    (scene.input / "a.csv").write_text("".join(f"{number}\n" for number in range(300)))
    scene.run(Part("one"), Part("two"), job={"BatchStrategy": "SingleRecord", "MaxConcurrentTransforms": 4})
    assert scene.outputs() == {"a.csv.out": "".join(f"{number}-one-two\n" for number in range(300))}


def test_each_instance_has_the_whole_pipeline_and_its_share_of_the_objects(scene):
    for name in "abc":
        (scene.input / name).write_text(f"{name}\n")
    parts = [Part("one"), Part("two")]
    result = scene.run(
        *parts, job={"TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2}}
    )
    assert scene.outputs() == {f"{name}.out": f"{name}-one-two\n" for name in "abc"}
    assert sorted(result.container_exit_codes) == [
        "instance-1/back", "instance-1/front", "instance-2/back", "instance-2/front",
    ]  # fmt: skip
    assert [len(part.environments) for part in parts] == [2, 2]


def test_records_are_filtered_joined_and_captured_as_for_one_container(scene):
    (scene.input / "a.csv").write_text("id1,5\nid2,6\n")
    scene.run(
        Part("one"), Part("two"),
        job={
            "DataProcessing": {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
            "DataCaptureConfig": {"DestinationS3Uri": str(scene.tmp / "captured")},
        },
    )  # fmt: skip
    assert scene.outputs() == {"a.csv.out": "id1,5-one-two\nid2,6-one-two\n"}
    (captured,) = (scene.tmp / "captured" / "output").rglob("*.json")
    assert json.loads(captured.read_text())[1:] == ["a.csv.out"]


def test_those_that_are_never_healthy_are_named(scene):
    (scene.input / "a.csv").write_text("1\n")
    result = scene.run(Part("one"), Part("two", ping=503), window_s=0.5)
    assert result.failure_reason.startswith("AlgorithmError: Model container failed to respond to ping.")
    told = [event.message for event in scene.heard.of(Warned)]
    assert any(words.startswith("back did not pass its pings: ") for words in told), told


def test_containers_in_networks_of_their_own_are_reached_as_well(scene):
    (scene.input / "a.csv").write_text("1\n")
    apart = {"pipeline-network": "separate"}
    result = scene.run(Part("one"), Part("two"), settings=apart)
    assert scene.outputs() == {"a.csv.out": "1-one-two\n"}
    plans = api.transform_plan(result.request, platform=api.platform(settings=apart))
    assert [(plan.container.network, plan.container.publish) for plan in plans] == [
        (None, (14001,)),
        (None, (14002,)),
    ]


def test_an_image_without_the_label_is_refused_before_anything_starts(scene):
    (scene.input / "a.csv").write_text("1\n")
    request = scene.request(Part("one"), Part("two"))
    scene.engine.add_image("part:1", Part("two"))
    with pytest.raises(RequestError, match="does not contain required"):
        api.transform(request, engine=scene.engine)
    assert list((scene.home / "transform-jobs").glob("*")) == []


def test_a_plan_shows_each_container_and_that_they_share_a_network(scene):
    (scene.input / "a.csv").write_text("1\n")
    plans = api.transform_plan(scene.request(Part("one"), Part("two")))
    assert [plan.host for plan in plans] == ["instance-1/front", "instance-1/back"]
    first, second = [plan.container for plan in plans]
    assert (first.name, first.publish) == ("instance-1-front", (14001, 14002))
    assert second.network == "container:instance-1-front"
    assert second.environment["SAGEMAKER_BIND_TO_PORT"] == "14002"
