"""The embedded S3: buckets are folders, also over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from sm_emulate.errors import MachineError, RequestError
from sm_emulate.storage.embedded_s3 import serving
from sm_emulate.storage.s3_place import S3Place, s3_place
from sm_emulate.storage.s3_store import S3Store


def _client(place, **other):
    keys = {"aws_access_key_id": place.access_key, "aws_secret_access_key": place.secret_key} | other
    return closing(
        boto3.client(
            "s3",
            endpoint_url=place.endpoint_url,
            region_name="us-east-1",
            config=boto3.session.Config(retries={"total_max_attempts": 1}),
            **keys,
        )
    )


def test_buckets_are_folders_and_folders_are_buckets(tmp_path):
    with serving(tmp_path / "s3") as place, _client(place) as client:
        client.create_bucket(Bucket="models")
        client.put_object(Bucket="models", Key="a/b.txt", Body=b"put")
        assert (tmp_path / "s3" / "models" / "a" / "b.txt").read_bytes() == b"put"
        (tmp_path / "s3" / "models" / "a" / "c.txt").write_bytes(b"written")
        listed = client.list_objects_v2(Bucket="models", Prefix="a/")["Contents"]
        assert [each["Key"] for each in listed] == ["a/b.txt", "a/c.txt"], "what we write is seen at once"
        assert client.get_object(Bucket="models", Key="a/c.txt")["Body"].read() == b"written"


def test_our_own_store_speaks_to_it_over_http(tmp_path):
    with serving(tmp_path / "s3") as place:
        store = S3Store(place)
        (tmp_path / "s3" / "data").mkdir()
        source = tmp_path / "large"
        source.write_bytes(os.urandom(20 << 20))  # several parts
        store.put(source, "s3://data/deep/large")
        (found,) = store.objects("s3://data/deep")
        with store.open(found) as stream:
            assert stream.read() == source.read_bytes()
        with store.open(found, start=5, size=10) as stream:
            assert stream.read() == source.read_bytes()[5:15]


def test_nobody_else_is_let_in(tmp_path):
    with serving(tmp_path / "s3") as place, _client(place, aws_secret_access_key="guess") as stranger:
        (tmp_path / "s3" / "data").mkdir()
        with pytest.raises(stranger.exceptions.ClientError, match="SignatureDoesNotMatch"):
            stranger.list_objects_v2(Bucket="data")


def test_it_ends_with_the_with(tmp_path):
    with serving(tmp_path / "s3") as place:
        pass
    with _client(place) as client, pytest.raises(EndpointConnectionError, match="Could not connect"):
        client.list_buckets()


def test_it_ends_when_its_process_is_killed(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from sm_emulate.storage.embedded_s3 import serving\n"
        "with serving(Path(sys.argv[1])) as place:\n    print(place.endpoint_url, flush=True); time.sleep(600)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "s3")], stdout=subprocess.PIPE, text=True
    )
    with child:
        url = child.stdout.readline().strip()
        child.send_signal(signal.SIGKILL)
    with (
        _client(S3Place(endpoint_url=url, access_key="a", secret_key="b")) as client,
        pytest.raises(EndpointConnectionError, match="Could not connect"),
    ):
        _ask_until_it_is_gone(client)


def _ask_until_it_is_gone(client):
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        with suppress(client.exceptions.ClientError):  # it is there still, and does not know us
            client.list_buckets()
        time.sleep(0.05)


def test_without_rclone_the_way_to_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("sm_emulate.storage.rclone.found_rclone", lambda: None)
    with pytest.raises(MachineError, match="needs the program rclone") as told, serving(tmp_path / "s3"):
        pass
    assert "sm-emulate[s3]" in told.value.hint


def test_an_address_that_is_not_ours_is_told(tmp_path):
    with (
        pytest.raises(MachineError, match="rclone could not be started") as told,
        serving(tmp_path / "s3", address="192.0.2.1"),
    ):
        pass
    assert any("192.0.2.1" in line for line in told.value.evidence)


def test_which_s3_is_meant(tmp_path):
    assert s3_place("aws", home=tmp_path) == S3Place()
    assert s3_place("embedded", home=tmp_path) == S3Place(folder=tmp_path / "s3")
    assert s3_place("http://127.0.0.1:9000/", home=tmp_path).endpoint_url == "http://127.0.0.1:9000"
    for wrong in ("minio", "http://", "ftp://x", ""):
        with pytest.raises(RequestError, match="no S3 that is known"):
            s3_place(wrong, home=tmp_path)
