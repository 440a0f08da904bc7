"""The AWS SDK, unchanged but for its endpoint URL."""

from __future__ import annotations

import io
import os

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError


@pytest.fixture
def runtime():
    """Give a function that makes a `sagemaker-runtime` client of a gateway."""
    clients = []

    def make(gateway, **config):
        clients.append(
            boto3.session.Session(
                aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="secret", region_name="us-east-1"
            ).client(
                "sagemaker-runtime",
                endpoint_url=f"http://127.0.0.1:{gateway.port}",
                config=Config(retries={"max_attempts": 0}, **config),
            )
        )
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_invoke_endpoint(serve, gateways, say, runtime):
    container = serve(
        lambda seen: say(
            b"[0]",
            headers=[("Content-Type", "application/json"), ("X-Amzn-SageMaker-Custom-Attributes", "trace=7")],
        )
    )
    client = runtime(gateways(container, variant_name="blue"))
    answer = client.invoke_endpoint(
        EndpointName="iris",
        Body=b"5.1,3.5,1.4,0.2",
        ContentType="text/csv",
        Accept="application/json",
        CustomAttributes="trace=6",
        TargetVariant="blue",
        InferenceId="id-1",
        SessionId="NEW_SESSION",
    )
    assert answer["Body"].read() == b"[0]"
    assert answer["ContentType"] == "application/json"
    assert answer["InvokedProductionVariant"] == "blue"
    assert answer["CustomAttributes"] == "trace=7"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert len(answer["ResponseMetadata"]["RequestId"]) == 36
    (seen,) = container.seen
    assert seen.body == b"5.1,3.5,1.4,0.2"
    assert dict(seen.headers) == {
        "Host": "model.aws.local:8080",
        "User-Agent": "AHC/2.0",
        "Content-Length": "15",
        "Content-Type": "text/csv",
        "Accept": "application/json",
        "X-Amzn-SageMaker-Custom-Attributes": "trace=6",
        "X-Amzn-SageMaker-Target-Variant": "blue",
        "X-Amzn-SageMaker-Inference-Id": "id-1",
        "X-Amzn-SageMaker-Session-Id": "NEW_SESSION",
    }


def test_sessions_come_back(serve, gateways, say, runtime):
    opened = "abc-1; Expires=2026-01-01T00:00:00Z"
    container = serve(
        lambda seen: say(
            headers=[
                ("X-Amzn-SageMaker-New-Session-Id", opened),
                ("X-Amzn-SageMaker-Closed-Session-Id", "abc-0"),
            ]
        )
    )
    answer = runtime(gateways(container)).invoke_endpoint(EndpointName="iris", Body=b"")
    assert (answer["NewSessionId"], answer["ClosedSessionId"]) == (opened, "abc-0")


def test_model_error(serve, gateways, say, runtime):
    client = runtime(gateways(serve(lambda seen: say(b"no such column", status=415))))
    with pytest.raises(client.exceptions.ModelError) as caught:
        client.invoke_endpoint(EndpointName="iris", Body=b"x")
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == 415
    assert answer["OriginalMessage"] == "no such column"
    assert (
        answer["LogStreamArn"]
        == "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/iris"
    )
    assert answer["Error"]["Code"] == "ModelError"
    assert answer["Error"]["Message"].startswith(
        'Received client error (415) from primary with message "no such column". See https://'
    )


def test_a_timeout_is_a_model_error(containers, gateways, runtime):
    def talk(wire):
        wire.read_request()
        wire.more()

    client = runtime(gateways(containers(talk), model_timeout_s=0.2))
    with pytest.raises(
        client.exceptions.ModelError, match=r"Received server error \(0\) from primary"
    ) as caught:
        client.invoke_endpoint(EndpointName="iris", Body=b"x")
    assert caught.value.response["OriginalStatusCode"] == 0
    assert caught.value.response["OriginalMessage"].startswith("Your invocation timed out")


def test_validation_error(serve, gateways, say, runtime):
    client = runtime(gateways(serve(lambda seen: say())))
    with pytest.raises(client.exceptions.ValidationError) as caught:
        client.invoke_endpoint(EndpointName="rose", Body=b"x")
    message = "Endpoint rose of account 123456789012 not found."
    assert caught.value.response["Error"] == {"Code": "ValidationError", "Message": message}
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_body_over_the_limit(serve, gateways, say, runtime):
    client = runtime(gateways(serve(lambda seen: say())))
    with pytest.raises(
        ClientError, match=r"\(413\) when calling the InvokeEndpoint operation.*: HTTP content length"
    ) as caught:
        client.invoke_endpoint(EndpointName="iris", Body=b"x" * (25 * 1024 * 1024 + 1))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


@pytest.mark.parametrize("size", [0, 1, 25 * 1024 * 1024])
def test_bodies_pass_byte_for_byte(serve, gateways, say, runtime, size):
    payload = os.urandom(size)
    client = runtime(gateways(serve(lambda seen: say(seen.body))))
    assert client.invoke_endpoint(EndpointName="iris", Body=payload)["Body"].read() == payload
    assert client.invoke_endpoint(EndpointName="iris", Body=io.BytesIO(payload))["Body"].read() == payload
