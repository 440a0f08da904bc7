"""An S3 that is not ours, buckets in it, and a wire to it that counts what goes over it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

import boto3
import pytest

from sm_emulate.storage.s3_place import S3Place


@dataclass(frozen=True)
class Bucket:
    """A new bucket."""

    name: str
    url: str

    @property
    def place(self):
        return S3Place(endpoint_url=self.url, access_key="any", secret_key="any")

    @property
    def env(self):
        """For a command line that is told of the bucket's S3 by `--s3 URL`."""
        return {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}

    @property
    def client(self):
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="any",
            aws_secret_access_key="any",
            region_name="us-east-1",
        )

    def uri(self, key=""):
        return f"s3://{self.name}/{key}"

    def put(self, *keys, **contents):
        """Store objects; one that is given by its key alone holds its key."""
        client = self.client
        for key in keys:
            client.put_object(Bucket=self.name, Key=key, Body=contents.get(key, key.encode()))
        client.close()

    def put_bytes(self, key, content):
        client = self.client
        client.put_object(Bucket=self.name, Key=key, Body=content)
        client.close()

    def get(self, key):
        client = self.client
        with client.get_object(Bucket=self.name, Key=key)["Body"] as body:
            content = body.read()
        client.close()
        return content

    def keys(self):
        client = self.client
        found = client.list_objects_v2(Bucket=self.name).get("Contents", ())
        client.close()
        return [each["Key"] for each in found]


@pytest.fixture(scope="session")
def s3_server():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server):
    made = Bucket(f"data-{uuid4().hex[:12]}", s3_server)
    client = made.client
    client.create_bucket(Bucket=made.name)
    client.close()
    return made


class Wire:
    """Stands before a server, hands every byte on, and counts those that come back."""

    def __init__(self, url):
        host, _, port = url.removeprefix("http://").partition(":")
        self.server = (host, int(port))
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.served = 0
        self.broken_after = None
        """Bytes after which every connection breaks, once."""
        self.held_after = None
        """Bytes after which nothing more comes back until `release`."""
        self.held, self.released = threading.Event(), threading.Event()
        self.connections = []
        self.threads = []
        self._start(self._accept)

    def _start(self, work, *values):
        thread = threading.Thread(target=work, args=values, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        with suppress(OSError):
            while True:
                near, _ = self.listening.accept()
                far = socket.create_connection(self.server)
                self.connections += [near, far]
                self._start(self._hand_on, near, far, False)
                self._start(self._hand_on, far, near, True)

    def _hand_on(self, source, target, counted):
        with suppress(OSError):
            while block := source.recv(1 << 16):
                if counted:
                    self.served += len(block)
                    if self.broken_after is not None and self.served > self.broken_after:
                        self.broken_after = None
                        break
                    if self.held_after is not None and self.served > self.held_after:
                        self.held.set()
                        self.released.wait(180)
                target.sendall(block)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def wait_until_held(self):
        assert self.held.wait(180)

    def release(self):
        self.held_after = None
        self.released.set()

    def close(self):
        self.release()
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for each in self.connections:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(180)
        for each in self.connections:
            each.close()


@pytest.fixture
def wire(s3_server):
    made = Wire(s3_server)
    yield made
    made.close()
