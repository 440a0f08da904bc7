"""Instances of several containers on the in-memory engine: ports, names, health, logs and ends."""

from __future__ import annotations

import json
import time

import click
import pytest
from product import WAIT_SECONDS
from scenes import Model

from sm_emulate import api
from sm_emulate.cli.options import complete_container
from sm_emulate.engine.protocol import Image
from sm_emulate.errors import EndpointFailedError, RequestError
from sm_emulate.events import ContainerExited, LogLines
from sm_emulate.lifecycle.hosting.update import Update, ask_for
from sm_emulate.request.endpoint import from_flags
from sm_emulate.request.variant_flag import VariantFlags
from sm_emulate.spec.containers import LABEL

FAILED = "The {} for production variant AllTraffic did not pass the ping health check. Please check CloudWatch logs for this endpoint."
NAMES = ("container-1", "container-2", "container-3")


class Bound(Model):
    """Listens where it is told to."""

    def __call__(self, box):
        if self.port == 8080:
            self.port = int(box.environment["SAGEMAKER_BIND_TO_PORT"])
        return super().__call__(box)


class Remembered:
    """A program that is another one in each of its containers."""

    def __init__(self):
        self.made = []

    def __call__(self, box):
        self.made.append(Bound())
        return self.made[-1](box)


def labelled(**labels):
    return Image(
        id="", os="linux", architecture="amd64", entrypoint=(), command=(), environment={}, user="",
        working_dir="", labels=labels, size_bytes=0,
    )  # fmt: skip


class Scene:
    """Serves models of several containers, whose programs are Python functions."""

    def __init__(self, endpoints):
        self.endpoints, self.engine, self.heard = endpoints, endpoints.engine, endpoints.heard

    def request(self, *programs, names=None, direct=False, isolated=False, labels=None, count=1):
        listed = []
        for number, program in enumerate(programs):
            image = f"part:{number}"
            self.engine.add_image(
                image, program, image=labelled(**({LABEL: "true"} if labels is None else labels))
            )
            named = {} if names is None else {"ContainerHostname": names[number]}
            listed.append({"Image": image, "Environment": {"NUMBER": str(number)}, **named})
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": "demo",
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": count,
            "ContainerStartupHealthCheckTimeoutInSeconds": 60,
        }
        model = {"ModelName": "demo", "Containers": listed, "EnableNetworkIsolation": isolated}
        if direct:
            model["InferenceExecutionConfig"] = {"Mode": "Direct"}
        return api.endpoint_request_from_aws(
            {
                "CreateModel": model,
                "CreateEndpointConfig": {"EndpointConfigName": "demo", "ProductionVariants": [variant]},
                "CreateEndpoint": {"EndpointName": "demo", "EndpointConfigName": "demo"},
            }
        )

    def new(self, *programs, settings=None, window=None, **more):
        request = self.request(*programs, **more)
        if window is not None:
            request = request.with_first(container_startup_health_check_timeout_in_seconds=window)
        return api.new_endpoint(
            request,
            engine=self.engine,
            platform=api.platform(settings=settings),
            stop_grace_s=WAIT_SECONDS,
            listeners=(self.heard,),
        )


@pytest.fixture
def scene(endpoints):
    return Scene(endpoints)


def test_containers_of_an_instance_are_asked_one_after_the_other(scene):
    first, second = Bound(), Bound()
    with scene.new(first, second) as endpoint:
        endpoint.start()
        answer = api.invoke("demo", b"abc", content_type="text/csv")
        assert (answer.status, answer.body) == (200, b"abc"), "each of them turns it round"
    posts = [[path for method, path, _ in each.requests if method == "POST"] for each in (first, second)]
    assert posts == [["/invocations"], ["/invocations"]]
    assert [each.signals for each in (first, second)] == [["SIGTERM"], ["SIGTERM"]]


def test_each_container_is_told_a_port_and_a_range_of_its_own(scene):
    programs = [Bound(), Bound(), Bound()]
    with scene.new(*programs) as endpoint:
        endpoint.start()
    told = [each.box.environment for each in programs]
    assert [each["SAGEMAKER_BIND_TO_PORT"] for each in told] == ["14001", "14002", "14003"]
    assert [each["SAGEMAKER_SAFE_PORT_RANGE"] for each in told] == ["9000-9332", "9333-9665", "9666-9998"]
    assert [each["NUMBER"] for each in told] == ["0", "1", "2"]


def test_settings_choose_the_ports(scene):
    programs = [Bound(), Bound()]
    with scene.new(*programs, settings={"bind-to-port": "8080", "safe-ports": "23000-23999"}) as endpoint:
        endpoint.start()
    told = [each.box.environment for each in programs]
    assert [each["SAGEMAKER_BIND_TO_PORT"] for each in told] == ["8080", "8081"]
    assert [each["SAGEMAKER_SAFE_PORT_RANGE"] for each in told] == ["23000-23499", "23500-23999"]


@pytest.mark.parametrize(
    "settings", [{"bind-to-port": "8999"}, {"safe-ports": "9000-9001"}, {"bind-to-port": "65534"}]
)
def test_settings_that_leave_no_ports_are_refused_before_anything_starts(scene, settings):
    programs = [Bound(), Bound(), Bound()]
    with (
        pytest.raises(RequestError, match="bind-to-port and safe-ports"),
        scene.new(*programs, settings=settings),
    ):
        pass
    assert [each.box for each in programs] == [None, None, None]


def test_they_share_a_network_and_know_each_other_by_name(scene):
    found = {}

    class Looks(Bound):
        def __call__(self, box):
            found[box.environment["NUMBER"]] = (box.address, box.spec.network)
            return super().__call__(box)

    with scene.new(Looks(), Looks(), names=("front", "back")) as endpoint:
        endpoint.start()
        assert found["0"][0] == found["1"][0]
        assert found["0"][1] is None
        assert found["1"][1].startswith("container:")


def test_a_setting_gives_each_a_network_of_its_own(scene):
    programs = [Bound(), Bound()]
    with scene.new(*programs, names=("front", "back"), settings={"pipeline-network": "separate"}) as endpoint:
        endpoint.start()
        assert api.invoke("demo", b"abc").body == b"abc"
        first, second = (each.box for each in programs)
        assert first.address != second.address
        assert (first.spec.hostname, second.spec.hostname) == ("front", "back")


@pytest.mark.parametrize("names", [None, ("front", "back")])
def test_each_has_a_log_of_its_own(scene, names):
    with scene.new(Bound(), Bound(), names=names) as endpoint:
        endpoint.start()
    called = names or NAMES[:2]
    assert {event.host for event in scene.heard.of(LogLines)} == {f"AllTraffic/{name}" for name in called}
    logs = scene.endpoints.folder().path / "logs" / "AllTraffic"
    assert sorted(each.name for each in logs.iterdir()) == sorted(f"{name}.log" for name in called)


def test_several_instances_put_theirs_between(scene):
    with scene.new(Bound, Bound, count=2) as endpoint:
        pass
    assert [each.host for one in endpoint._served.fleet.instances for each in one.containers] == [
        f"AllTraffic/instance-{instance}/container-{container}" for instance in (1, 2) for container in (1, 2)
    ]


def test_the_containers_are_described(scene):
    with scene.new(Bound(), Bound(), names=("front", "back")) as endpoint:
        endpoint.start()
        described = endpoint.result().describe()
    assert described["Emulator"]["Containers"] == {
        "AllTraffic": [
            {"ContainerHostname": "front", "Image": "part:0", "BindToPort": 14001},
            {"ContainerHostname": "back", "Image": "part:1", "BindToPort": 14002},
        ]
    }
    images = described["ProductionVariants"][0]["DeployedImages"]
    assert [each["SpecifiedImage"] for each in images] == ["part:0", "part:1"]


def leaves(box):
    box.print("no model")
    return 3


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_container_that_ends_at_its_start_is_named_and_nobody_waits_for_the_others(scene, number):
    programs = [leaves if each == number else Bound() for each in range(3)]
    with scene.new(*programs, window=3600) as endpoint:
        with pytest.raises(EndpointFailedError) as failed:
            endpoint.start()
        assert endpoint.result().failure_reason == FAILED.format(NAMES[number])
    assert failed.value.what == FAILED.format(NAMES[number])
    assert failed.value.value.startswith("the container exited with code 3")
    assert "no model" in failed.value.evidence


def test_one_whose_end_is_heard_after_the_others_could_not_join_it_is_named_all_the_same(scene, monkeypatch):
    wait = scene.engine.wait

    def late(container):
        ended = wait(container)
        time.sleep(0.5)
        return ended

    monkeypatch.setattr(scene.engine, "wait", late)
    with (
        scene.new(leaves, Bound(), window=3600) as endpoint,
        pytest.raises(EndpointFailedError) as failed,
    ):
        endpoint.start()
    assert failed.value.what == FAILED.format("container-1")
    assert failed.value.value.startswith("the container exited with code 3")


def not_healthy(scene, programs, expected):
    """Give how a start fails, with more time where this machine is too busy for the others to come up."""
    for window in (4, 40):
        with (
            scene.new(*programs(), window=window) as endpoint,
            pytest.raises(EndpointFailedError) as failed,
        ):
            endpoint.start()
        if failed.value.what == expected and "nothing listened" not in failed.value.value:
            break
    return failed


def test_one_that_heeds_8080_alone_is_named_with_the_port_that_it_should_have(scene):
    class Stubborn(Model):
        """Listens at a port that it was not told."""

    failed = not_healthy(scene, lambda: (Bound(), Stubborn()), FAILED.format("container-2"))
    assert failed.value.what == FAILED.format("container-2")
    assert failed.value.value == "the container listens on 0.0.0.0:8080, not on port 14002"
    assert failed.value.hint == "listen on 0.0.0.0:14002, or on SAGEMAKER_BIND_TO_PORT where it is set"


def test_all_that_fail_are_named(scene):
    made = FAILED.format("container-1, container-3")
    failed = not_healthy(scene, lambda: (Bound(ping=503), Bound(), Bound(ping=404)), made)
    assert failed.value.what == FAILED.format("container-1, container-3")
    assert failed.value.value == (
        "container-1: GET /ping was answered with status 503; container-3: GET /ping was answered with status 404"
    )


@pytest.mark.parametrize("number", [0, 1])
def test_the_end_of_one_in_service_takes_the_instance_down(scene, number):
    programs = [Bound(exits=5), Bound(exits=5)]
    with scene.new(*programs) as endpoint:
        endpoint.start()
        programs[number].crash.set()
        result = endpoint.serve()
    assert result.failure_reason == FAILED.format(NAMES[number])
    assert programs[1 - number].signals == ["SIGTERM"], "the other is stopped"
    assert set(result.container_exit_codes) == {f"AllTraffic/{name}" for name in NAMES[:2]}
    assert len(scene.heard.of(ContainerExited)) == 2


def test_an_instance_of_several_that_loses_one_is_replaced_whole(scene):
    programs = [Remembered(), Remembered()]
    with scene.new(*programs, count=2) as endpoint, endpoint:
        programs[1].made[0].crash.set()
        wait_until(lambda: len(programs[0].made) == 3 and endpoint.result().instances["AllTraffic"] == 2)
        assert api.invoke("demo", b"abc").body == b"abc"
    stopped = [each.signals for each in programs[0].made]
    assert stopped == [["SIGTERM"]] * 3, "the one whose neighbour was lost is stopped, too"


def test_an_image_without_the_label_is_refused_in_create_models_words(scene):
    with pytest.raises(RequestError) as refused, scene.new(Bound(), Bound(), labels={}):
        pass
    assert refused.value.what == (
        "Your Ecr Image part:0 does not contain required "
        "com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true Docker label(s)"
    )


def test_a_single_container_of_containers_is_an_ordinary_one(scene):
    program = Model()
    with scene.new(program, labels={}) as endpoint:
        endpoint.start()
        assert api.invoke("demo", b"abc").body == b"cba"
    assert "SAGEMAKER_BIND_TO_PORT" not in program.box.environment
    assert {event.host for event in scene.heard.of(LogLines)} == {"AllTraffic"}


def test_direct_containers_are_asked_by_name(scene):
    first, second = Bound(), Bound()
    target = "X-Amzn-SageMaker-Target-Container-Hostname"
    with scene.new(first, second, names=("front", "back"), direct=True) as endpoint:
        endpoint.start()
        assert api.invoke("demo", b"abc", headers={target: "back"}).body == b"cba"
        assert api.invoke("demo", b"abc").error.code == "ValidationError"
    assert [sum(method == "POST" for method, *_ in each.requests) for each in (first, second)] == [0, 1]


def test_an_update_may_make_a_pipeline_of_an_endpoint(scene):
    old = Model()
    scene.engine.add_image("old:1", old)
    request = api.endpoint_request("old:1", endpoint_name="demo")
    with api.serve(request, engine=scene.engine, listeners=(scene.heard,)) as endpoint:
        assert api.invoke("demo", b"abc").body == b"cba"
        wanted = Update(request=scene.request(Bound(), Bound()).as_aws())
        ask_for(endpoint.run_folder, wanted)
        wait_for_update(endpoint, wanted)
        assert endpoint.result().last_update["Status"] == "Succeeded"
        assert api.invoke("demo", b"abc").body == b"abc"


def test_an_update_to_an_image_without_the_label_is_rolled_back(scene):
    with api.serve(
        scene.request(Bound(), Bound()), engine=scene.engine, listeners=(scene.heard,)
    ) as endpoint:
        document = json.loads(json.dumps(endpoint.request.as_aws()))
        scene.engine.add_image("bare:1", Bound())
        document["CreateModel"]["Containers"][1]["Image"] = "bare:1"
        wanted = Update(request=document)
        ask_for(endpoint.run_folder, wanted)
        wait_for_update(endpoint, wanted)
        last = endpoint.result().last_update
        assert (last["Status"], "accept-bind-to-port=true" in last["FailureReason"]) == ("RolledBack", True)
        assert api.invoke("demo", b"abc").body == b"abc"


@pytest.mark.parametrize(
    ("container", "words"),
    [(None, "the first variant has several"), ("c", "the first variant has no container of this name")],
)
def test_a_new_image_alone_does_not_say_whose_it_is(scene, container, words):
    with api.serve(scene.request(Bound(), Bound()), engine=scene.engine) as endpoint:
        wanted = Update(image="part:0", container=container)
        ask_for(endpoint.run_folder, wanted)
        wait_for_update(endpoint, wanted)
        assert endpoint.result().last_update["FailureReason"].startswith(words)


def test_an_update_after_one_that_was_rolled_back_is_done(scene):
    with api.serve(scene.request(Bound(), Bound()), engine=scene.engine) as endpoint:
        for image, status in (("not-there:1", "RolledBack"), ("part:0", "Succeeded")):
            wanted = Update(image=image, container="container-1")
            ask_for(endpoint.run_folder, wanted)
            wait_for_update(endpoint, wanted)
            last = endpoint.result().last_update
            assert (last["Status"], last.get("ExitCode")) == (
                status,
                3 if status == "RolledBack" else None,
            ), last
        assert api.invoke("demo", b"abc").body == b"abc"


def test_an_update_may_make_one_container_of_several_variants(scene):
    scene.engine.add_image("one:1", Model())
    more = (VariantFlags(name="b", image="one:1"),)
    several = from_flags(image="one:1", endpoint_name="demo", more_variants=more)
    with api.serve(several, engine=scene.engine) as endpoint:
        wanted = Update(request=api.endpoint_request("one:1", endpoint_name="demo").as_aws())
        ask_for(endpoint.run_folder, wanted)
        wait_for_update(endpoint, wanted)
        assert endpoint.result().last_update["Status"] == "Succeeded", endpoint.result().last_update
        assert api.invoke("demo", b"abc").body == b"cba"


def test_a_new_image_of_one_container_leaves_the_others_as_they_are(scene):
    with api.serve(scene.request(Bound(), Bound()), engine=scene.engine) as endpoint:
        scene.engine.add_image("next:1", Bound(), image=labelled(**{LABEL: "true"}))
        wanted = Update(image="next:1", container="container-2")
        ask_for(endpoint.run_folder, wanted)
        wait_for_update(endpoint, wanted)
        assert endpoint.request.model.images == ("part:0", "next:1")
        assert [each.environment["NUMBER"] for each in endpoint.request.model.containers] == ["0", "1"]


def wait_for_update(endpoint, wanted):
    """Wait until an update is over and the endpoint says InService again."""
    wait_until(
        lambda: (
            endpoint.result().last_update.get("Id") == wanted.id and endpoint.result().status == "InService"
        )
    )


def wait_until(happened):
    deadline = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_shell_is_offered_the_containers_of_running_endpoints(scene):
    invoking = click.Context(click.Command("invoke"))
    direct = scene.request(Bound(), Bound(), names=("front", "back"), direct=True)
    with api.serve(direct, engine=scene.engine):
        assert complete_container(invoking, None, "") == ["front", "back"]
        assert complete_container(invoking, None, "b") == ["back"]
        invoking.params["endpoint"] = "other"
        assert complete_container(invoking, None, "") == []
        invoking.params["endpoint"] = "demo"
        assert complete_container(invoking, None, "") == ["front", "back"]
    assert complete_container(invoking, None, "") == []
