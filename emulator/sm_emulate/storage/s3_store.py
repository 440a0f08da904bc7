"""S3 as a store of objects, through boto3, which is imported when the first object is asked for."""

from __future__ import annotations

import io
import os
import threading
from contextlib import closing, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sm_emulate.errors import RequestError, SmEmulateError, StorageError
from sm_emulate.storage.objects import StoredObject
from sm_emulate.storage.s3_trouble import asked
from sm_emulate.storage.s3_uri import bucket_and_key, s3_uri
from sm_emulate.storage.trouble import told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sm_emulate.storage.s3_place import S3Place

CONNECTIONS = 32
PAGE = 1000
"""Keys that are listed at a time: as many as S3 gives."""
CHUNK = 1 << 20
READS_AGAIN = 4
"""Times that a broken connection is replaced by one that goes on where it broke."""


class S3Store:
    """What lies in an S3: an `ObjectStore`. Its threads share one client."""

    def __init__(self, s3: S3Place) -> None:
        self._s3 = s3
        self._making = threading.Lock()
        self._session: Any = None
        self.given_up = False
        """Set by who wants nothing more: broken connections are not replaced from then on."""

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """Find every object whose key begins with a prefix, a page of 1000 at a time."""
        bucket, start = bucket_and_key(prefix)
        with asked(prefix, self._s3):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=start, PaginationConfig={"PageSize": PAGE}
            )
            for page in pages:
                for found in page.get("Contents", ()):
                    if not found["Key"].endswith("/"):
                        yield StoredObject(
                            uri=s3_uri(bucket, found["Key"]),
                            key=found["Key"],
                            size=found["Size"],
                            etag=found["ETag"].strip('"'),
                        )

    def find(self, uri: str) -> StoredObject | None:
        """Look up one object."""
        from botocore.exceptions import ClientError

        bucket, key = bucket_and_key(uri)
        with asked(uri, self._s3):
            try:
                head = self._client.head_object(Bucket=bucket, Key=key)
            except ClientError as failure:
                if failure.response.get("Error", {}).get("Code") in ("404", "NoSuchKey", "NotFound"):
                    return None
                raise
        return StoredObject(uri=uri, key=key, size=head["ContentLength"], etag=head["ETag"].strip('"'))

    def check_writable(self, uri: str) -> None:
        """Make sure that the bucket is there; whether it may be written to is seen only when it is."""
        from botocore.exceptions import ClientError

        bucket, _ = bucket_and_key(uri)
        with asked(uri, self._s3):
            try:
                self._client.head_bucket(Bucket=bucket)
            except ClientError as failure:
                code = failure.response.get("Error", {}).get("Code")
                if code in ("403", "AccessDenied"):  # one may be allowed to put objects and nothing else
                    return
                if code == "404":  # the answer to a HEAD has no words
                    failure.response["Error"]["Code"] = "NoSuchBucket"
                raise

    def open(self, found: StoredObject, *, start: int = 0, size: int | None = None) -> BinaryIO:
        """Read an object, or `size` bytes of it, from its byte `start` on; a connection that breaks is replaced."""
        end = found.size if size is None else start + size
        return cast("BinaryIO", io.BufferedReader(_Body(self, found, start, end), CHUNK))

    def fetch(self, found: StoredObject, target: Path) -> None:
        """Copy an object to a file that is not there yet."""
        draft = target.with_name(f".{target.name[:200]}.{os.getpid()}.{threading.get_ident():x}.new")
        with told("the data cannot be kept", target):
            try:
                with draft.open("wb", buffering=0) as file, closing(self.open(found)) as stream:
                    while chunk := stream.read(CHUNK):
                        file.write(chunk)
                draft.replace(target)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise

    def put(self, source: Path, uri: str) -> None:
        """Store a file, large ones in parts."""
        bucket, key = bucket_and_key(uri)
        with told("the file cannot be stored", source), asked(uri, self._s3):
            self._client.upload_file(str(source), bucket, key)

    def delete(self, uri: str) -> None:
        """Remove an object; S3 does not mind if it is gone."""
        bucket, key = bucket_and_key(uri)
        with asked(uri, self._s3):
            self._client.delete_object(Bucket=bucket, Key=key)

    def range(self, found: StoredObject, start: int, end: int) -> Any:
        """Ask for the bytes from `start` up to `end`, as long as the object is the one that was found."""
        bucket, key = bucket_and_key(found.uri)
        with asked(found.uri, self._s3):
            whole = {} if start == 0 and end >= found.size else {"Range": f"bytes={start}-{end - 1}"}
            return self._client.get_object(Bucket=bucket, Key=key, IfMatch=f'"{found.etag}"', **whole)["Body"]

    def connection(self, bucket: str) -> tuple[str, str | None, tuple[str, str] | None]:
        """Give the address, a bucket's region and the keys that are used, None for keys that end before long."""
        from botocore.exceptions import ClientError

        with asked(s3_uri(bucket, ""), self._s3):
            found = self._client.meta
            region = found.region_name
            with suppress(ClientError):  # one may be allowed to read objects and nothing else
                region = self._client.head_bucket(Bucket=bucket).get("BucketRegion") or region
            if self._s3.access_key is not None:
                return found.endpoint_url, region, (self._s3.access_key, self._s3.secret_key or "")
            keys = self._session.get_credentials().get_frozen_credentials()
        return found.endpoint_url, region, None if keys.token else (keys.access_key, keys.secret_key)

    @property
    def place(self) -> S3Place:
        return self._s3

    @property
    def _client(self) -> Any:
        with self._making:  # boto3's sessions are not for several threads, its clients are
            return self._made

    @cached_property
    def _made(self) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=10,
            read_timeout=30,
            max_pool_connections=CONNECTIONS,
            retries={"mode": "standard"},
            # what is not AWS seldom knows the newer checksums, nor buckets as names of hosts
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if self._s3.endpoint_url else None,
        )
        try:
            with asked("s3://", self._s3):
                self._session = boto3.session.Session()
                return self._session.client(
                    "s3",
                    endpoint_url=self._s3.endpoint_url,
                    aws_access_key_id=self._s3.access_key,
                    aws_secret_access_key=self._s3.secret_key,
                    config=config,
                )
        except ValueError as failure:
            raise RequestError(
                "this is no address of an S3",
                value=self._s3.name,
                expected="http://HOST:PORT or https://HOST",
            ) from failure


class _Body(io.RawIOBase):
    """The bytes of an object between two places."""

    def __init__(self, store: S3Store, found: StoredObject, start: int, end: int) -> None:
        super().__init__()
        self._store, self._found, self._at, self._end = store, found, start, end
        self._again = READS_AGAIN
        self._stream: Any = store.range(found, start, end) if end > start else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        view = memoryview(buffer).cast("B")
        while self._at < self._end:
            broken: SmEmulateError | None = None
            data = b""
            try:
                with asked(self._found.uri, self._store.place):
                    data = self._stream.read(min(len(view), self._end - self._at))
            except SmEmulateError as failure:
                if not isinstance(failure.__cause__, (BotoCoreError, HTTPError)):
                    raise
                broken = failure
            if data:
                view[: len(data)] = data
                self._at += len(data)
                return len(data)
            if self._again == 0 or self._store.given_up:
                raise broken or StorageError("S3 sends less than it has said", value=self._found.uri)
            self._again -= 1
            self._stream.close()
            self._stream = self._store.range(self._found, self._at, self._end)
        return 0

    def close(self) -> None:
        if not self.closed and self._stream is not None:
            self._stream.close()
        super().close()
