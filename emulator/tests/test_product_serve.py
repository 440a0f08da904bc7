"""Serving: the model as the container finds it, the endpoint from start to stop, and what it is told when it fails."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import tarfile
from pathlib import Path

import boto3
import botocore.exceptions
import pytest
from product import PYTHON, SERVER, Ran, golden

pytestmark = pytest.mark.engine

STUBBORN = SERVER.replace(
    "signal.signal(signal.SIGTERM, bye)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
)


@pytest.fixture(scope="module")
def server(images):
    return images.make(serve=SERVER)


@pytest.fixture
def model(product):
    return product.folder("model", files={"weights.bin": "weights", "sub/deep": "deep"})


def archive(path, files=None, *members):
    """Write a .tar.gz with files, and members that need a hand-made header."""
    with tarfile.open(path, "w:gz") as packed:
        for name, content in (files or {}).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
        for member in members:
            packed.addfile(member)
    return path


def asked(product, words, *more):
    """What the container answers to a payload, as JSON."""
    done = product.run("invoke", *more, "--data", words)
    assert done.code == 0, str(done)
    return done.json


def test_a_folder_is_mounted_read_only_and_the_endpoint_runs_until_ctrl_c(product, server, model):
    running = product.start("serve", server, "--model", model, "--endpoint-name", "demo")
    running.wait_for("/endpoints/demo/invocations\n")
    assert asked(product, "files") == {"sub/deep": "deep", "weights.bin": "weights"}
    assert asked(product, "write") == "Read-only file system"
    done = running.interrupt().finish()
    assert done.code == 130, str(done)
    golden("serve.out", product.plain(done.out))
    # a line of the container comes on a way of its own, before or after our words about the same moment
    assert done.err.count("serving\n") == 1
    golden("serve.err", product.plain(done.err.replace("serving\n", "", 1)))
    result = product.describe("demo")
    assert result["EndpointStatus"] == "OutOfService"
    assert result["Emulator"]["ContainerExitCodes"] == {"AllTraffic": 0}
    assert (model / "weights.bin").read_text() == "weights"


def test_an_archive_is_unpacked_and_mounted_read_only(product, server):
    packed = archive(product.tmp / "model.tar.gz", {"./a": b"1", "sub/b": b"2"})
    product.serve(server, "--model", packed, "--endpoint-name", "demo")
    assert asked(product, "files") == {"a": "1", "sub/b": "2"}
    assert asked(product, "write") == "Read-only file system"


def test_a_model_of_a_training_job_is_served(product, images, server):
    job = product.train(images.train("echo trained > /opt/ml/model/weights"))
    product.serve(server, "--model", job.folder / "model.tar.gz", "--endpoint-name", "demo")
    assert asked(product, "files") == {"weights": "trained\n"}


def test_the_container_gets_serve_and_the_requests_environment_only(product, images, server, model):
    product.serve(server, "--model", model, "--environment", "A=b c", "--credentials", "none")
    seen = asked(product, "seen")
    assert seen["argv"][-1].endswith("/serve")
    environment = seen["environment"]
    assert environment.pop("HOSTNAME") == seen["hostname"] == "container-0.local"
    assert environment == images.variables(server) | {
        "HOME": "/root",
        "A": "b c",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    assert seen["pid"] == 1
    assert seen["terminals"] == []


def test_the_entrypoint_of_the_image_gets_serve_as_its_argument(product, images):
    image = images.make('ENTRYPOINT ["main", "x"]', 'CMD ["never"]', main=SERVER)
    product.serve(image)
    assert asked(product, "seen")["argv"][-2:] == ["x", "serve"]
    assert asked(product, "files") == {}, "no model was given"


def test_the_user_of_the_image_serves(product, images):
    product.serve(images.make("USER 12345:23456", serve=SERVER))
    assert asked(product, "seen")["user"] == "12345:23456"


def test_two_endpoints_run_detached_and_are_invoked_by_name(product, server):
    first = product.serve(server, "--endpoint-name", "first", "--environment", "ME=first")
    second = product.run(
        "serve", server, "--endpoint-name", "second", "--environment", "ME=second", "--detach"
    )
    assert (second.code, second.err.count("error")) == (0, 0)
    assert product.plain(second.out) == "http://127.0.0.1:PORT/endpoints/second/invocations\n"
    assert first["EndpointStatus"] == "InService"
    assert first["Emulator"]["Url"].startswith("http://127.0.0.1:")
    for name in ("first", "second"):
        assert asked(product, "seen", name)["environment"]["ME"] == name
    alone = product.run("invoke", "--data", "seen")
    assert (alone.code, alone.out) == (2, "")
    golden("invoke-which", product.plain(alone.err))
    golden("ps-endpoints", product.plain(product.run("ps").out))
    assert product.run("stop", "first").out == "endpoints/first: OutOfService\n"
    assert asked(product, "seen")["environment"]["ME"] == "second"
    assert product.run("stop", "second").code == 0
    assert product.left_on_engine() == []


def test_logs_of_an_endpoint_go_to_its_log_and_follow(product, server):
    product.serve(server, "--endpoint-name", "demo")
    following = product.start("logs", "-f", "demo").wait_for("serving\n")
    product.run("invoke", "demo", "--data", "print=hello")
    following.wait_for("hello\n")
    product.run("stop", "demo")
    assert following.finish().out == "serving\nhello\nbye\n"


def test_invoke_passes_bytes_headers_and_types_through(product, server):
    product.serve(server, "--endpoint-name", "demo")
    payload = bytes(range(256)) * 1000
    (product.tmp / "payload.bin").write_bytes(payload)
    done = product.run("invoke", "demo", "--data", "@payload.bin", "--content-type", "image/png")
    assert (done.code, done.err) == (0, "")
    assert done.out_bytes == payload
    done = product.run("invoke", "--data", "@-", stdin=b"from stdin\n")
    assert done.out_bytes == b"from stdin\n"
    seen = asked(
        product, "headers", "--content-type", "text/csv", "--accept", "application/json",
        "--custom-attributes", "trace=1", "--inference-id", "id-1",
    )  # fmt: skip
    assert seen["content-type"] == "text/csv"
    assert seen["accept"] == "application/json"
    assert seen["x-amzn-sagemaker-custom-attributes"] == "trace=1"
    bare = asked(product, "headers")
    assert "accept" not in bare
    assert set(bare) <= {"host", "content-length", "connection", "content-type", "user-agent"}
    verbose = product.run("invoke", "--data", "attributes=from-model", "--verbose")
    assert "HTTP 200\n" in verbose.err
    assert "x-amzn-sagemaker-custom-attributes: from-model" in verbose.err.lower()
    assert "x-amzn-invoked-production-variant: alltraffic" in verbose.err.lower()


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_error_of_the_container_is_a_model_error_with_its_parts(product, server, status):
    product.serve(server, "--endpoint-name", "demo")
    done = product.run("invoke", "--data", f"status={status}")
    assert (done.code, done.out) == (1, "")
    golden(f"invoke-{status}", product.plain(done.err))


def test_boto3_speaks_to_the_gateway(product, server):
    url = product.serve(server, "--endpoint-name", "demo")["Emulator"]["Url"]
    runtime = boto3.client(
        "sagemaker-runtime", endpoint_url=url, region_name="us-east-1",
        aws_access_key_id="x", aws_secret_access_key="x",
    )  # fmt: skip
    answer = runtime.invoke_endpoint(
        EndpointName="demo", Body=b"\x00\xff", ContentType="application/x-thing", CustomAttributes="a"
    )
    assert answer["Body"].read() == b"\x00\xff"
    assert answer["ContentType"] == "application/x-thing"
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    with pytest.raises(botocore.exceptions.ClientError) as failed:
        runtime.invoke_endpoint(EndpointName="demo", Body=b"status=418")
    response = failed.value.response
    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == 418
    assert response["OriginalMessage"] == "answered 418"
    assert response["LogStreamArn"].startswith(
        "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/"
    )
    with pytest.raises(botocore.exceptions.ClientError) as unknown:
        runtime.invoke_endpoint(EndpointName="other", Body=b"x")
    assert unknown.value.response["Error"]["Code"] == "ValidationError"
    runtime.close()


def test_a_container_that_dies_in_service_ends_the_endpoint_with_its_code(product, server):
    running = product.start("serve", server, "--endpoint-name", "demo", "--output", "json")
    running.wait_for('"EndpointStatus": "InService"')
    done = product.run("invoke", "demo", "--data", "die")
    assert done.code == 1
    assert done.err.startswith("ModelError: Received server error (0) from primary with message")
    ended = running.finish()
    assert ended.code == 1, str(ended)
    result = product.describe("demo")
    assert result["EndpointStatus"] == "Failed"
    assert result["FailureReason"].startswith(
        "The primary container for production variant AllTraffic did not pass"
    )
    assert result["Emulator"]["ContainerExitCodes"] == {"AllTraffic": 9}


def test_a_container_that_ignores_sigterm_is_killed_after_the_grace(product, images):
    product.serve(images.make(serve=STUBBORN), "--endpoint-name", "demo", "--stop-grace", "0.5")
    assert product.run("stop", "demo", "--output", "json").json["Emulator"]["ContainerExitCodes"] == {
        "AllTraffic": 137
    }
    assert product.left_on_engine() == []


def test_ctrl_c_twice_kills_at_once(product, images):
    running = product.start("serve", images.make(serve=STUBBORN), "--endpoint-name", "demo")
    running.wait_for("/invocations\n").interrupt().wait_for("Deleting - ")
    done = running.interrupt().finish()
    assert done.code == 130, str(done)
    assert product.describe("demo")["Emulator"]["ContainerExitCodes"] == {"AllTraffic": 137}


def test_ctrl_c_while_it_waits_for_the_container_leaves_nothing(product, images):
    image = images.serve("import time\nprint('loading', flush=True)\ntime.sleep(600)")
    running = product.start("serve", image, "--endpoint-name", "demo", "--stop-grace", "0.2")
    done = running.wait_for("loading\n").interrupt().finish()
    assert done.code == 130, str(done)
    assert product.left_on_engine() == []
    assert "Traceback" not in done.err


def test_an_isolated_endpoint_is_reached_all_the_same(product, docker, server):
    product.serve(server, "--endpoint-name", "demo", "--enable-network-isolation")
    assert product.run("invoke", "--data", "hello").out == "hello"
    (network,) = [left.split()[1] for left in product.left_on_engine() if left.startswith("network")]
    assert docker("network", "inspect", "--format", "{{.Internal}}", network).stdout == "true\n"
    product.run("stop", "demo")
    assert product.left_on_engine() == []


def test_a_killed_endpoint_is_cleared_up_and_its_name_is_free(product, server):
    described = product.serve(server, "--endpoint-name", "demo")
    pid = int((Path(described["Emulator"]["RunFolder"]) / "owner").read_text())
    os.kill(pid, signal.SIGKILL)
    assert len(product.left_on_engine()) == 1
    gone = product.run("invoke", "demo", "--data", "x")
    assert gone.code == 2
    assert product.run("clean").code == 0
    assert product.left_on_engine() == []
    assert product.describe("demo")["EndpointStatus"] == "Failed"
    product.serve(server, "--endpoint-name", "demo")


FAILING = {
    "exited": "print('loading'); print('no such model'); raise SystemExit(7)",
    "nothing-listens": "import time; time.sleep(600)",
    "other-port": "import socket, time; s = socket.create_server(('', 8081)); time.sleep(600)",
    "loopback-only": SERVER.removeprefix(PYTHON).replace('("", 8080)', '("127.0.0.1", 8080)'),
    "wrong-status": SERVER.removeprefix(PYTHON).replace("PING = 200", "PING = 503"),
    "too-slow": SERVER.removeprefix(PYTHON).replace("PING = 200", "PING = 200; time.sleep(60)"),
}


@pytest.mark.parametrize("cause", FAILING)
def test_an_endpoint_that_does_not_become_healthy_says_what_was_seen(product, images, cause, capfd):
    """Through the Python door: the command line takes no window below SageMaker's own 60 seconds."""
    from sm_emulate.api.hosting import serve
    from sm_emulate.engine.discover import connect
    from sm_emulate.errors import EndpointFailedError
    from sm_emulate.request.endpoint import from_flags

    request = from_flags(
        image=images.serve(FAILING[cause]), endpoint_name="demo", instance_type="ml.m5.large"
    )
    # within its window each program has long come to where it fails
    window = {"exited": 60, "nothing-listens": 2, "too-slow": 9}.get(cause, 6)
    short = request.with_first(container_startup_health_check_timeout_in_seconds=window)
    engine = connect(product.endpoint, environ={})
    try:
        with (
            pytest.raises(EndpointFailedError) as failed,
            serve(short, engine=engine, home=product.home, stop_grace_s=0.2),
        ):
            pass
    finally:
        engine.close()
    golden(f"serve-{cause}", product.plain("\n".join(failed.value.lines())) + "\n")
    assert product.describe("demo")["EndpointStatus"] == "Failed"
    assert product.left_on_engine() == []


def test_a_failed_start_is_told_on_the_command_line_with_the_last_log_lines(product, images):
    image = images.serve(FAILING["exited"])
    words = ("serve", image, "--endpoint-name", "demo")
    done = product.run(*words)
    assert done.code == 1
    golden("serve-exited-cli", product.plain(done.err))
    detached = product.run(*words, "--detach", "--output", "json")
    assert detached.code == 1
    assert detached.json["error"]["what"].startswith(
        "The primary container for production variant AllTraffic"
    )


def test_an_image_without_serve_is_told_at_once(product, images):
    done = product.run("serve", images.make(other="#!/bin/sh\n"), "--endpoint-name", "demo")
    assert done.code == 1
    assert 'exec: "serve": executable file not found in $PATH' in done.err
    assert "an executable `serve` on PATH" in done.err


def member(name, kind, link=""):
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


BAD = {
    "not-gzip": lambda path: path.write_bytes(b"no archive at all" * 100),
    "empty": lambda path: path.write_bytes(b""),
    "cut-short": lambda path: path.write_bytes(
        archive(path, {"a": os.urandom(100_000)}).read_bytes()[:50_000]
    ),
    "upwards": lambda path: archive(path, {"ok": b"1", "../out": b"2"}),
    "absolute": lambda path: archive(path, {"/etc/out": b"2"}),
    "symlink": lambda path: archive(path, {}, member("link", tarfile.SYMTYPE, "ok")),
    "link-out": lambda path: archive(path, {}, member("link", tarfile.SYMTYPE, "/etc/passwd")),
    "hard-link": lambda path: archive(path, {}, member("link", tarfile.LNKTYPE, "/etc/passwd")),
    "device": lambda path: archive(path, {}, member("null", tarfile.CHRTYPE)),
    "missing": lambda path: None,
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_archive_is_refused_and_leaves_nothing(product, server, kind):
    packed = product.tmp / "model.tar.gz"
    BAD[kind](packed)
    done = product.run("serve", server, "--model", packed, "--endpoint-name", "demo")
    assert (done.code, done.out) == (2, ""), str(done)
    message = product.plain(done.err[done.err.index("error:") :])
    golden(f"archive-{kind}", message)
    assert product.left_on_engine() == []
    assert product.runs() == []
    assert not list(product.tmp.rglob("out"))


def test_a_port_that_is_taken_is_said_and_nothing_stays(product, server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = product.run("serve", server, "--endpoint-name", "demo", "--port", port)
    assert done.code == 3
    message = done.err[done.err.index("error:") :].replace(str(port), "PORT")
    golden("port-taken", product.plain(message))
    assert product.left_on_engine() == []
    assert product.runs() == []


def test_a_chosen_port_is_used(product, server):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert product.serve(server, "--port", port)["Emulator"]["Url"] == f"http://127.0.0.1:{port}"


def test_the_result_has_the_shape_of_describe_endpoint(product, server):
    import botocore.session
    from botocore.validate import ParamValidator

    document = product.serve(server, "--endpoint-name", "Demo")
    shape = (
        botocore.session.get_session()
        .get_service_model("sagemaker")
        .operation_model("DescribeEndpoint")
        .output_shape
    )
    answer = {key: value for key, value in document.items() if key != "Emulator"}
    assert set(answer) <= set(shape.members)
    assert ParamValidator().validate(answer, shape).generate_report() == ""
    assert answer["EndpointArn"] == "arn:aws:sagemaker:us-east-1:123456789012:endpoint/demo"
    assert json.loads((product.home / "endpoints/Demo/run.json").read_text())["EndpointStatus"] == "InService"
    assert isinstance(product.run("stop", "Demo"), Ran)
