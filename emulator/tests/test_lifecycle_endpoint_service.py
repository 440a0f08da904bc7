"""An endpoint in service: how it is stopped, how it dies, and who may use its name."""

from __future__ import annotations

import json
import threading
from functools import partial

import pytest

from sm_emulate import api
from sm_emulate.engine.protocol import LABEL_SESSION
from sm_emulate.errors import EngineError, RequestError
from sm_emulate.events import ContainerExited, Invoked, Pinged, StatusChanged, Warned
from sm_emulate.gateway.ping import ping
from sm_emulate.spec import wordings


def serve(endpoints, program, *, when_in_service, **more):
    with endpoints.new(program, **more) as endpoint:
        endpoints.heard.react(StatusChanged, lambda: when_in_service(endpoint), status="InService")
        endpoint.start()
        return endpoint.serve()


def statuses(heard):
    return [event.status for event in heard.of(StatusChanged)]


def test_stop_is_sigterm_and_out_of_service(endpoints, model):
    served = model(exits=7)
    result = serve(endpoints, served, when_in_service=lambda endpoint: endpoint.stop())
    assert served.signals == ["SIGTERM"]
    assert (result.status.value, result.container_exit_code) == ("OutOfService", 7)
    assert result.succeeded
    assert endpoints.described() == result.describe() | {
        "LastModifiedTime": endpoints.described()["LastModifiedTime"]
    }


def test_a_container_that_does_not_hear_sigterm_is_killed_and_the_user_is_told(endpoints, model):
    result = serve(
        endpoints, model(deaf=True), when_in_service=lambda endpoint: endpoint.stop(), stop_grace_s=0
    )
    assert result.container_exit_code == 137
    assert [event.message for event in endpoints.heard.of(Warned)] == [
        "the container did not end within 0 s of SIGTERM: killed"
    ]


def test_a_second_stop_kills_at_once(endpoints, model):
    def twice(endpoint):
        endpoint.stop()
        endpoint.stop()

    result = serve(endpoints, model(deaf=True), when_in_service=twice, stop_grace_s=3600)
    assert result.container_exit_code == 137
    assert endpoints.heard.of(Warned)[0].message == "a second request to stop: the container is killed"


def test_a_second_stop_cuts_the_wait_for_requests_in_flight_short(endpoints, model):
    sending = threading.Event()

    class NeverEnds:
        """A payload whose end never comes."""

        def fileno(self):
            raise OSError

        def seekable(self):
            return False

        def read(self, _size=-1):
            sending.set()
            threading.Event().wait(3600)

    def invoke(endpoint):
        threading.Thread(target=api.invoke, args=("demo", NeverEnds()), daemon=True).start()
        sending.wait(180)
        endpoints.heard.react(StatusChanged, endpoint.stop, status="Deleting")
        endpoint.stop()

    result = serve(endpoints, model(deaf=True), when_in_service=invoke, stop_grace_s=3600)
    assert result.status.value == "OutOfService"


def test_a_file_in_the_run_folder_stops_it_for_other_processes(endpoints, model):
    result = serve(
        endpoints, model(), when_in_service=lambda endpoint: endpoints.folder().stop_request.touch()
    )
    assert result.status.value == "OutOfService"


def test_a_container_that_dies_in_service_fails_the_endpoint(endpoints, model):
    served = model(exits=3)
    result = serve(endpoints, served, when_in_service=lambda endpoint: served.crash.set())
    assert result.status.value == "Failed"
    assert not result.succeeded
    assert result.failure_reason == wordings.ping_failed()
    assert endpoints.heard.of(StatusChanged)[-1].message == "the container exited with code 3"
    assert endpoints.described()["EndpointStatus"] == "Failed"


def test_a_ping_that_fails_in_service_is_a_warning(endpoints, model, monkeypatch):
    served = model()
    # two seconds may pass on a busy machine before a container has its turn
    patient = partial(ping, timeout_s=180)
    monkeypatch.setattr("sm_emulate.lifecycle.hosting.serving_container.ping", patient)

    def turn_bad(endpoint):
        served.ping = 503
        endpoints.heard.react(Warned, endpoint.stop)

    settings = api.platform(settings={"ping-interval": "1"})
    result = serve(endpoints, served, when_in_service=turn_bad, platform=settings)
    assert result.status.value == "OutOfService"
    assert endpoints.heard.of(Warned)[0].message == (
        "GET /ping failed: status 503; SageMaker would replace the instance"
    )
    assert [event.status for event in endpoints.heard.of(Pinged)][-1] == 503


def test_every_invocation_is_told_once(endpoints, model):
    with endpoints.new(model()) as endpoint:
        endpoint.start()
        for _ in range(3):
            api.invoke("demo", b"abc")
    told = endpoints.heard.of(Invoked)
    assert [(event.path, event.status, event.bytes_in, event.bytes_out) for event in told] == [
        ("/endpoints/demo/invocations", 200, 3, 3)
    ] * 3


def test_the_result_is_there_before_the_run_is_given_up(endpoints, model):
    seen = []
    endpoints.heard.react(
        StatusChanged,
        lambda: seen.append((endpoints.folder().result.exists(), endpoints.folder().owner_pid() is not None)),
        status="OutOfService",
    )
    serve(endpoints, model(), when_in_service=lambda endpoint: endpoint.stop())
    assert seen == [(True, True)]
    assert not endpoints.folder().abandoned


def test_serve_gives_an_endpoint_in_service_and_stops_it(endpoints, model):
    served = model()
    with api.serve(
        endpoints.request(served), engine=endpoints.engine, listeners=(endpoints.heard,)
    ) as endpoint:
        assert endpoint.status.value == "InService"
        assert api.invoke(None, b"abc").body == b"cba"
    assert endpoint.status.value == "OutOfService"
    assert served.signals == ["SIGTERM"]
    assert statuses(endpoints.heard) == ["Creating", "InService", "Deleting", "OutOfService"]


def test_an_endpoint_of_a_with_block_hears_a_stop_from_another_process(endpoints, model):
    stopped = threading.Event()
    endpoints.heard.react(StatusChanged, stopped.set, status="OutOfService")
    with api.serve(endpoints.request(model()), engine=endpoints.engine, listeners=(endpoints.heard,)):
        endpoints.folder().stop_request.touch()
        assert stopped.wait(180)
    assert endpoints.described()["EndpointStatus"] == "OutOfService"


def test_an_endpoint_of_a_with_block_notices_that_its_container_died(endpoints, model):
    served = model(exits=4)
    failed = threading.Event()
    endpoints.heard.react(StatusChanged, failed.set, status="Failed")
    with api.serve(
        endpoints.request(served), engine=endpoints.engine, listeners=(endpoints.heard,)
    ) as endpoint:
        served.crash.set()
        assert failed.wait(180)
    assert endpoint.result().container_exit_code == 4
    assert not endpoint.result().succeeded


def test_an_error_in_a_with_block_is_the_one_that_comes_out(endpoints, model):
    with (
        pytest.raises(ZeroDivisionError),
        api.serve(endpoints.request(model()), engine=endpoints.engine, listeners=(endpoints.heard,)),
    ):
        raise ZeroDivisionError
    assert endpoints.described()["EndpointStatus"] == "OutOfService"


def test_an_error_between_start_and_serve_leaves_nothing_running(endpoints, model):
    with pytest.raises(ZeroDivisionError), endpoints.new(model()) as endpoint:
        endpoint.start() and 1 // 0
    assert endpoints.engine.leftovers({LABEL_SESSION: ""}) == []
    assert endpoints.described()["EndpointStatus"] == "OutOfService"
    assert len(endpoints.heard.of(ContainerExited)) == 1


def test_an_engine_that_breaks_when_the_container_ends_fails_the_endpoint(endpoints, model):
    served = model()

    def crash(endpoint):
        endpoints.engine.fail_next("wait", EngineError("the engine broke in wait"))
        served.crash.set()

    with pytest.raises(EngineError, match="broke in wait"):
        serve(endpoints, served, when_in_service=crash)
    assert endpoints.described()["FailureReason"] == "the engine broke in wait"


def test_an_engine_that_cannot_send_sigterm_still_gets_rid_of_the_container(endpoints, model):
    def stop(endpoint):
        endpoints.engine.fail_next("signal", EngineError("the engine broke in signal"))
        endpoint.stop()

    result = serve(endpoints, model(), when_in_service=stop, stop_grace_s=0)
    assert (result.status.value, result.container_exit_code) == ("OutOfService", 137)


@pytest.mark.parametrize("call", ["remove", "remove_network"])
def test_a_clean_up_that_fails_for_good_is_a_warning(endpoints, model, call):
    def stop(endpoint):
        for _ in range(2):
            endpoints.engine.fail_next(call, EngineError("broken"))
        endpoint.stop()

    result = serve(endpoints, model(), when_in_service=stop, enable_network_isolation=True)
    assert result.status.value == "OutOfService"
    assert [event for event in endpoints.heard.of(Warned) if "could not be removed: broken" in event.message]
    for leftover in endpoints.engine.leftovers({}):
        endpoints.engine.remove_leftover(leftover)


def test_a_name_is_free_again_when_its_endpoint_is_over_and_nothing_of_the_old_one_is_left(endpoints, model):
    serve(endpoints, model(), when_in_service=lambda endpoint: endpoints.folder().stop_request.touch())
    assert endpoints.folder().stop_request.exists()
    with endpoints.new(model()) as endpoint:
        assert endpoint.start()
        assert not endpoints.folder().stop_request.exists()
        assert endpoints.described() is None
    assert sorted(each.name for each in (endpoints.home / "endpoints").iterdir()) == ["demo"]


def test_the_name_of_a_running_endpoint_is_taken(endpoints, model):
    with endpoints.new(model()) as endpoint:
        endpoint.start()
        with pytest.raises(RequestError, match="this one is taken") as refused, endpoints.new(model()):
            pass
        assert "sm-emulate stop demo" in refused.value.hint
        assert api.invoke("demo", b"x").status == 200


def test_invoke_says_which_endpoints_there_are(endpoints, model):
    with pytest.raises(RequestError, match="no endpoint runs"):
        api.invoke(None, b"x")
    with (
        endpoints.new(model(), endpoint_name="a") as first,
        endpoints.new(model(), endpoint_name="b") as second,
    ):
        assert (first.url, second.url) == ("", "")
        with pytest.raises(RequestError, match="not in service yet"):
            api.invoke("a", b"x")
        first.start()
        second.start()
        with pytest.raises(RequestError, match="several endpoints run") as several:
            api.invoke(None, b"x")
        assert several.value.expected == "the name of one: a, b"
        with pytest.raises(RequestError, match="no endpoint of this name runs"):
            api.invoke("c", b"x")


def test_the_result_has_the_shape_of_describe_endpoint(endpoints, model):
    result = serve(endpoints, model(), when_in_service=lambda endpoint: endpoint.stop())
    described = result.describe()
    assert described["EndpointArn"].endswith(":endpoint/demo")
    assert described["ProductionVariants"][0]["VariantName"] == "AllTraffic"
    assert set(described["Emulator"]["Seconds"]) == {"Model", "Container", "Health"}
    assert json.loads(json.dumps(described)) == described
