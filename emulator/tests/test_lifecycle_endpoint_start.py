"""The way of an endpoint into service, and why it does not get there."""

from __future__ import annotations

import inspect
import io
import socket
import tarfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from scenes import Endpoints, Model

from sm_emulate import api
from sm_emulate.engine.memory import MemoryEngine
from sm_emulate.engine.protocol import LABEL_SESSION, Exit, Listener
from sm_emulate.errors import (
    ArchiveError,
    EndpointFailedError,
    EngineError,
    GpuNotFoundError,
    MachineError,
    RequestError,
)
from sm_emulate.events import ContainerExited, ContainerStarted, Pinged, StatusChanged
from sm_emulate.gateway import Gateway
from sm_emulate.gateway.ping import PingOutcome
from sm_emulate.lifecycle.hosting.health import diagnose
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.request.endpoint import from_aws
from sm_emulate.storage.runs import Runs

PING_FAILED = (
    "The primary container for production variant AllTraffic did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)


def start(endpoints, program, **more):
    with endpoints.new(program, **more) as endpoint:
        return endpoint.start()


def statuses(heard):
    return [event.status for event in heard.of(StatusChanged)]


def test_a_healthy_container_comes_into_service_and_answers(endpoints, model):
    served = model()
    with endpoints.new(served) as endpoint:
        url = endpoint.start()
        answer = api.invoke("demo", b"abc", content_type="text/csv")
        assert (answer.status, answer.body, answer.error) == (200, b"cba", None)
        assert endpoints.folder().description()["EndpointStatus"] == "InService"
        assert endpoints.folder().description()["Emulator"]["Url"] == url
    assert statuses(endpoints.heard) == ["Creating", "InService", "Deleting", "OutOfService"]
    assert served.box.argv == ("serve",)
    assert served.signals == ["SIGTERM"]


def test_the_first_healthy_ping_is_enough_and_is_told(endpoints, model):
    served = model()
    start(endpoints, served)
    assert [event.status for event in endpoints.heard.of(Pinged)] == [200]
    method, path, headers = served.requests[0]
    assert (method, path) == ("GET", "/ping")
    assert headers["Host"] == "container-0.local:8080"
    assert served.box.hostname == "container-0.local"


def test_the_host_name_is_a_setting_that_ping_and_gateway_follow(endpoints, model):
    served = model()
    older = api.platform(settings={"endpoint-hostname": "model.aws.local"})
    with endpoints.new(served, platform=older) as endpoint:
        endpoint.start()
        api.invoke("demo", b"x")
    assert {headers["Host"] for _, _, headers in served.requests} == {"model.aws.local:8080"}
    assert served.box.hostname == "model.aws.local"


@pytest.mark.parametrize(("value", "seen"), [("absent", None), ("any", "*/*")])
def test_the_accept_header_of_a_caller_that_sends_none_is_a_setting(endpoints, model, value, seen):
    served = model()
    with endpoints.new(served, platform=api.platform(settings={"default-accept": value})) as endpoint:
        endpoint.start()
        api.invoke("demo", b"x")
        api.invoke("demo", b"x", accept="text/csv")
    first, second = (headers for method, _, headers in served.requests if method == "POST")
    assert first.get("Accept") == seen
    assert second["Accept"] == "text/csv"


def test_the_container_has_the_request_s_environment_and_no_more(endpoints, model):
    served = model()
    start(endpoints, served, environment={"MINE": "1"})
    assert dict(served.box.spec.environment) == {
        "MINE": "1",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@pytest.mark.parametrize(("value", "seen"), [("unset", None), ("set", "9000-9999")])
def test_the_range_of_safe_ports_is_a_setting(endpoints, model, value, seen):
    served = model()
    start(endpoints, served, platform=api.platform(settings={"safe-port-range-variable": value}))
    assert served.box.environment.get("SAGEMAKER_SAFE_PORT_RANGE") == seen


def test_the_container_has_the_engine_s_own_limits_and_shared_memory_as_set(endpoints, model):
    served, small = model(), model()
    start(endpoints, served)
    start(endpoints, small, platform=api.platform(settings={"shm-size": "32m"}))
    spec = served.box.spec
    assert (spec.memory_bytes, spec.cpus, spec.tmpfs, spec.user) == (None, None, {}, None)
    assert (spec.shm_bytes, small.box.spec.shm_bytes) == (64 << 20, 32 << 20)
    assert spec.publish == (8080,)


def test_the_container_host_name_of_a_single_container_is_ignored(endpoints, model):
    served = model()
    request = endpoints.request(served)
    documents = request.documents
    named = {
        **documents.create_model,
        "PrimaryContainer": {**documents.create_model["PrimaryContainer"], "ContainerHostname": "mine"},
    }
    with api.new_endpoint(
        from_aws(replace(documents, create_model=named)), engine=endpoints.engine
    ) as endpoint:
        endpoint.start()
    assert served.box.hostname == "container-0.local"


def test_the_gateway_holds_the_documented_limits(endpoints, model, monkeypatch):
    fronts = []

    def gateway(front, **more):
        fronts.append(front)
        return Gateway(front, **more)

    monkeypatch.setattr("sm_emulate.lifecycle.hosting.entrance.Gateway", gateway)
    start(endpoints, model())
    start(
        endpoints,
        model(),
        platform=api.platform(settings={"payload-limit": "6291456", "payload-refusal": "validation-error"}),
    )
    first, second = fronts
    assert (first.model_timeout_s, first.connect_timeout_s) == (60, 0.25)
    assert (first.max_body_bytes, second.max_body_bytes) == (25 << 20, 6_291_456)
    assert (first.long_body_is_invalid, second.long_body_is_invalid) == (False, True)


def test_a_stop_gives_the_server_30_seconds_unless_told_otherwise():
    assert inspect.signature(api.serve).parameters["stop_grace_s"].default == 30


def test_a_gpu_that_is_there_is_given(home, heard, model):
    engine, served = MemoryEngine(gpus=1), model()
    here = Endpoints(engine, home, heard)
    with api.new_endpoint(here.request(served), engine=engine, gpus="1") as endpoint:
        endpoint.start()
    engine.close()
    assert served.box.spec.gpus.count == 1


def test_a_gpu_that_is_not_there_is_this_machine_s_fault(endpoints, model):
    with (
        pytest.raises(GpuNotFoundError),
        api.new_endpoint(endpoints.request(model()), engine=endpoints.engine, gpus="1") as endpoint,
    ):
        endpoint.start()


def test_the_model_folder_is_mounted_read_only(endpoints, model, tmp_path):
    served = model()
    start(endpoints, served, model=tmp_path)
    (mount,) = served.box.spec.mounts
    assert (mount.source, mount.target, mount.read_only) == (str(tmp_path), "/opt/ml/model", True)


def archive(path, **members):
    with tarfile.open(path, "w:gz") as packed:
        for name, content in members.items():
            info = tarfile.TarInfo(name.replace("UP", "../up"))
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return path


def test_a_model_archive_is_unpacked_before_the_start(endpoints, model, tmp_path):
    seen = []

    class Reads(model):
        def __call__(self, box):
            seen.append(box.path("/opt/ml/model/weights").read_bytes())
            return super().__call__(box)

    start(endpoints, Reads(), model=archive(tmp_path / "model.tar.gz", weights=b"w"))
    assert seen == [b"w"]


class Sees(Model):
    """Remembers the files that it finds."""

    def __init__(self):
        super().__init__()
        self.files = {}

    def __call__(self, box):
        for top in ("/opt/ml/model", "/opt/ml/additional-model-data-sources"):
            for mount in box.spec.mounts:
                if mount.target.startswith(top):
                    folder = Path(mount.source)
                    self.files |= {
                        f"{mount.target}/{path.relative_to(folder)}": path.read_bytes()
                        for path in folder.rglob("*")
                        if path.is_file()
                    }
        return super().__call__(box)


def test_an_archive_in_s3_is_fetched_and_unpacked(endpoints, bucket, tmp_path):
    packed = archive(tmp_path / "m.tar.gz", weights=b"w")
    bucket.put_bytes("models/m.tar.gz", packed.read_bytes())
    seen = Sees()
    start(endpoints, seen, model=bucket.uri("models/m.tar.gz"), platform=Platform(s3=bucket.place))
    assert seen.files == {"/opt/ml/model/weights": b"w"}


def test_a_bad_archive_in_s3_is_told_by_its_uri(endpoints, bucket):
    bucket.put_bytes("m.tar.gz", b"PK\x03\x04 and so on")
    with pytest.raises(ArchiveError, match="it is a zip file") as refused:
        start(endpoints, Sees(), model=bucket.uri("m.tar.gz"), platform=Platform(s3=bucket.place))
    assert refused.value.value == bucket.uri("m.tar.gz")


def test_a_prefix_of_the_embedded_s3_is_a_folder(endpoints):
    platform = api.platform(s3="embedded")
    folder = platform.s3.folder / "bucket" / "models" / "deep"
    folder.mkdir(parents=True)
    (folder / "weights").write_text("w")
    seen = Sees()
    start(endpoints, seen, model="s3://bucket/models/", platform=platform)
    assert seen.files == {"/opt/ml/model/deep/weights": b"w"}
    (mount,) = seen.box.spec.mounts
    assert mount.read_only


def test_additional_model_data_lies_in_folders_of_its_own(endpoints, bucket):
    bucket.put("draft/config.json", "weights.tar.gz")
    seen = Sees()
    request = endpoints.request(seen)
    container = {
        "Image": request.model.image,
        "ModelDataSource": {
            "S3DataSource": {
                "S3Uri": bucket.uri("weights.tar.gz"),
                "S3DataType": "S3Object",
                "CompressionType": "None",
            }
        },
        "AdditionalModelDataSources": [
            {
                "ChannelName": "draft_model",
                "S3DataSource": {
                    "S3Uri": bucket.uri("draft/"),
                    "S3DataType": "S3Prefix",
                    "CompressionType": "None",
                },
            }
        ],
    }
    documents = replace(
        request.documents,
        create_model={"ModelName": request.model.model_name, "PrimaryContainer": container},
    )
    platform = Platform(s3=bucket.place)
    with api.new_endpoint(from_aws(documents), engine=endpoints.engine, platform=platform) as endpoint:
        endpoint.start()
        endpoint.stop()
    assert seen.files == {
        "/opt/ml/model/weights.tar.gz": b"weights.tar.gz",
        "/opt/ml/additional-model-data-sources/draft_model/config.json": b"draft/config.json",
    }


def test_a_model_that_is_not_in_s3_starts_nothing(endpoints, bucket, home):
    started = []
    for uri in (bucket.uri("no.tar.gz"), bucket.uri("none/")):
        with pytest.raises(RequestError, match="the model is not there"):
            start(endpoints, lambda box: started.append(1), model=uri, platform=Platform(s3=bucket.place))
    assert started == []
    assert not home.exists()


def test_an_archive_that_hosting_would_refuse_starts_nothing(endpoints, tmp_path):
    started = []
    with pytest.raises(ArchiveError, match="would lie outside") as refused:
        start(endpoints, lambda box: started.append(1), model=archive(tmp_path / "m.tar.gz", UP=b"x"))
    assert started == []
    assert endpoints.heard.of(StatusChanged)[-1].message == refused.value.what
    assert not endpoints.folder().path.exists()


def test_a_model_that_is_not_there_leaves_no_run_folder(endpoints):
    with pytest.raises(RequestError, match="the model is not there"):
        start(endpoints, lambda box: 0, model="nowhere/model.tar.gz")
    assert Runs(endpoints.home).all() == []


def silent(box):
    box.next_signal()


def slow(box):
    box.listen(8080)
    box.next_signal()


def says_nonsense(box):
    listening = box.listen(8080)

    def talk():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")

    threading.Thread(target=talk, daemon=True).start()
    box.next_signal()


def listens(port, address="0.0.0.0"):
    def program(box):
        box.listen(port, address)
        box.next_signal()

    return program


@pytest.fixture
def listening(endpoints, monkeypatch):
    """Have the time that a container is given begin when it listens, however busy this machine is."""
    begin, engine = endpoints.engine.start, endpoints.engine

    def until_it_listens(container):
        begin(container)
        deadline = time.monotonic() + 180
        while not engine.listeners(container):
            assert time.monotonic() < deadline
            time.sleep(0.001)

    monkeypatch.setattr(engine, "start", until_it_listens)


def unhealthy_as(endpoints, program, expected):
    """Give the error of a container that is asked in its time, though this machine may be too busy at first."""
    for window in (0.3, 3, 30):
        error = unhealthy(endpoints, program, window=window)
        if error.value.startswith(expected):
            break
    return error


def unhealthy(endpoints, program, **more):
    with pytest.raises(EndpointFailedError) as failed:
        start(endpoints, program, **{"window": 0.3, **more})
    assert failed.value.what == PING_FAILED
    described = endpoints.described()
    assert (described["EndpointStatus"], described["FailureReason"]) == ("Failed", PING_FAILED)
    assert statuses(endpoints.heard)[-1] == "Failed"
    return failed.value


def test_diagnosis_the_container_exited(endpoints):
    def program(box):
        for number in range(30):
            box.print(f"line {number}")
        return 3

    error = unhealthy(endpoints, program, window=480)
    assert error.value == "the container exited with code 3 before it answered GET /ping with 200"
    assert error.evidence == tuple(f"line {number}" for number in range(10, 30))
    assert endpoints.described()["Emulator"]["ContainerExitCodes"] == {"AllTraffic": 3}


def test_diagnosis_out_of_memory(endpoints):
    error = unhealthy(endpoints, lambda box: box.run_out_of_memory(), window=480)
    assert "after the kernel killed it for memory" in error.value


def test_a_container_that_ended_is_not_looked_for_at_port_8080_of_this_machine(endpoints, monkeypatch):
    from sm_emulate.lifecycle.hosting import serving_container

    asked = []
    monkeypatch.setattr(serving_container, "wait_until_healthy", lambda upstream, **_: asked.append(upstream))
    wait, ended = endpoints.engine.wait, threading.Event()

    def late(container):
        exit_ = wait(container)
        ended.wait(180)
        return exit_

    def state(container):
        wait(container)
        found = type(endpoints.engine).state(endpoints.engine, container)
        ended.set()
        return found

    monkeypatch.setattr(endpoints.engine, "wait", late)
    monkeypatch.setattr(endpoints.engine, "state", state)
    error = unhealthy(endpoints, lambda box: 3, window=480)
    assert asked == []
    assert error.value.startswith("the container exited with code 3")


def test_a_200_from_whoever_got_the_address_of_a_container_that_ended_is_not_its_own(endpoints, monkeypatch):
    over = threading.Event()

    def somebody_else(*_, **__):
        over.set()
        (ours,) = endpoints.engine.leftovers({LABEL_SESSION: ""})
        endpoints.engine.wait(ours.id)
        return PingOutcome(status=200, seconds=0.001)

    def program(box):
        over.wait(180)
        return 7

    monkeypatch.setattr("sm_emulate.lifecycle.hosting.serving_container.wait_until_healthy", somebody_else)
    error = unhealthy(endpoints, program, window=480)
    assert error.value.startswith("the container exited with code 7")


def test_diagnosis_nothing_listens(endpoints):
    error = unhealthy(endpoints, silent)
    assert error.value == "nothing listened on port 8080 within 0.3 seconds"
    assert "--startup-timeout" in error.hint


@pytest.mark.usefixtures("listening")
def test_diagnosis_another_port(endpoints):
    error = unhealthy(endpoints, listens(9000))
    assert error.value == "the container listens on 0.0.0.0:9000, not on port 8080"
    assert "0.0.0.0:8080" in error.hint


@pytest.mark.usefixtures("listening")
def test_diagnosis_loopback_only(endpoints):
    error = unhealthy(endpoints, listens(8080, "127.0.0.1"))
    assert error.value == "the server listens on 127.0.0.1, which is not reachable from outside the container"
    assert error.hint == "bind to 0.0.0.0:8080"


def test_a_container_that_is_not_healthy_in_time_gets_sigterm(endpoints, model):
    served = model(ping=404)
    unhealthy(endpoints, served)
    assert served.signals == ["SIGTERM"]


def test_a_proxy_that_listens_before_its_backend_is_not_healthy_until_the_backend_is(endpoints, model):
    served = model(ping=502)
    endpoints.heard.react(Pinged, lambda: setattr(served, "ping", 200))
    start(endpoints, served)
    assert [event.status for event in endpoints.heard.of(Pinged)] == [502, 200]
    assert statuses(endpoints.heard)[:2] == ["Creating", "InService"]


def test_diagnosis_a_wrong_status(endpoints, model):
    expected = "GET /ping was answered with status 404"
    assert unhealthy_as(endpoints, model(ping=404), expected).value == expected


@pytest.mark.usefixtures("listening")
def test_diagnosis_too_slow(endpoints, monkeypatch):
    monkeypatch.setattr("sm_emulate.lifecycle.hosting.health.PING_TIMEOUT_S", 2.0)
    error = unhealthy(endpoints, slow)
    assert error.value == "GET /ping was not answered within 2 seconds"


def test_diagnosis_no_http(endpoints):
    expected = "port 8080 answers, but not with HTTP"
    assert unhealthy_as(endpoints, says_nonsense, expected).value.startswith(expected)


def test_an_engine_that_cannot_tell_what_listens_takes_nothing_from_the_error(endpoints):
    endpoints.engine.fail_next("listeners", EngineError("cannot tell"))
    assert unhealthy(endpoints, listens(9000)).value == "nothing listened on port 8080 within 0.3 seconds"


def test_a_proxy_that_answers_for_nobody_is_not_taken_for_a_server():
    reset = PingOutcome(status=None, seconds=0.1, failure="reset", detail="closed")
    inside = [Listener(address="127.0.0.1", port=8080)]
    assert diagnose(ended=None, last=reset, listeners=inside, window_s=1).cause == "loopback-only"
    assert diagnose(ended=None, last=reset, listeners=None, window_s=1).cause == "no-http"


def test_an_exit_is_the_cause_whatever_the_last_ping_met():
    timeout = PingOutcome(status=None, seconds=2, failure="timeout")
    ended = Exit(code=0, oom_killed=False)
    assert diagnose(ended=ended, last=timeout, listeners=(), window_s=1).cause == "exited"


def test_an_image_without_serve_is_told_what_it_needs(endpoints):
    endpoints.engine.add_image("bare", silent, executables=frozenset({"python"}))
    with pytest.raises(EndpointFailedError) as failed:
        _start_bare(endpoints)
    assert failed.value.value == "the program could not be started"
    assert "executable `serve` on PATH" in failed.value.expected
    assert '"serve": executable file not found' in failed.value.evidence[0]


def _start_bare(endpoints):
    request = api.endpoint_request("bare", endpoint_name="demo")
    with api.new_endpoint(request, engine=endpoints.engine) as endpoint:
        endpoint.start()


def test_a_port_that_is_taken_is_this_machine_s_fault_and_starts_nothing(endpoints, model):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(MachineError, match="is taken"):
        start(endpoints, model(), port=taken.getsockname()[1])
    assert endpoints.heard.of(ContainerStarted) == []
    assert not endpoints.folder().path.exists()


def test_a_port_that_is_taken_while_the_container_starts_stops_the_container(endpoints, model):
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    taken = []
    endpoints.heard.react(ContainerStarted, lambda: taken.append(socket.create_server(("127.0.0.1", port))))
    with pytest.raises(MachineError, match="is taken"):
        start(endpoints, model(), port=port)
    taken[0].close()
    assert endpoints.heard.of(ContainerExited)[0].code == 0
    assert endpoints.described()["EndpointStatus"] == "Failed"


def test_an_isolated_endpoint_has_a_network_of_its_own_and_answers(endpoints, model):
    served = model()
    with endpoints.new(served, enable_network_isolation=True) as endpoint:
        endpoint.start()
        assert [each.kind for each in endpoints.engine.leftovers({}) if each.kind == "network"] == ["network"]
        assert served.box.spec.network == endpoints.engine.leftovers({})[-1].name
        assert api.invoke("demo", b"ab").body == b"ba"


@pytest.mark.parametrize("call", ["create", "logs", "start", "create_network"])
def test_an_engine_that_breaks_at_the_start_leaves_a_clear_error_and_a_failed_endpoint(
    endpoints, model, call
):
    endpoints.engine.fail_next(call, EngineError(f"the engine broke in {call}"))
    with pytest.raises(EngineError, match=f"broke in {call}"):
        start(endpoints, model(), enable_network_isolation=True)
    assert statuses(endpoints.heard)[-1] == "Failed"
    assert endpoints.heard.of(StatusChanged)[-1].message == f"the engine broke in {call}"
    assert not endpoints.folder().path.exists()


def test_an_engine_that_cannot_say_where_the_container_is_is_the_cause_and_not_the_image(endpoints, model):
    endpoints.engine.fail_next("state", EngineError("the engine broke in state"))
    with pytest.raises(EngineError, match="broke in state"):
        start(endpoints, model())


def test_a_server_that_began_to_listen_too_late_is_told_so():
    refused = PingOutcome(status=None, seconds=0.1, failure="refused")
    now_there = [Listener(address="0.0.0.0", port=8080)]
    found = diagnose(ended=None, last=refused, listeners=now_there, window_s=60)
    assert (found.cause, found.seen) == (
        "too-slow",
        "the server listens on port 8080, but not within 60 seconds",
    )


def test_an_engine_that_cannot_wait_is_the_cause_and_not_the_image(endpoints):
    endpoints.engine.fail_next("wait", EngineError("the engine broke in wait"))
    with pytest.raises(EngineError, match="broke in wait"):
        start(endpoints, lambda box: 0)


def test_a_stop_before_it_is_healthy_ends_it_without_a_fault(endpoints):
    with endpoints.new(silent) as endpoint:
        endpoints.heard.react(ContainerStarted, endpoint.stop)
        assert endpoint.start() == ""
        result = endpoint.serve()
    assert result.status.value == "OutOfService"
    assert statuses(endpoints.heard) == ["Creating", "Deleting", "OutOfService"]
    assert result.succeeded


def test_a_stop_before_the_container_is_made_makes_none(endpoints, model):
    with endpoints.new(model()) as endpoint:
        endpoint.stop()
        assert endpoint.start() == ""
        assert endpoint.serve().status.value == "OutOfService"
    assert endpoints.heard.of(ContainerStarted) == []


def test_an_endpoint_that_is_never_started_leaves_no_run_folder(endpoints, model):
    with endpoints.new(model()):
        assert endpoints.folder().owner_pid() is not None
    assert not endpoints.folder().path.exists()
