"""Credentials of containers on the in-memory engine: who is answered what, and that nothing stays."""

from __future__ import annotations

import json
import os
import socket
import threading
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

import pytest

from sm_emulate import api
from sm_emulate.engine.memory import MemoryEngine
from sm_emulate.errors import RequestError
from sm_emulate.events import Warned
from sm_emulate.lifecycle.credentials import Credentials
from sm_emulate.lifecycle.link_local import LinkLocal
from sm_emulate.lifecycle.platform import Platform
from sm_emulate.lifecycle.relay import Relay
from sm_emulate.storage.aws_environment import endpoints, has_credentials
from sm_emulate.storage.role_keys import NoKeysError, RoleKeys
from sm_emulate.storage.s3_place import S3Place

ADDRESS = "169.254.170.2"
VARIABLE = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"


@pytest.fixture
def engine():
    engine = MemoryEngine(enters_networks=True)
    yield engine
    engine.close()


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """No credentials and no configuration of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def threads():
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(("link-local", "cred"))}


def ask(box, engine, path=None):
    """Ask as boto3 in the container would; give status and JSON."""
    while (box.id, ADDRESS, 80) not in engine.inside:
        threading.Event().wait(0.01)
    path = path or box.spec.environment[VARIABLE]
    url = f"http://127.0.0.1:{engine.inside[box.id, ADDRESS, 80]}{path}"
    try:
        with urllib.request.urlopen(url, timeout=180) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_job_is_answered_and_leaves_no_thread_and_no_socket(jobs, engine, monkeypatch):
    for name, value in (("ACCESS_KEY_ID", "ASIA1"), ("SECRET_ACCESS_KEY", "s"), ("SESSION_TOKEN", "t")):
        monkeypatch.setenv(f"AWS_{name}", value)
    seen, near = [], []
    before = set(os.listdir("/proc/self/fd"))

    def program(box):
        seen.append(ask(box, engine))
        near.append(box.spec.link_local)
        seen.append(ask(box, engine, "/v2/credentials/another"))
        # one that says nothing and is still open when the job ends
        seen.append(socket.create_connection(("127.0.0.1", engine.inside[box.id, ADDRESS, 80])))

    jobs.run(program)
    (status, keys), wrong, left_open = seen
    assert status == 200
    assert near == ["169.254.170.3"]  # what it asks at once does not leave the machine
    assert (keys["AccessKeyId"], keys["Token"]) == ("ASIA1", "t")
    assert wrong == (
        404,
        {"code": "InvalidIdInRequest", "message": "Credentials not found", "HTTPErrorCode": 404},
    )
    assert left_open.recv(1) == b""
    left_open.close()
    assert threads() == set()
    assert len(set(os.listdir("/proc/self/fd")) - before) == 0


@pytest.mark.parametrize("without", ["isolated", "none"])
def test_no_address_without_credentials(jobs, engine, without):
    seen = {}
    request = api.training_request("img:1", job_name="job", enable_network_isolation=without == "isolated")
    platform = Platform(credentials="none" if without == "none" else "auto")
    jobs.run(
        lambda box: seen.update(box.spec.environment, near=box.spec.link_local),
        request=request,
        platform=platform,
    )
    assert VARIABLE not in seen
    assert seen["near"] is None
    assert engine.inside == {}


def test_a_network_that_cannot_be_entered_is_told(jobs, engine, heard, monkeypatch):
    monkeypatch.setattr(engine, "listen_inside", lambda *_: None)
    ended = threading.Event()
    heard.react(Warned, ended.set)
    jobs.run(lambda box: ended.wait(180))
    assert "algo-1 has no AWS credentials" in heard.of(Warned)[0].message


def test_a_container_that_ends_before_it_is_entered_is_no_trouble(jobs, engine, heard, monkeypatch):
    entered = threading.Event()
    monkeypatch.setattr(engine, "listen_inside", lambda *_: entered.set())
    jobs.run(lambda box: entered.wait(180) and None)
    assert entered.is_set()
    assert not [each for each in heard.of(Warned) if "credentials" in each.message]


def keys_of(**more):
    given = {
        "role_arn": None,
        "region": "us-east-1",
        "s3": S3Place(),
        "foreign": False,
        "note": lambda _: None,
    }
    return RoleKeys(**given | more)


def test_an_s3_of_ones_own_brings_its_keys():
    keys = keys_of(s3=S3Place(access_key="a", secret_key="very-secret")).current()
    assert (keys.access_key, keys.secret_key, keys.token) == ("a", "very-secret", "")
    assert keys.expiration - datetime.now(timezone.utc) > timedelta(minutes=50)
    assert "very-secret" not in repr(keys)


def test_without_an_account_the_keys_are_nobodys_and_it_is_told_once():
    told = []
    source = keys_of(note=told.append)
    assert source.current().access_key == source.current().access_key == "ASIASMEMULATENOBODY0"
    (words,) = told
    assert "this machine has none" in words


def test_long_lived_keys_of_aws_are_never_handed_on(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIALONG")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "long")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{port}")
    with pytest.raises(NoKeysError, match="AWS gives no temporary credentials"):
        keys_of().current()


def test_keys_of_an_s3_without_sts_are_handed_on_as_they_are(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "minio")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "minio123")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    keys = keys_of(s3=S3Place(endpoint_url=f"http://127.0.0.1:{port}"), foreign=True).current()
    assert (keys.access_key, keys.secret_key, keys.token) == ("minio", "minio123", "")


def test_where_calls_go_is_what_boto3_is_told(tmp_path):
    home = {"HOME": str(tmp_path)}
    assert endpoints(S3Place(), home) == {}
    assert endpoints(S3Place(), home | {"AWS_ENDPOINT_URL": "http://h:1"}) == {
        "AWS_ENDPOINT_URL": "http://h:1"
    }
    both = {"AWS_ENDPOINT_URL": "http://h:1", "AWS_ENDPOINT_URL_S3": "http://h:2"}
    own = endpoints(S3Place(endpoint_url="http://h:3"), home | both)
    assert own == {"AWS_ENDPOINT_URL": "http://h:1", "AWS_ENDPOINT_URL_S3": "http://h:3"}
    ignored = both | {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    assert endpoints(S3Place(), ignored) == {}
    assert endpoints(S3Place(), home | {"AWS_ENDPOINT_URL_S3": "https://s3.eu-west-1.amazonaws.com"}) == {}


def test_an_endpoint_of_a_profile_is_followed(tmp_path, monkeypatch):
    config = tmp_path / ".aws" / "config"
    config.parent.mkdir()
    config.write_text("[default]\nregion = us-east-1\nendpoint_url = http://localhost:4566\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert endpoints(S3Place(), os.environ) == {"AWS_ENDPOINT_URL_S3": "http://localhost:4566"}
    assert has_credentials(os.environ)


def test_a_container_is_given_an_endpoint_that_it_reaches(engine, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566/")
    made = Credentials(
        engine,
        platform=Platform(s3=S3Place(endpoint_url="https://minio.example:9000")),
        role_arn=None,
        publish=lambda _: None,
    )
    variables = dict(made.environment("algo-1"))
    assert variables.pop(VARIABLE).startswith("/v2/credentials/")
    assert variables == {
        "AWS_ENDPOINT_URL": "http://169.254.170.2:16970/",
        "AWS_ENDPOINT_URL_S3": "https://minio.example:9000",
    }
    made.close()


def test_bytes_are_passed_on_both_ways_and_cut_at_the_end():
    with socket.create_server(("127.0.0.1", 0)) as far, socket.create_server(("127.0.0.1", 0)) as near:
        door = LinkLocal()
        door.add(near.dup(), Relay(far.getsockname))
        inside = socket.create_connection(near.getsockname())
        outside, _ = far.accept()
        with inside, outside:
            payload = os.urandom(3 << 20)
            sender = threading.Thread(target=inside.sendall, args=(payload,))
            sender.start()
            got = b""
            while len(got) < len(payload):
                got += outside.recv(1 << 16)
            sender.join()
            assert got == payload
            outside.sendall(b"answer")
            assert inside.recv(6) == b"answer"
            door.close()
            assert inside.recv(1) == b""
            assert outside.recv(1) == b""
    assert threads() == set()


def test_only_two_words_say_what_containers_are_given():
    assert api.platform(credentials="none").credentials == "none"
    with pytest.raises(RequestError, match="nothing about credentials"):
        api.platform(credentials="mine")
