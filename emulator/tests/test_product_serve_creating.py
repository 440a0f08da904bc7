"""An endpoint that is stopped, or left by its caller, before it is in service."""

from __future__ import annotations

import os
import signal

import pytest
from product import SHELL

pytestmark = pytest.mark.engine

NEVER = SHELL + "trap 'echo bye; exit 0' TERM; echo loading; while :; do sleep 0.05; done"


@pytest.fixture
def creating(product, images):
    def start(*words):
        image = images.make(serve=NEVER)
        return product.start("serve", image, "--endpoint-name", "demo", *words).wait_for("loading\n")

    return start


def check_gone(product):
    result = product.describe("demo")
    assert (result["EndpointStatus"], result.get("FailureReason")) == ("OutOfService", None)
    assert "bye\n" in product.run("logs", "demo").out, "it got its SIGTERM"
    assert product.left_on_engine() == []


@pytest.mark.parametrize("words", [(), ("--detach",)], ids=["foreground", "detach"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 1), (signal.SIGHUP, 1)])
def test_a_signal_while_creating_deletes_the_endpoint(product, creating, words, number, code):
    done = creating(*words).send(number).finish()
    assert (done.code, done.out) == (code, ""), str(done)
    check_gone(product)


@pytest.mark.parametrize("words", [(), ("--detach",)], ids=["foreground", "detach"])
def test_a_stop_while_creating_ends_out_of_service_and_no_url_is_printed(product, creating, words):
    running = creating(*words)
    assert product.run("stop", "demo").out == "endpoints/demo: OutOfService\n"
    done = running.finish()
    assert (done.code, done.out) == (1, ""), str(done)
    assert "the endpoint was stopped before it was in service" in done.err
    check_gone(product)


def test_an_endpoint_whose_caller_was_killed_before_it_was_told_stops_itself(product, creating):
    running = creating("--detach")
    running.send(signal.SIGKILL)
    running.finish()  # its stderr ends when the endpoint's process does
    check_gone(product)


def test_quit_kills_at_once(product, images):
    image = images.make(serve=SHELL + "trap '' TERM; echo loading; while :; do sleep 0.05; done")
    running = product.start("serve", image, "--endpoint-name", "demo", "--stop-grace", "600").wait_for(
        "loading\n"
    )
    running.send(signal.SIGQUIT).finish()
    assert product.describe("demo")["Emulator"]["ContainerExitCodes"] == {"AllTraffic": 137}


def test_an_invocation_of_an_endpoint_that_has_ended_says_so(product, creating):
    creating().interrupt().finish()
    done = product.run("invoke", "demo", "--data", "x")
    assert done.code == 2
    assert "this endpoint has ended" in done.err
    assert "OutOfService, its container exited with code 0" in done.err
    assert "sm-emulate logs demo" in done.err


@pytest.mark.parametrize("command", ["train", "serve"])
def test_a_closed_terminal_stops_the_run_cleanly(product, images, command):
    """The kernel sends SIGHUP, and whatever is written to the terminal fails from then on."""
    image = images.make(serve=NEVER, train=NEVER)
    name = "--endpoint-name" if command == "serve" else "--job-name"
    here, there = os.openpty()
    running = product.start(command, image, name, "demo", stderr=there)
    os.close(there)
    seen = b""
    while b"loading" not in seen:
        seen += os.read(here, 1000)
    os.close(here)
    running.send(signal.SIGHUP).finish()
    description = product.describe("demo")
    ended = description.get("EndpointStatus") or description.get("TrainingJobStatus")
    assert ended in {"OutOfService", "Stopped"}
    assert product.left_on_engine() == []
