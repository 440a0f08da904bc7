"""What `<channel>-manifest` lists."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def manifest_lines(source: Path) -> Iterator[str]:
    """List a channel as `<channel>-manifest` does: the prefix, then the URI of each file.

    On the platform the prefix is a key and the URIs are s3://; here both are those of the local files, and as in keys
    of S3 nothing is percent-encoded.
    """
    if not source.is_dir():
        yield f"{source}\n".lstrip("/")
        yield f"file://{source}\n"
        return
    yield f"{source}/\n".lstrip("/")
    for file in _files(str(source)):
        yield f"file://{file}\n"


def _files(folder: str) -> Iterator[str]:
    """Find the files of a folder, names in order; a link to a folder is followed once, not in circles."""
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        found = os.stat(here)  # noqa: PTH116 - thousands of names, as strings
        if (found.st_dev, found.st_ino) in seen:
            continue
        seen.add((found.st_dev, found.st_ino))
        with os.scandir(here) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                if _is_folder(entry):
                    waiting.append(entry.path)
                else:
                    yield entry.path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in circles
        return False
