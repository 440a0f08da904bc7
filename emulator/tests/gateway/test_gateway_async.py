"""InvokeEndpointAsync at the gateway, by the unchanged AWS SDK; and what data capture is given."""

from __future__ import annotations

import threading

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sm_emulate.errors import MachineError
from sm_emulate.gateway import EndpointFront, Fleet, Gateway, Upstream, VariantFront
from sm_emulate.gateway.async_call import Accepted, AsyncCall
from sm_emulate.gateway.captured import Capture


@pytest.fixture
def opened():
    """Give a function that starts a gateway and gives a client of it."""
    ends = []

    def start(port=9, *, asynchronous=True, **beside):
        variant = VariantFront(upstreams=(Upstream(host="127.0.0.1", port=port),))
        front = EndpointFront(
            endpoint_name="iris",
            fleet=Fleet(variants=(variant,)),
            asynchronous=asynchronous,
            connect_timeout_s=60.0,
        )
        gateway = Gateway(front, **beside)
        gateway.start()
        client = boto3.session.Session(
            aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="secret", region_name="us-east-1"
        ).client(
            "sagemaker-runtime",
            endpoint_url=f"http://127.0.0.1:{gateway.port}",
            config=Config(retries={"max_attempts": 0}, parameter_validation=False),
        )
        ends.extend((client.close, gateway.close))
        return client

    yield start
    for end in ends:
        end()


class Door:
    """Takes calls, and remembers them."""

    def __init__(self):
        self.calls = []

    def __call__(self, call):
        self.calls.append(call)
        return Accepted(
            inference_id=call.inference_id or "made",
            output_location="s3://out/made.out",
            failure_location="s3://out/made-error.out",
        )


def test_a_call_is_answered_with_202_and_the_places_to_look_at(opened):
    door = Door()
    answer = opened(accept=door).invoke_endpoint_async(
        EndpointName="iris",
        ContentType="text/csv",
        Accept="application/json",
        CustomAttributes="trace=6",
        InferenceId="id-1",
        InputLocation="s3://in/x.csv",
        RequestTTLSeconds=60,
        InvocationTimeoutSeconds=3600,
        S3OutputPathExtension="day/one",
        Filename="x.json",
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["OutputLocation"] == "s3://out/made.out"
    assert answer["FailureLocation"] == "s3://out/made-error.out"
    assert answer["InferenceId"] == "id-1"
    assert door.calls == [
        AsyncCall(
            input_location="s3://in/x.csv",
            inference_id="id-1",
            content_type="text/csv",
            accept="application/json",
            custom_attributes="trace=6",
            extension="day/one",
            filename="x.json",
            ttl_s=60,
            timeout_s=3600,
        )
    ]


def test_an_inline_body_and_the_defaults(opened):
    door = Door()
    client = opened(accept=door)
    client.invoke_endpoint_async(EndpointName="iris", Body=b"x" * 128_000)
    (call,) = door.calls
    assert (len(call.body), call.input_location, call.content_type) == (128_000, None, None)
    assert (call.ttl_s, call.timeout_s) == (21_600, 900)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, "Exactly one of Body and InputLocation"),
        ({"Body": b"x", "InputLocation": "s3://b/k"}, "Exactly one of Body and InputLocation"),
        ({"Body": b"x" * 128_001}, "less than or equal to 128000"),
        ({"InputLocation": "https://example.com/x"}, "must be an S3 URI"),
        ({"InputLocation": "s3://b/k", "RequestTTLSeconds": 59}, "between 60 and 21600"),
        ({"InputLocation": "s3://b/k", "RequestTTLSeconds": 21_601}, "between 60 and 21600"),
        ({"InputLocation": "s3://b/k", "InvocationTimeoutSeconds": 3601}, "between 1 and 3600"),
        ({"InputLocation": "s3://b/k", "Filename": "a.b.c"}, "'filename' failed to satisfy"),
        ({"InputLocation": "s3://b/k", "S3OutputPathExtension": "s3:x"}, "'s3OutputPathExtension' failed"),
        ({"InputLocation": "s3://b/k", "S3OutputPathExtension": "a/../b"}, "without the parts"),
        ({"InputLocation": "s3://b/k", "InferenceId": "i" * 65}, "less than or equal to 64"),
    ],
)
def test_what_the_api_does_not_take_is_a_validation_error_and_is_not_accepted(opened, members, said):
    door = Door()
    with pytest.raises(ClientError, match=said) as refused:
        opened(accept=door).invoke_endpoint_async(EndpointName="iris", **members)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert door.calls == []


def test_an_async_endpoint_takes_async_calls_only_and_another_takes_none(opened):
    with pytest.raises(ClientError, match="it takes InvokeEndpointAsync only") as refused:
        opened(accept=Door()).invoke_endpoint(EndpointName="iris", Body=b"x")
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError, match="is not an asynchronous endpoint") as refused:
        opened(asynchronous=False).invoke_endpoint_async(EndpointName="iris", InputLocation="s3://b/k")
    assert refused.value.response["Error"]["Code"] == "ValidationError"


def test_a_call_that_cannot_be_written_down_is_not_accepted(opened):
    def full(_call):
        raise MachineError("an async request cannot be written down: No space left on device")

    with pytest.raises(ClientError, match="No space left") as refused:
        opened(accept=full).invoke_endpoint_async(EndpointName="iris", Body=b"x")
    assert refused.value.response["Error"]["Code"] == "InternalFailure"


def test_capture_is_given_both_sides_byte_for_byte(opened, serve, say):
    container = serve(
        lambda seen: say(seen.body[::-1], headers=[("Content-Type", "text/csv; charset=utf-8")])
    )
    taken = []
    client = opened(container.port, asynchronous=False, capture=Capture(100, taken.append))
    long = b"0123456789" * 400_000
    for body in (b"abc", long):
        client.invoke_endpoint(EndpointName="iris", Body=body, ContentType="text/csv", InferenceId="i")[
            "Body"
        ].read()
    for _ in range(18_000):  # the last byte is out a moment before it is captured
        if len(taken) == 2:
            break
        threading.Event().wait(0.01)
    assert [(each.request, each.answer) for each in taken] == [(b"abc", b"cba"), (long, long[::-1])]
    assert {each[1:4] for each in taken} == {("AllTraffic", "i", "text/csv")}
    assert taken[0].answer_type == "text/csv; charset=utf-8"


def test_errors_are_not_captured_and_sampling_leaves_out(opened, serve, say):
    container = serve(lambda seen: say(b"", status=500 if seen.body == b"bad" else 200))
    taken = []
    client = opened(container.port, asynchronous=False, capture=Capture(100, taken.append))
    with pytest.raises(ClientError):
        client.invoke_endpoint(EndpointName="iris", Body=b"bad")
    assert taken == []
    none = opened(container.port, asynchronous=False, capture=Capture(0, taken.append))
    none.invoke_endpoint(EndpointName="iris", Body=b"good")
    assert taken == []
