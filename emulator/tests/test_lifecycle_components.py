"""Inference components on the in-memory engine: where copies find room, and how they come and go."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from sm_emulate import api
from sm_emulate.errors import RequestError
from sm_emulate.lifecycle.hosting.component_placement import Placement, Room
from sm_emulate.lifecycle.hosting.update import Update, ask_for
from sm_emulate.request.component_flags import component_flags, documents_of_flags, endpoint_of_flags
from sm_emulate.spec.inference_component import NO_ROOM

WAIT_SECONDS = 180
HEADER = "X-Amzn-SageMaker-Inference-Component"


def request_of(*texts, **more):
    return endpoint_of_flags(
        [component_flags(text) for text in texts],
        **{"endpoint_name": "demo", "instance_type": "ml.m5.large", **more},
    )


def component(text):
    return request_of(f"c=img:1,{text}").components[0]


# --- room ---------------------------------------------------------------------------------------------


def test_copies_are_spread_over_instances_until_one_of_the_resources_is_gone():
    placement = Placement(2, Room(cpus=2, memory_mb=1000, accelerators=1))
    small = component("memory=400")
    assert [placement.place(small).instance for _ in range(4)] == [0, 1, 0, 1]
    assert placement.place(small) is None
    placement = Placement(1, Room(cpus=2, memory_mb=1000, accelerators=0))
    assert placement.place(component("cpus=1.5")) is not None
    assert placement.place(component("cpus=0.75")) is None
    assert placement.place(component("cpus=0.5")) is not None
    assert placement.place(component("gpus=1")) is None


def test_binpack_fills_one_instance_first_and_a_seat_that_is_left_is_free():
    placement = Placement(2, Room(cpus=2, memory_mb=1000, accelerators=2))
    packed = replace(component("memory=400,gpus=1"), strategy="BINPACK")
    seats = [placement.place(packed) for _ in range(3)]
    assert [(seat.instance, seat.accelerators) for seat in seats] == [(0, (0,)), (0, (1,)), (1, (0,))]
    placement.leave(seats[0])
    assert placement.place(packed).accelerators in {(0,), (1,)}


# --- requests -----------------------------------------------------------------------------------------


def test_flags_say_what_a_component_reserves():
    made = request_of("a=img:1,copies=2,memory=1024,max-memory=2048,cpus=0.5,gpus=1", "b=img:2")
    first, second = made.components
    assert (first.copies, first.min_memory_mb, first.max_memory_mb) == (2, 1024, 2048)
    assert (first.cpus, first.accelerators, first.model.image) == (0.5, 1, "img:1")
    assert (second.copies, second.min_memory_mb, second.cpus) == (1, 128, None)
    assert not made.alone
    assert "ModelName" not in made.documents.create_endpoint_config["ProductionVariants"][0]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a", "this is no inference component"),
        ("a=img,colour=red", "this is no inference component"),
        ("a=img,copies=many", "are numbers"),
        ("a=img,copies=0", "copy count an integer larger than 0"),
        ("a=img,copies=17", "more copies than one machine starts"),
        ("a=img,memory=64", "MinMemoryRequiredInMb is too small"),
        ("a=img,memory=512,max-memory=256", "MaxMemoryRequiredInMb is smaller"),
        ("a=img,cpus=0.1", "NumberOfCpuCoresRequired is too small"),
    ],
)
def test_a_component_that_cannot_be_is_refused(text, what):
    with pytest.raises(RequestError) as raised:
        request_of(text)
    assert what in raised.value.what


def document(change=lambda component: None, **config):
    """A request file with one component, whose container is its own."""
    made = {
        "InferenceComponentName": "c",
        "EndpointName": "demo",
        "VariantName": "v",
        "Specification": {
            "Container": {"Image": "img:1", "Environment": {"A": "b"}},
            "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 256},
            "StartupParameters": {"ContainerStartupHealthCheckTimeoutInSeconds": 90},
        },
        "RuntimeConfig": {"CopyCount": 1},
    }
    change(made)
    variant = {"VariantName": "v", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    return {
        "CreateEndpointConfig": {
            "EndpointConfigName": "demo",
            "ExecutionRoleArn": "arn:aws:iam::123456789012:role/any",
            "ProductionVariants": [variant],
        }
        | config,
        "CreateEndpoint": {"EndpointName": "demo", "EndpointConfigName": "demo"},
        "CreateInferenceComponent": made,
    }


def test_a_request_file_has_components_with_containers_or_models():
    made = api.endpoint_request_from_aws(document())
    (only,) = made.components
    assert (only.model.primary.environment, only.startup_timeout_s) == ({"A": "b"}, 90)
    again = api.endpoint_request_from_aws(json.loads(json.dumps(made.as_aws())))
    assert again.components == made.components
    assert api.endpoint_request_from_aws(document() | {"CreateInferenceComponent": []}).components == ()

    def named(component):
        del component["Specification"]["Container"]
        component["Specification"]["ModelName"] = "m"

    model = {"ModelName": "m", "PrimaryContainer": {"Image": "img:2"}}
    by_name = api.endpoint_request_from_aws(document(named) | {"CreateModel": model})
    assert by_name.components[0].model.image == "img:2"
    many = {"Image": "img:2", "Mode": "MultiModel", "ModelDataUrl": "s3://bucket/models/"}
    with pytest.raises(RequestError, match="multi-model container in an inference component is not emulated"):
        api.endpoint_request_from_aws(
            document(named) | {"CreateModel": {"ModelName": "m", "PrimaryContainer": many}}
        )
    with pytest.raises(RequestError, match="does not name a model that was given"):
        api.endpoint_request_from_aws(document(named))


@pytest.mark.parametrize(
    ("change", "config", "what"),
    [
        (lambda c: c.update(VariantName="w"), {}, "names no variant"),
        (lambda c: c.update(EndpointName="other"), {}, "for another endpoint"),
        (lambda c: c["Specification"].pop("Container"), {}, "has no model"),
        (lambda c: c["Specification"].update(ModelName="m"), {}, "both ModelName and Container"),
        (lambda c: c["Specification"]["Container"].update(ArtifactUrl="s3://b/model"), {}, "no archive"),
        (
            lambda c: c["Specification"].update(BaseInferenceComponentName="base"),
            {},
            "adapter inference components are not emulated",
        ),
        (
            lambda c: None,
            {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://bucket/out"}}},
            "asynchronous endpoint with inference components is not emulated",
        ),
        (
            lambda c: None,
            {"ProductionVariants": [{"VariantName": "v", "InstanceType": "ml.m5.large", "ModelName": "m"}]},
            "ModelName does not go with inference components",
        ),
    ],
)
def test_what_does_not_go_with_components_is_refused(change, config, what):
    with pytest.raises(RequestError) as raised:
        api.endpoint_request_from_aws(document(change, **config))
    assert what in raised.value.what


def test_an_endpoint_with_components_has_a_role():
    without = document()
    del without["CreateEndpointConfig"]["ExecutionRoleArn"]
    with pytest.raises(RequestError, match="ExecutionRoleArn is missing"):
        api.endpoint_request_from_aws(without)


# --- copies -------------------------------------------------------------------------------------------


class Hosting:
    """An endpoint in service on the in-memory engine."""

    def __init__(self, endpoint, engine, model):
        self.endpoint, self.engine, self.model = endpoint, engine, model

    def ask(self, name, body=b"abc"):
        return api.invoke("demo", body, headers={HEADER: name})

    def update(self, **words):
        wanted = Update(**words)
        ask_for(self.endpoint.run_folder, wanted)
        for _ in range(WAIT_SECONDS * 50):
            last = self.endpoint.result().last_update
            if last.get("Id") == wanted.id:
                return last
            threading.Event().wait(0.02)
        raise AssertionError("the update never ended")

    def add(self, text):
        image, create = documents_of_flags(
            component_flags(text), endpoint_name="demo", variant_name="AllTraffic"
        )
        return self.update(
            component=create["InferenceComponentName"],
            documents={"CreateModel": image, "CreateInferenceComponent": create},
        )

    def component(self, name):
        listed = self.endpoint.result().describe()["Emulator"]["InferenceComponents"]
        return next((each for each in listed if each["InferenceComponentName"] == name), None)

    def copies(self, name):
        return self.component(name)["RuntimeConfig"]


@pytest.fixture
def specs():
    return []


@pytest.fixture
def hosting(engine, home, heard, model, specs):
    """Give a function that serves components; what each container is given is in `specs`."""

    def program(box):
        specs.append(box.spec)
        return model()(box)

    engine.add_image("img:1", program)
    engine.add_image("sick:1", lambda _: 3)

    def start(*texts, settings=None, **more):
        return api.new_endpoint(
            request_of(*texts, **more),
            engine=engine,
            platform=api.platform(settings=settings),
            listeners=(heard,),
        )

    return start


def test_copies_reserve_their_limits_and_answer_by_component(hosting, engine, model, specs):
    with hosting("a=img:1,copies=2,memory=256,cpus=0.25", "b=img:1,memory=128,max-memory=512") as made, made:
        here = Hosting(made, engine, model)
        assert here.ask("a").body == b"cba"
        assert here.copies("a") == {"DesiredCopyCount": 2, "CurrentCopyCount": 2}
        assert here.component("b")["InferenceComponentStatus"] == "InService"
        assert here.component("a")["Metrics"]["Invocations"] == 1
        limits = sorted((spec.memory_bytes >> 20, spec.cpus) for spec in specs)
        assert limits == [(256, 0.25), (256, 0.25), (512, None)]
        variant = here.endpoint.result().describe()["ProductionVariants"][0]
        assert (variant["CurrentInstanceCount"], "DeployedImages" in variant) == (1, False)


def test_the_limit_of_memory_may_be_the_instances(hosting, specs):
    with hosting("a=img:1,memory=256", settings={"component-memory": "instance"}) as made, made:
        pass
    assert specs[0].memory_bytes >> 20 == 8192


def test_a_component_is_scaled_out_and_in_to_nothing_and_back(hosting, engine, model):
    with hosting("a=img:1,memory=256") as made, made:
        here = Hosting(made, engine, model)
        assert here.update(component="a", copies=3)["Status"] == "Succeeded"
        assert here.copies("a") == {"DesiredCopyCount": 3, "CurrentCopyCount": 3}
        assert here.update(component="a", copies=0)["Status"] == "Succeeded"
        assert here.copies("a") == {"DesiredCopyCount": 0, "CurrentCopyCount": 0}
        assert (here.ask("a").status, "no capacity" in str(here.ask("a").body)) == (400, True)
        assert here.update(component="a", copies=1)["Status"] == "Succeeded"
        assert here.ask("a").body == b"cba"
        assert made.request.components[0].copies == 1
        assert made.result().status.value == "InService"


def test_without_room_nothing_starts_and_the_others_go_on(hosting, engine, model, specs):
    with hosting("a=img:1,memory=3000") as made, made:
        here = Hosting(made, engine, model)
        assert here.update(component="a", copies=3)["FailureReason"] == NO_ROOM
        assert here.copies("a") == {"DesiredCopyCount": 1, "CurrentCopyCount": 1}
        assert here.add("b=img:1,memory=6000")["FailureReason"] == NO_ROOM
        assert here.component("b")["InferenceComponentStatus"] == "Failed"
        assert here.component("b")["FailureReason"] == NO_ROOM
        assert here.ask("a").body == b"cba"
        assert len(specs) == 1
        assert here.update(component="a", copies=2)["Status"] == "Succeeded", "what was not taken is free"
    with (
        hosting("a=img:1,memory=9000") as made,
        pytest.raises(RequestError, match="not enough hardware"),
    ):
        made.start()


def test_components_are_added_and_deleted_while_the_others_serve(hosting, engine, model):
    with hosting("a=img:1,memory=256") as made, made:
        here = Hosting(made, engine, model)
        assert here.add("b=img:1,copies=2")["Status"] == "Succeeded"
        assert here.ask("b").body == b"cba"
        again = here.add("b=img:1")
        assert (again["Status"], "of this name" in again["FailureReason"]) == ("RolledBack", True)
        assert [each.name for each in made.request.components] == ["a", "b"]
        assert here.update(component="b")["Status"] == "Succeeded"
        assert here.component("b") is None
        assert here.ask("b").status == 400
        assert here.ask("a").body == b"cba"
        sick = here.add("s=sick:1")
        assert "did not pass the ping health check" in sick["FailureReason"]
        assert here.component("s")["InferenceComponentStatus"] == "Failed"
        assert here.update(component="s", copies=2)["FailureReason"] == "this inference component has failed"
        assert here.update(component="s")["Status"] == "Succeeded"
        assert here.component("s") is None


def test_a_copy_that_crashes_is_replaced(hosting, engine, heard, model, home):
    served = []

    def program(box):
        served.append(model())
        return served[-1](box)

    engine.add_image("frail:1", program)
    with hosting("a=frail:1") as made, made:
        here = Hosting(made, engine, model)
        served[0].crash.set()
        for _ in range(WAIT_SECONDS * 50):
            if len(served) == 2 and here.copies("a")["CurrentCopyCount"] == 1:
                break
            threading.Event().wait(0.02)
        assert here.ask("a").body == b"cba"
        assert here.update(component="a", copies=0)["Status"] == "Succeeded", "its seat is given back"


def test_an_endpoint_with_models_has_no_components(endpoints, model):
    with endpoints.new(model()) as made, made:
        here = Hosting(made, endpoints.engine, model)
        last = here.update(component="a", copies=2)
        assert "does not host inference components" in last["FailureReason"]
        assert here.ask("a").status == 400
