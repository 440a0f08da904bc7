"""AWS's own SDK of bidirectional streams, as it is published, against the gateway."""

from __future__ import annotations

import asyncio

import pytest
from product import WAIT_SECONDS
from web_sockets import DATA, ServerSocket, echo

from sm_emulate.gateway.sdk_transport import LocalHttp2Transport

models = pytest.importorskip(
    "aws_sdk_sagemaker_runtime_http2.models",
    reason="AWS publishes this SDK for Python 3.12 and later; what it sends is replayed in test_gateway_http2.py",
)


async def opened(gateway, clients, **asked):
    from aws_sdk_sagemaker_runtime_http2.client import AsyncSageMakerRuntimeHTTP2Client
    from aws_sdk_sagemaker_runtime_http2.config import AsyncSageMakerRuntimeHTTP2Config

    config = await AsyncSageMakerRuntimeHTTP2Config.resolve(
        endpoint_uri=f"http://127.0.0.1:{gateway.port}",
        transport=LocalHttp2Transport(),
        region="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        max_attempts=1,
    )
    clients.append(AsyncSageMakerRuntimeHTTP2Client(config=config))
    return await clients[-1].invoke_endpoint_with_bidirectional_stream(
        models.InvokeEndpointWithBidirectionalStreamInput(**{"endpoint_name": "iris", **asked})
    )


async def send(stream, data, **more):
    part = models.RequestPayloadPart(bytes_=data, **more)
    await stream.input_stream.send(models.RequestStreamEventPayloadPart(value=part))


def run(talk):
    async def whole():
        clients = []
        try:
            await asyncio.wait_for(talk(clients), WAIT_SECONDS)
        finally:
            for client in clients:
                await client.close()

    asyncio.run(whole())


def test_it_converses_part_by_part(gateways, containers):
    async def talk(clients):
        stream = await opened(gateway, clients)
        sent = []
        for number in range(200):
            text = number % 3 != 0
            for last in (False, True):
                data = f"{number} größe".encode() if text else bytes([number, 255])
                kind = "UTF8" if text else "BINARY"
                state = "COMPLETE" if last else "PARTIAL"
                await send(stream, data, data_type=kind, completion_state=state)
                sent.append((data, kind, state))
        output, events = await stream.await_output()
        assert output.invoked_production_variant == "AllTraffic"
        came = [(await events.receive()).value for _ in sent]
        assert [(each.bytes_, each.data_type, each.completion_state) for each in came] == sent
        await stream.input_stream.close()
        assert await events.receive() is None

    gateway = gateways(containers(echo))
    run(talk)


def test_its_errors_are_the_modelled_ones(gateways, containers):
    def closing(wire):
        ours = ServerSocket(wire)
        if ours.accept() == "/refused":
            return
        while (frame := ours.receive()) is not None:
            if frame.opcode in DATA:
                ours.close(1011, "out of memory")

    async def talk(clients):
        stream = await opened(gateway, clients)
        await send(stream, b"go")
        _, events = await stream.await_output()
        with pytest.raises(models.ModelStreamError) as broken:
            await events.receive()
        assert (broken.value.message, broken.value.error_code) == ("out of memory", "1011")
        stream = await opened(gateway, clients, model_invocation_path="/slash")
        with pytest.raises(models.InputValidationError) as refused:
            await stream.await_output()
        assert "slash" in refused.value.message
        stream = await opened(nobody, clients)
        with pytest.raises(models.ModelError) as lost:
            await stream.await_output()
        assert lost.value.original_status_code == 404

    gateway = gateways(containers(closing))
    nobody = gateways(
        containers(
            lambda wire: wire.read_request() and wire.send(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n")
        )
    )
    run(talk)
