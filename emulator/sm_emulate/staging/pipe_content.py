"""What a Pipe channel sends: the pieces of each epoch, in their order."""

from __future__ import annotations

import io
import os
from contextlib import closing
from dataclasses import dataclass
from random import Random
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO, Protocol

from sm_emulate.errors import RequestError
from sm_emulate.request.channel import FULLY_REPLICATED, S3DataSource
from sm_emulate.staging import recordio
from sm_emulate.staging.augmented import AugmentedManifest, Referred
from sm_emulate.staging.channel_data import channel_data, shard
from sm_emulate.storage.inflate import inflating

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from sm_emulate.request.channel import Channel
    from sm_emulate.spec.settings import Settings
    from sm_emulate.staging.channel_data import ChannelData
    from sm_emulate.staging.cluster import Host
    from sm_emulate.storage.fifo import Readable
    from sm_emulate.storage.objects import ObjectStore, StoredObject
    from sm_emulate.storage.s3_place import S3Place

_CHUNK = 1 << 20
_IN_MEMORY = 8 << 20
"""An unpacked object up to this size is measured in memory before it becomes a record, a larger one on disk."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """The next bytes of an open file."""

    file: Readable
    size: int | None
    """None for all to its end."""


Piece = bytes | Span


class _Items(Protocol):
    """What is sent one after the other and shuffled as a whole: objects, or lines."""

    def __len__(self) -> int: ...

    def pieces(self, item: int) -> Iterator[Piece]: ...

    def close(self) -> None: ...


class PipeContent:
    """The content of one channel, for all its hosts.

    Args:
        channel: read from S3, in Pipe mode.
        hosts: who gets it.
        s3: which S3 is meant.
        settings: what is unsure.
        scratch: a folder for what has to be kept on disk for a while; nothing in it has a name.

    Raises:
        RequestError: a manifest cannot be followed.
        SmEmulateError: its objects cannot be listed.
    """

    def __init__(
        self, channel: Channel, *, hosts: Sequence[Host], s3: S3Place, settings: Settings, scratch: Path
    ) -> None:
        source = channel.data_source
        assert isinstance(source, S3DataSource), "file systems are for File mode only"
        self._hosts, self._seed, self._settings = list(hosts), channel.shuffle_seed, settings
        self._sharded = source.distribution != FULLY_REPLICATED
        form = _Form(
            gzip=channel.compression_type == "Gzip",
            record_io=channel.record_wrapper_type == "RecordIO",
            scratch=scratch,
        )
        self._items = _items(source, form, s3, settings)

    def __len__(self) -> int:
        """Count the objects or lines."""
        return len(self._items)

    def epoch(self, number: int, host: Host) -> Generator[Piece, None, None]:
        """Give what a host is sent in an epoch, counted from 0. A span is valid until the next piece is asked for.

        Raises:
            RequestError: an object is not what the request says.
            SmEmulateError: an object cannot be read.
        """
        for item in self._order(number, host):
            yield from self._items.pieces(item)

    def close(self) -> None:
        self._items.close()

    def _order(self, number: int, host: Host) -> Sequence[int]:
        """Shuffle first and share out then, so that what a host gets may change from epoch to epoch."""
        order: Sequence[int] = range(len(self._items))
        if self._seed is not None:
            shuffled = list(order)
            # which order SageMaker's seed gives is not published: ours is the same on every machine
            Random(f"{self._seed}/{number}").shuffle(shuffled)  # noqa: S311  # not for secrets
            order = shuffled
        if not self._sharded:
            return order
        return shard(order, host=host, hosts=self._hosts, settings=self._settings)


def _items(source: S3DataSource, form: _Form, s3: S3Place, settings: Settings) -> _Items:
    if source.s3_data_type != "AugmentedManifestFile":
        return _Objects(channel_data(source, s3=s3), form)
    place = Referred(s3, source)
    manifest = AugmentedManifest(
        place.manifest(),
        scratch=form.scratch,
        names=source.attribute_names,
        quoted=settings.text("augmented-string-attributes") == "quoted",
    )
    return _Lines(manifest, place, form)


class _Objects:
    def __init__(self, data: ChannelData, form: _Form) -> None:
        self._data, self._form = data, form

    def __len__(self) -> int:
        return len(self._data.objects)

    def pieces(self, item: int) -> Iterator[Piece]:
        return self._form.of_object(self._data.store, self._data.objects[item])

    def close(self) -> None:
        """Nothing is open."""


class _Lines:
    def __init__(self, manifest: AugmentedManifest, referred: Referred, form: _Form) -> None:
        self._manifest, self._referred, self._form = manifest, referred, form

    def __len__(self) -> int:
        return len(self._manifest)

    def pieces(self, item: int) -> Iterator[Piece]:
        for attribute in self._manifest[item]:
            if attribute.reference:
                yield from self._form.of_object(*self._referred.find(attribute.text))
            else:
                yield self._form.of_bytes(attribute.text.encode())

    def close(self) -> None:
        self._manifest.close()


class _Form:
    """How an object is sent: unpacked, wrapped, or as it is."""

    def __init__(self, *, gzip: bool, record_io: bool, scratch: Path) -> None:
        self.scratch = scratch
        self._gzip, self._record_io = gzip, record_io

    def of_bytes(self, data: bytes) -> bytes:
        return recordio.record(data) if self._record_io else data

    def of_object(self, store: ObjectStore, found: StoredObject) -> Iterator[Piece]:
        with closing(store.open(found)) as raw:
            if not self._gzip:
                size = os.fstat(raw.fileno()).st_size if isinstance(raw, io.FileIO) else found.size
                yield from self._sized(raw, size)
                return
            with closing(_Unpacked(raw, found.uri)) as unpacked:
                if not self._record_io:
                    yield Span(file=unpacked, size=None)
                    return
                # a record begins with its length, which is known when all of it is unpacked
                begin = unpacked.read(_IN_MEMORY)
                if len(begin) < _IN_MEMORY:
                    yield recordio.record(begin)
                    return
                with TemporaryFile(dir=self.scratch, buffering=0) as whole:
                    whole.write(begin)
                    while data := unpacked.read(_CHUNK):
                        whole.write(data)
                    size = whole.seek(0, os.SEEK_CUR)
                    whole.seek(0)
                    yield from self._sized(whole, size)

    def _sized(self, file: Readable, size: int) -> Iterator[Piece]:
        if not self._record_io:
            yield Span(file=file, size=size)
            return
        for part in recordio.parts(size):
            yield part.header
            yield Span(file=file, size=part.length)
            if part.padding:
                yield part.padding


class _Unpacked:
    """A gzip object unpacked while it is read, all its members; where it is damaged it says whose bytes they are."""

    def __init__(self, raw: BinaryIO, uri: str) -> None:
        self._uri = uri
        self._file, damage = inflating(raw)
        self._damage: tuple[type[Exception], ...] = (EOFError, *damage)

    def read(self, size: int, /) -> bytes:
        try:
            data: bytes = self._file.read(size)
        except self._damage as error:
            raise RequestError(f"{self._uri} is no gzip, or not whole: {error}") from error
        return data

    def close(self) -> None:
        self._file.close()
