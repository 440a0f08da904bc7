"""S3 as a store of objects, against a server that is not ours."""

from __future__ import annotations

import boto3
import pytest
from moto.server import ThreadedMotoServer

from sm_emulate.errors import RequestError, StorageError
from sm_emulate.storage.s3_place import S3Place
from sm_emulate.storage.stores import store_of


@pytest.fixture(scope="module")
def server():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def place(server):
    return S3Place(endpoint_url=server, access_key="any", secret_key="any")


@pytest.fixture
def bucket(place, request):
    client = boto3.client(
        "s3",
        endpoint_url=place.endpoint_url,
        aws_access_key_id="any",
        aws_secret_access_key="any",
        region_name="us-east-1",
    )
    name = f"data-{abs(hash(request.node.name))}"
    client.create_bucket(Bucket=name)
    for key in (
        "data/train.csv",
        "data/train/b.csv",
        "data/train/a/ü z.csv",
        "data/other.csv",
        "data/empty/",
    ):
        client.put_object(Bucket=name, Key=key, Body=key.encode())
    client.bucket = name
    yield client
    client.close()


def _keys(place, prefix):
    return [found.key for found in store_of(prefix, place).objects(prefix)]


def test_a_prefix_is_text_and_objects_come_in_the_order_of_their_keys(place, bucket):
    root = f"s3://{bucket.bucket}"
    assert _keys(place, f"{root}/data/train") == [
        "data/train.csv",
        "data/train/a/ü z.csv",
        "data/train/b.csv",
    ]
    assert _keys(place, f"{root}/data/train/") == ["data/train/a/ü z.csv", "data/train/b.csv"]
    assert _keys(place, f"{root}/none") == []
    assert len(_keys(place, root)) == 4, "the console's folder is no object of a channel"


def test_more_objects_than_one_page_holds(place, bucket, monkeypatch):
    monkeypatch.setattr("sm_emulate.storage.s3_store.PAGE", 3)
    for number in range(10):
        bucket.put_object(Bucket=bucket.bucket, Key=f"many/{number:04}", Body=b"")
    assert _keys(place, f"s3://{bucket.bucket}/many/") == [f"many/{number:04}" for number in range(10)]


def test_what_is_put_is_found_read_and_gone_when_deleted(place, bucket, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 50_000)  # more than one part
    uri = f"s3://{bucket.bucket}/deep/model.bin"
    store = store_of(uri, place)
    store.put(source, uri)
    (found,) = store.objects(uri)
    assert (found.uri, found.size) == (uri, 12_800_000)
    with store.open(found) as stream:
        assert stream.read() == source.read_bytes()
    with store.open(found, start=255, size=3) as stream:
        assert stream.read() == b"\xff\x00\x01"
    store.fetch(found, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()
    store.delete(uri)
    store.delete(uri)
    assert list(store.objects(uri)) == []


def test_an_object_that_changes_is_not_mixed_with_its_old_self(place, bucket, tmp_path):
    uri = f"s3://{bucket.bucket}/data/other.csv"
    store = store_of(uri, place)
    (found,) = store.objects(uri)
    bucket.put_object(Bucket=bucket.bucket, Key="data/other.csv", Body=b"new")
    with pytest.raises(StorageError, match="changed"):
        store.fetch(found, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_that_is_not_there_is_told(place, tmp_path):
    with pytest.raises(RequestError, match="there is no bucket nowhere"):
        list(store_of("s3://nowhere/x", place).objects("s3://nowhere/x"))
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="there is no bucket nowhere"):
        store_of("s3://nowhere/x", place).put(tmp_path / "file", "s3://nowhere/x")


def test_an_s3_that_does_not_answer_is_told(monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    place = S3Place(endpoint_url="http://127.0.0.1:9", access_key="any", secret_key="any")
    with pytest.raises(StorageError, match="cannot be connected to") as told:
        list(store_of("s3://b-1/x", place).objects("s3://b-1/x"))
    assert "--s3" in told.value.hint


def test_without_credentials_a_way_to_some_is_told(place, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StorageError, match="no AWS credentials") as told:
        list(store_of("s3://b-1/x", S3Place(endpoint_url=place.endpoint_url)).objects("s3://b-1/x"))
    assert "aws configure" in told.value.hint


def test_a_wrong_endpoint_is_told():
    with pytest.raises(RequestError, match="no address"):
        list(store_of("s3://b-1/x", S3Place(endpoint_url="nonsense")).objects("s3://b-1/x"))


def test_the_embedded_s3_reads_and_writes_folders(tmp_path):
    place = S3Place(folder=tmp_path / "s3")
    (tmp_path / "file").write_bytes(b"x")
    store = store_of("s3://mine/", place)
    store.put(tmp_path / "file", "s3://mine/a/b.bin")
    assert (tmp_path / "s3" / "mine" / "a" / "b.bin").read_bytes() == b"x"
    (found,) = store.objects("s3://mine/a")
    assert (found.uri, found.key, found.size) == ("s3://mine/a/b.bin", "a/b.bin", 1)
    with store.open(found) as stream:
        assert stream.read() == b"x"
    store.fetch(found, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"x"
    with pytest.raises(RequestError, match="there is no bucket other"):
        list(store.objects("s3://other/a"))
    with pytest.raises(RequestError, match="no file of the embedded S3"):
        store.put(tmp_path / "file", "s3://mine/../../outside")
    store.delete("s3://mine/a/b.bin")
    assert list(store.objects("s3://mine/")) == []
