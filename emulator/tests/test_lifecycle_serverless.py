"""Serverless endpoints on the in-memory engine: how environments come and go, and what is refused."""

from __future__ import annotations

import threading

import pytest

from sm_emulate import api
from sm_emulate.engine.protocol import Image
from sm_emulate.errors import EndpointFailedError, RequestError
from sm_emulate.events import ContainerExited, ContainerStarted
from sm_emulate.lifecycle.hosting.update import Update, ask_for

WAIT_SECONDS = 180
SERVERLESS = {"serverless_memory": 2048, "serverless_concurrency": 2}


@pytest.fixture
def serve(endpoints, model):
    """Give a function that serves; the programs of the environments are in `made`, in the order of their start."""

    class Served:
        def __init__(self):
            self.made, self.specs = [], []

        def program(self, box):
            self.specs.append(box.spec)
            self.made.append(model())
            return self.made[-1](box)

        def __call__(self, settings=None, **more):
            return endpoints.new(
                self.program, platform=api.platform(settings=settings), **(SERVERLESS | more)
            )

    return Served()


def until(happened):
    for _ in range(WAIT_SECONDS * 50):
        if happened():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it never came")


def hosts(heard, kind):
    return [event.host for event in heard.of(kind)]


def test_the_first_request_starts_an_environment_and_the_second_finds_it(serve, heard):
    with serve() as endpoint, endpoint:
        until(lambda: hosts(heard, ContainerExited))
        assert endpoint.result().describe()["Emulator"]["Environments"] == 0
        assert api.invoke("demo", b"abc").body == b"cba"
        assert api.invoke("demo", b"abc").body == b"cba"
        described = endpoint.result().describe()
        assert described["Emulator"]["Environments"] == 1
        assert described["Emulator"]["Metrics"]["AllTraffic"]["ModelSetupTime"]["SampleCount"] == 1
        variant = described["ProductionVariants"][0]
        assert variant["CurrentServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 2}
        assert "CurrentInstanceCount" not in variant
    assert hosts(heard, ContainerStarted) == ["AllTraffic/environment-1", "AllTraffic/environment-2"]
    assert {made.signals[0] for made in serve.made} == {"SIGTERM"}


def test_provisioned_environments_are_there_from_the_start_and_serve(serve, heard):
    with serve(provisioned_concurrency=2) as endpoint, endpoint:
        assert endpoint.result().describe()["Emulator"]["Environments"] == 2
        assert api.invoke("demo", b"abc").body == b"cba"
        config = endpoint.result().describe()["ProductionVariants"][0]["CurrentServerlessConfig"]
        assert config == {"MemorySizeInMB": 2048, "MaxConcurrency": 2, "ProvisionedConcurrency": 2}
    assert len(hosts(heard, ContainerStarted)) == 2


def test_an_idle_environment_ends_and_the_next_request_starts_another(serve, heard):
    settings = {"serverless-first": "warm", "serverless-idle": "1"}
    with serve(settings) as endpoint, endpoint:
        until(lambda: hosts(heard, ContainerExited) == ["AllTraffic/environment-1"])
        assert api.invoke("demo", b"abc").body == b"cba"
    assert "AllTraffic/environment-2" in hosts(heard, ContainerStarted)


def test_an_environment_that_crashes_is_no_end_of_the_endpoint(serve):
    with serve({"serverless-first": "warm"}) as endpoint, endpoint:
        assert api.invoke("demo", b"abc").body == b"cba"
        serve.made[0].crash.set()
        until(lambda: endpoint.result().describe()["Emulator"]["Environments"] == 0)
        assert api.invoke("demo", b"abc").body == b"cba"
        assert endpoint.result().status.value == "InService"
    assert len(serve.made) == 2


def test_an_update_serves_with_the_new_image(serve, endpoints, model):
    with serve({"serverless-first": "warm"}) as endpoint, endpoint:
        assert api.invoke("demo", b"abc").body == b"cba"
        endpoints.engine.add_image("img:2", model())
        ask_for(endpoint.run_folder, Update(image="img:2"))
        until(lambda: endpoint.result().last_update.get("Status"))
        assert endpoint.result().last_update["Status"] == "Succeeded"
        assert api.invoke("demo", b"abc").body == b"cba"
        assert endpoint.result().describe()["Emulator"]["Environments"] == 1
        assert endpoint.request.serverless.max_concurrency == 2
    assert serve.made[0].signals == ["SIGTERM"]


def test_what_a_container_is_given(serve, engine):
    with serve({"serverless-cpus": "by-memory"}) as endpoint, endpoint:
        pass
    spec = serve.specs[0]
    assert (spec.memory_bytes, spec.user, spec.read_only_root) == (2048 << 20, "993:990", True)
    assert (spec.volumes, dict(spec.tmpfs), spec.ipc, spec.shm_bytes) == (("/tmp",), {}, "none", None)
    assert spec.cpus == (1.16 if engine.info().cpus > 1 else None)


def test_each_part_of_it_is_a_setting(serve):
    settings = {
        "serverless-user": "image", "serverless-root": "writable", "serverless-shm": "present",
        "serverless-tmp": "memory", "serverless-cpus": "all",
    }  # fmt: skip
    with serve(settings) as endpoint, endpoint:
        pass
    spec = serve.specs[0]
    assert (spec.user, spec.read_only_root, spec.ipc, spec.cpus) == (None, False, None, None)
    assert spec.shm_bytes == 64 << 20
    assert (spec.volumes, dict(spec.tmpfs)) == ((), {"/tmp": f"size={5 << 30},mode=1777,exec"})
    assert {"--tmpfs", f"/tmp:size={5 << 30},mode=1777,exec"} <= set(spec.docker_run())


def test_an_image_that_does_not_come_up_fails_in_the_words_of_serverless(endpoints, model):
    with (
        endpoints.new(lambda _: 3, **SERVERLESS) as endpoint,
        pytest.raises(EndpointFailedError, match="as the model process exited") as failed,
    ):
        endpoint.start()
    assert "exited with code 3" in failed.value.value
    with (
        endpoints.new(model(ping=500), window=1, endpoint_name="other", **SERVERLESS) as endpoint,
        pytest.raises(EndpointFailedError, match="within the allotted 180 second timeout"),
    ):
        endpoint.start()


def test_gpus_and_large_images_are_refused(endpoints, engine, model):
    request = endpoints.request(model(), **SERVERLESS)
    with (
        pytest.raises(RequestError, match="serverless endpoints have no GPUs"),
        api.new_endpoint(request, engine=engine, gpus="all"),
    ):
        raise AssertionError("never made")
    large = Image(
        id="sha256:1", os="linux", architecture="amd64", entrypoint=(), command=(), environment={}, user="",
        working_dir="", labels={}, size_bytes=10_000_000_001,
    )  # fmt: skip
    engine.add_image("large:1", model(), image=large)
    with (
        pytest.raises(RequestError, match="larger than serverless endpoints take"),
        api.new_endpoint(api.endpoint_request("large:1", **SERVERLESS), engine=engine),
    ):
        raise AssertionError("never made")
