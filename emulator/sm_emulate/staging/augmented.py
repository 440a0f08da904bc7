"""Augmented manifests: JSON Lines, of which chosen attributes are sent.

https://docs.aws.amazon.com/sagemaker/latest/dg/augmented-manifest.html
"""

from __future__ import annotations

import io
import json
import os
from array import array
from dataclasses import dataclass
from functools import cache
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO

from sm_emulate.errors import RequestError
from sm_emulate.request.location import local_path
from sm_emulate.staging.channel_data import uri_of
from sm_emulate.storage.s3_uri import is_s3
from sm_emulate.storage.stores import store_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from sm_emulate.request.channel import S3DataSource
    from sm_emulate.storage.objects import ObjectStore, StoredObject
    from sm_emulate.storage.s3_place import S3Place

REFERENCE = "-ref"
"""Ends the names of attributes whose value is the URI of an object."""
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One attribute of one line that is to be sent."""

    text: str
    reference: bool
    """Whether the text is the URI of the object to send."""


class Referred:
    """Finds the objects that a manifest refers to, and the manifest itself.

    Args:
        s3: which S3 is meant.
        source: the channel's.
    """

    def __init__(self, s3: S3Place, source: S3DataSource) -> None:
        self._uri = uri_of(source)
        path = source.local_path
        self._base = None if path is None else path.parent
        # a store opens a connection, and serves all that lies in it
        self._store: Callable[[str], ObjectStore] = cache(lambda scheme: store_of(scheme, s3))

    def manifest(self) -> BinaryIO:
        """Open the manifest.

        Raises:
            RequestError: it is not there.
        """
        store, found = self.find(self._uri)
        return store.open(found)

    def find(self, uri: str) -> tuple[ObjectStore, StoredObject]:
        """Find an object; in a local manifest also by its path, absolute or from the manifest's folder.

        Raises:
            RequestError: it is not there.
        """
        if not is_s3(uri):
            path = local_path(uri, base_dir=self._base)
            uri = uri if path is None else f"file://{path.absolute()}"
        store = self._store(uri[: uri.find("://") + 3])
        found = store.find(uri)
        if found is None:
            raise RequestError("an object of the augmented manifest is not there", value=uri)
        return store, found


class AugmentedManifest:
    """The lines of a manifest, found again without keeping them in memory.

    Args:
        file: the manifest, read once; it is closed with this.
        scratch: where a copy of it is kept if it does not lie on this machine.
        names: AttributeNames.
        quoted: send strings with their JSON quotes.

    Raises:
        RequestError: a line is no JSON object or lacks an attribute.
    """

    def __init__(self, file: BinaryIO, *, scratch: Path, names: Sequence[str], quoted: bool) -> None:
        self._names, self._quoted = tuple(names), quoted
        self._file = _kept(file, scratch)
        self._starts = array("Q")
        self._lengths = array("Q")
        try:
            self._index()
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, line: int) -> list[Attribute]:
        text = os.pread(self._file.fileno(), self._lengths[line], self._starts[line])
        return self._attributes(text, f"line {line + 1}")

    def close(self) -> None:
        self._file.close()

    def _index(self) -> None:
        start = 0
        with os.fdopen(os.dup(self._file.fileno()), "rb") as lines:
            lines.seek(0)
            for line in lines:
                if line.strip():
                    self._starts.append(start)
                    self._lengths.append(len(line))
                    self._attributes(line, f"line {len(self._starts)}")
                start += len(line)

    def _attributes(self, line: bytes, name: str) -> list[Attribute]:
        try:
            found = members(line.decode())
        except ValueError as error:
            raise RequestError(f"{name} of the augmented manifest is no JSON object: {error}") from error
        if missing := [each for each in self._names if each not in found]:
            raise RequestError(f"{name} of the augmented manifest has no attribute {missing[0]}")
        return [self._attribute(each, *found[each], line=name) for each in self._names]

    def _attribute(self, name: str, value: object, text: str, *, line: str) -> Attribute:
        reference = name.endswith(REFERENCE)
        if isinstance(value, str):
            return Attribute(text=text if self._quoted and not reference else value, reference=reference)
        if reference:
            raise RequestError(f"{line} of the augmented manifest: {name} is no URI but {text}")
        return Attribute(text=text, reference=False)


def members(text: str) -> dict[str, tuple[object, str]]:
    """Read a JSON object: each member's value, and the very text that it stands in (`1.0` is not `1`).

    Raises:
        ValueError: it is none.
    """
    found: dict[str, tuple[object, str]] = {}
    decode = json.JSONDecoder().raw_decode
    at = _after(text, _blank(text, 0), "{")
    if text[at : at + 1] != "}":
        while True:
            key, end = decode(text, at)
            if not isinstance(key, str):
                raise ValueError(f"{key!r} is no name")  # noqa: TRY004  # of the text, not of an argument
            at = _after(text, _blank(text, end), ":")
            value, end = decode(text, at)
            found[key] = (value, text[at:end])
            at = _blank(text, end)
            if text[at : at + 1] != ",":
                break
            at = _after(text, at, ",")
    if rest := text[_after(text, at, "}") :]:
        raise ValueError(f"more behind it: {rest[:40]}")
    return found


def _blank(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n"):
        at += 1
    return at


def _after(text: str, at: int, sign: str) -> int:
    if text[at : at + 1] != sign:
        raise ValueError(f"{sign} expected at character {at + 1}")
    return _blank(text, at + 1)


def _kept(file: BinaryIO, scratch: Path) -> io.FileIO:
    """Give a file of this machine with the same content; the one given is closed, or given back."""
    if isinstance(file, io.FileIO):
        return file
    with file:
        copy = TemporaryFile(dir=scratch, buffering=0)  # noqa: SIM115  # it is closed with the manifest
        pieces: Iterable[bytes] = iter(lambda: file.read(_CHUNK), b"")
        for piece in pieces:
            copy.write(piece)
        return copy
