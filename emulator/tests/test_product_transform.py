"""Batch transform through the command line: what the container is sent, what comes of it, and how it ends."""

from __future__ import annotations

import gzip
import json

import pytest
from product import PYTHON

pytestmark = pytest.mark.engine

SERVER = (
    PYTHON
    + """\
import glob, json, os, signal, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

if "DEAF" not in os.environ:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
tries = {}

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/ping":
            self.answer(200 if os.environ.get("HEALTHY", "yes") == "yes" else 503, b"")
        elif self.path == "/execution-parameters" and "WANTS" in os.environ:
            self.answer(200, os.environ["WANTS"].encode())
        else:
            self.answer(404, b"no such page")

    def do_POST(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        if b"seen" in body:
            seen = {name: value for name, value in os.environ.items() if name.startswith("SAGEMAKER_")}
            (file,) = glob.glob("/sys/fs/cgroup/memory/memory.limit_in_bytes") or glob.glob("/sys/fs/cgroup/memory.max")
            around = {"memory": open(file).read().strip(), "role": "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" in os.environ}
            self.answer(200, json.dumps({"variables": seen, "headers": dict(self.headers), **around}).encode())
        elif b"flaky" in body:
            tries[body] = tries.get(body, 0) + 1
            self.answer(200 if tries[body] == 3 else 500, b"at last" if tries[body] == 3 else b"not yet")
        elif b"slow" in body:
            print("a slow one", flush=True)
            time.sleep(60)
        elif b"die" in body:
            os._exit(3)
        elif b"bad" in body:
            self.answer(400 if b"client" in body else 500, b"no good:\\n" + body)
        else:
            lines = body.split(b"\\n")
            self.answer(200, b"\\n".join(b"%d" % len(line) if line else b"" for line in lines))

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
)
CSV = ("--content-type", "text/csv", "--split-type", "Line", "--assemble-with", "Line")


@pytest.fixture(scope="module")
def server(images):
    return images.make(serve=SERVER)


def transformed(product, image, *words, code=0):
    done = product.run(
        "transform", image, "--job-name", "job", *words, "--output", "json", "--stop-grace", "60"
    )
    assert done.code == code, str(done)
    return done.json


def outputs(product, name="job"):
    folder = product.home / "transform-jobs" / name / "output"
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*.out"))}


def data_log(product, name="job"):
    lines = (product.home / "transform-jobs" / name / "logs" / "data-log.log").read_text().splitlines()
    return [line.partition(":[sagemaker logs]: ")[2] for line in lines]


def test_each_file_becomes_an_out_file_in_its_sub_folder(product, server):
    data = product.folder("data", files={"a.csv": "1\n22\n333\n", "sub/b.csv": "4444\n", "empty.csv": ""})
    job = transformed(product, server, "--input", data, *CSV)
    assert outputs(product) == {"a.csv.out": "1\n2\n3\n", "empty.csv.out": "", "sub/b.csv.out": "4\n"}
    assert job["TransformJobStatus"] == "Completed"
    assert job["TransformInput"]["SplitType"] == "Line"
    assert job["Emulator"]["Parameters"] == {
        "MaxConcurrentTransforms": 1, "MaxPayloadInMB": 6, "BatchStrategy": "MULTI_RECORD",
    }  # fmt: skip
    assert job["Emulator"]["Requests"] == 2
    assert job["Emulator"]["ContainerExitCodes"] == {"instance-1": 0}
    assert data_log(product)[0] == "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD"
    assert not product.left_on_engine()


def test_model_and_rows_and_predictions_may_all_lie_in_s3(product, server, tmp_path):
    import tarfile

    bucket = product.home / "s3" / "bucket"
    (bucket / "in").mkdir(parents=True)
    (bucket / "in" / "a.csv").write_text("1\n22\n")
    (tmp_path / "weights").write_text("w")
    with tarfile.open(bucket / "model.tar.gz", "w:gz") as packed:
        packed.add(tmp_path / "weights", "weights")
    job = transformed(
        product, server, "--s3", "embedded", "--model", "s3://bucket/model.tar.gz",
        "--input", "s3://bucket/in/", "--output-path", "s3://bucket/out", *CSV,
    )  # fmt: skip
    assert job["Emulator"]["Outputs"] == ["s3://bucket/out/a.csv.out"]
    assert (bucket / "out" / "a.csv.out").read_text() == "1\n2\n"
    unpacked = product.home / "transform-jobs" / "job" / "opt-ml" / "model"
    assert [each.name for each in unpacked.iterdir()] == ["weights"]


def test_the_container_sees_a_batch_job(product, server):
    data = product.folder("data", files={"a": "seen"})
    job = transformed(
        product, server, "--input", data, "--content-type", "text/plain", "--accept", "application/json",
        "--max-payload", "2", "--split-type", "Line", "--strategy", "SingleRecord", "--max-concurrent", "3",
        "--environment", "SAGEMAKER_MINE=1", "--environment", "MY_TOKEN=hunter2hunter2",
    )  # fmt: skip
    assert job["Environment"] == {"SAGEMAKER_MINE": "1", "MY_TOKEN": "***"}
    assert not product.files_that_hold("hunter2hunter2")
    seen = json.loads(outputs(product)["a.out"])
    assert seen["variables"] == {
        "SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "2", "SAGEMAKER_MINE": "1",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD", "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "3",
    }  # fmt: skip
    assert seen["headers"]["Host"] == "169.254.255.131:8080"
    assert (seen["headers"]["Content-Type"], seen["headers"]["Accept"]) == ("text/plain", "application/json")


def test_the_container_has_its_role_and_the_limits_of_its_instance(product, server):
    data = product.folder("data", files={"a": "seen"})
    transformed(product, server, "--input", data, "--setting", "memory-limit=256m")
    seen = json.loads(outputs(product)["a.out"])
    assert (seen["memory"], seen["role"]) == (str(256 << 20), True)


def test_an_isolated_container_has_no_role(product, server):
    data = product.folder("data", files={"a": "seen"})
    transformed(product, server, "--input", data, "--enable-network-isolation")
    assert json.loads(outputs(product)["a.out"])["role"] is False
    assert not product.left_on_engine()


def test_a_dry_run_prints_the_container_and_starts_nothing(product, server):
    data, model = product.folder("data", files={"a": "1"}), product.folder("model", files={"w": "1"})
    words = ("--input", data, "--model", model, "--environment", "API_KEY=hush", "--dry-run")
    more = ("--instance-count", "2", "--instance-type", "ml.m5.large", "--output", "json")
    done = product.run("transform", server, *words, *more)
    assert done.code == 0, str(done)
    first, second = done.json
    assert (first["Host"], second["Host"]) == ("instance-1", "instance-2")
    assert first["Environment"]["SAGEMAKER_BATCH"] == "true"
    assert first["Mounts"] == [{"Source": str(model), "Target": "/opt/ml/model", "ReadOnly": True}]
    assert first["DockerRun"][-2:] == [server, "serve"]
    assert "--memory" in first["DockerRun"]
    assert "hush" not in done.out
    assert product.runs() == []


def test_a_container_without_a_handler_for_sigterm_is_not_waited_for(product, server):
    data = product.folder("data", files={"a": "1"})
    words = ("--input", data, "--environment", "DEAF=1", "--stop-grace", "3000")
    done = product.run("transform", server, "--job-name", "job", *words)
    assert done.code == 0, str(done)
    assert "instance-1 has no handler for SIGTERM: killed at once; SageMaker waits 3000 s" in done.err
    assert product.describe("job")["Emulator"]["ContainerExitCodes"] == {"instance-1": 137}


def test_the_container_s_wishes_come_before_the_defaults_and_after_the_request(product, server):
    data = product.folder("data", files={"a": "1\n22\n333\n"})
    wants = '{"MaxConcurrentTransforms": 4, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 3}'
    job = transformed(
        product, server, "--input", data, *CSV, "--max-payload", "5", "--environment", f"WANTS={wants}"
    )
    assert job["Emulator"]["Parameters"] == {
        "MaxConcurrentTransforms": 4, "MaxPayloadInMB": 5, "BatchStrategy": "SINGLE_RECORD",
    }  # fmt: skip
    assert job["Emulator"]["Requests"] == 3
    assert outputs(product) == {"a.out": "1\n2\n3\n"}


def test_answers_keep_the_order_of_their_records_however_many_are_under_way(product, server):
    lines = "".join("x" * (number % 90 + 1) + "\n" for number in range(3000))
    data = product.folder("data", files={"a": lines})
    job = transformed(
        product, server, "--input", data, *CSV, "--strategy", "SingleRecord", "--max-concurrent", "8"
    )
    assert outputs(product)["a.out"] == "".join(f"{number % 90 + 1}\n" for number in range(3000))
    assert job["Emulator"]["Requests"] == 3000


def test_records_are_filtered_joined_and_filtered_again(product, server):
    data = product.folder("data", files={"a.csv": "7,aa,b\n8,c,dddd\n"})
    transformed(
        product, server, "--input", data, *CSV, "--accept", "text/csv", "--input-filter", "$[1:]",
        "--join-source", "Input", "--output-filter", "$[0,-1]",
    )  # fmt: skip
    assert outputs(product) == {"a.csv.out": "7,4\n8,6\n"}


def test_a_failed_record_fails_its_file_and_the_job_and_no_other_file(product, server):
    data = product.folder("data", files={"a": "1\n", "b": "fine\nbad\n", "c": "bad client\n", "d": "22\n"})
    job = transformed(product, server, "--input", data, *CSV, "--invocation-retries", "0", code=1)
    assert outputs(product) == {"a.out": "1\n", "d.out": "2\n"}
    assert (job["TransformJobStatus"], job["FailureReason"]) == (
        "Failed", "AlgorithmError: See job logs for more information",
    )  # fmt: skip
    assert [uri.rpartition("/")[2] for uri in job["Emulator"]["Failures"]] == ["b", "c"]
    logged = "\n".join(data_log(product))
    assert "/b: Bad HTTP status received from algorithm: 500\n" in logged
    assert "/b: Message:\n" in logged
    assert "/b: no good:\n" in logged
    assert "/c: ClientError: 400\n" in logged


def test_what_fails_is_tried_again(product, server):
    data = product.folder("data", files={"a": "flaky"})
    job = transformed(product, server, "--input", data)
    assert outputs(product) == {"a.out": "at last"}
    assert job["Emulator"]["Retried"] == 2


def test_a_container_that_dies_gives_no_answer(product, server):
    data = product.folder("data", files={"a": "1", "b": "die", "c": "2"})
    job = transformed(product, server, "--input", data, code=1)
    assert job["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert job["Emulator"]["ContainerExitCodes"] == {"instance-1": 3}
    assert "Unable to get response from algorithm" in "\n".join(data_log(product))
    assert outputs(product) == {"a.out": "1"}
    assert not product.left_on_engine()


def test_a_container_that_is_never_healthy(product, server):
    data = product.folder("data", files={"a": "1"})
    done = product.run(
        "transform", server, "--job-name", "job", "--input", data, "--environment", "HEALTHY=no",
        "--startup-timeout", "6",
    )  # fmt: skip
    assert done.code == 1, str(done)
    reason = product.describe("job")["FailureReason"]
    assert reason.startswith("AlgorithmError: Model container failed to respond to ping.")
    assert "the container did not pass its pings: GET /ping was answered with status 503" in done.err
    assert "production variant" not in done.err
    assert not product.left_on_engine()


def test_a_payload_of_any_size_is_streamed_in_chunks(product, server):
    data = product.folder("data")
    (data / "big").write_bytes(b"x" * (20 << 20))
    transformed(product, server, "--input", data, "--max-payload", "0")
    assert outputs(product) == {"big.out": str(20 << 20)}


def test_without_a_limit_filtered_objects_go_in_chunks_as_well(product, server):
    data = product.folder("data", files={"a": '{"of": "seen"}'})
    transformed(
        product, server, "--input", data, "--max-payload", "0", "--content-type", "application/json",
        "--input-filter", "$.of",
    )  # fmt: skip
    headers = json.loads(outputs(product)["a.out"])["headers"]
    assert (headers["Transfer-Encoding"], headers.get("Content-Length")) == ("chunked", None)


def test_a_container_that_wants_more_than_a_request_may_is_told(product, server):
    data = product.folder("data", files={"a": "1"})
    wants = '{"MaxConcurrentTransforms": 5, "MaxPayloadInMB": 30}'
    done = product.run("transform", server, "--input", data, "--environment", f"WANTS={wants}")
    assert done.code == 0, str(done)
    assert (
        "MaxConcurrentTransforms times MaxPayloadInMB is 150; CreateTransformJob takes at most 100"
        in done.err
    )


def test_names_may_have_any_characters(product, server):
    data = product.folder("my data", files={"é %20/a b#1?.csv": "1\n"})
    there = product.tmp / "my output"
    transformed(product, server, "--input", data, "--output-path", there)
    assert (there / "é %20" / "a b#1?.csv.out").read_text() == "1\n"


def test_a_record_that_is_too_large_is_an_error_of_the_client(product, server):
    data = product.folder("data")
    (data / "big").write_bytes(b"x" * (2 << 20))
    job = transformed(product, server, "--input", data, "--max-payload", "1", code=1)
    assert job["FailureReason"] == "ClientError: See job logs for more information"
    assert "larger than MaxPayloadInMB allows" in "\n".join(data_log(product))


def test_gzip_is_unpacked_and_manifests_are_followed(product, server):
    data = product.folder("data")
    for name in ("a", "b", "c"):
        (data / f"{name}.gz").write_bytes(gzip.compress(f"{name * 3}\n".encode()))
    manifest = product.tmp / "manifest.json"
    manifest.write_text(json.dumps([{"prefix": f"file://{data}/"}, "a.gz", "c.gz"]))
    transformed(
        product, server, "--input", manifest, "--input-type", "ManifestFile", "--compression", "Gzip", *CSV
    )
    assert outputs(product) == {"a.gz.out": "3\n", "c.gz.out": "3\n"}


def test_several_instances_share_the_objects(product, server):
    data = product.folder("data", files={name: f"{name}\n" for name in "abcde"})
    job = transformed(product, server, "--input", data, *CSV, "--instance-count", "2")
    assert sorted(outputs(product)) == [f"{name}.out" for name in "abcde"]
    assert job["Emulator"]["ContainerExitCodes"] == {"instance-1": 0, "instance-2": 0}
    assert not product.left_on_engine()


def test_objects_of_s3_come_and_go_the_same_way(product, server):
    bucket = product.home / "s3" / "bucket"
    (bucket / "in").mkdir(parents=True)
    (bucket / "in" / "rows.csv").write_text("1\n22\n")
    job = transformed(
        product, server, "--s3", "embedded", "--input", "s3://bucket/in/", "--output-path", "s3://bucket/out",
        *CSV,
    )  # fmt: skip
    assert (bucket / "out" / "rows.csv.out").read_text() == "1\n2\n"
    assert job["Emulator"]["Outputs"] == ["s3://bucket/out/rows.csv.out"]


def test_ctrl_c_stops_the_job_and_keeps_what_is_done(product, server):
    data = product.folder("data", files={"a": "1", "b": "slow"})
    running = product.start("transform", server, "--job-name", "job", "--input", data)
    running.wait_for("a slow one")
    done = running.interrupt().finish()
    assert done.code == 130, str(done)
    assert product.describe("job")["TransformJobStatus"] == "Stopped"
    assert outputs(product) == {"a.out": "1"}
    assert not product.left_on_engine()


def test_a_job_can_be_asked_for_in_aws_s_own_json(product, server):
    data = product.folder("data", files={"a": "333"})
    request = {
        "CreateModel": {"ModelName": "m", "PrimaryContainer": {"Image": server}},
        "CreateTransformJob": {
            "TransformJobName": "from-json",
            "ModelName": "m",
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": str(data)}}
            },
            "TransformOutput": {"S3OutputPath": str(product.tmp / "out")},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            "DataCaptureConfig": {"DestinationS3Uri": str(product.tmp / "captured")},
        },
    }
    file = product.folder("request", files={"job.json": json.dumps(request)}) / "job.json"
    done = product.run("transform", "--request", file)
    assert done.code == 0, str(done)
    assert done.out.splitlines()[0] == "Completed  from-json"
    assert (product.tmp / "out" / "a.out").read_text() == "3"
    (captured,) = (product.tmp / "captured" / "input").rglob("*.json")
    assert json.loads(captured.read_text()) == [{"prefix": f"file://{data}/"}, "a"]
    assert "from-json" in product.run("ps", "--all").out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--input", "nowhere"), "the input: no such file or folder"),
        (("--input", ".", "--strategy", "SingleRecord"), "SingleRecord needs records"),
        (("--input", ".", "--input-filter", "$..x"), "cannot read this ContentType"),
        ((), "Missing option '--input'"),
    ],
)
def test_a_wrong_word_is_refused_before_anything_starts(product, server, words, what):
    done = product.run("transform", server, *words)
    assert done.code == 2, str(done)
    assert what in done.err
    assert product.runs() == []


def test_an_empty_folder_or_prefix_is_refused_as_createtransformjob_does(product, server):
    done = product.run("transform", server, "--input", product.folder("empty"))
    assert (done.code, product.runs()) == (2, [])
    assert "No objects found under" in done.err
    (product.home / "s3" / "bucket").mkdir(parents=True)
    done = product.run("transform", server, "--s3", "embedded", "--input", "s3://bucket/in/")
    assert done.code == 2
    assert not (product.home / "transform-jobs").exists()
    assert 'No S3 objects found under S3 URL "s3://bucket/in/" given in input data source.' in done.err
