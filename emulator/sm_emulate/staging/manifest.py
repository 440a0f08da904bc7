"""What `<channel>-manifest` lists of a channel that lies on this machine.

As a program, with the channel's path, it writes that to stdout: see `listings`. It imports little, therefore.
"""

from __future__ import annotations

import os
import sys
from collections import deque

TYPE_CHECKING = False  # as in `typing`, whose import would take a tenth of the time
if TYPE_CHECKING:
    from collections.abc import Iterator


def manifest_lines(source: str) -> Iterator[bytes]:
    """List a channel as `<channel>-manifest` does: the prefix, then the URI of each file; some lines at a time.

    On the platform the prefix is a key and the URIs are s3://; here both are those of the local files, and as in keys
    of S3 nothing is percent-encoded. Files are in the order that their keys would have there.
    """
    folder = os.path.isdir(source)  # noqa: PTH112  # as a string, like all that follows
    yield os.fsencode((f"{source}/\n" if folder else f"{source}\n").lstrip("/"))
    if folder:
        yield from map(os.fsencode, _files(source))
    else:
        yield os.fsencode(f"file://{source}\n")


def _files(folder: str) -> Iterator[str]:
    """Find the files of a folder; a link to a folder is followed once, not in circles.

    A channel has 100,000 files now and then, and its container waits for this: little is done for each file.
    """
    seen: set[tuple[int, int]] = set()
    ways = [(folder, *_names(folder, seen))]
    while ways:
        here, names, folders = ways[-1]
        at = names.index(folders[0]) if folders else len(names)
        if at:
            start = f"file://{here}/"
            yield start + f"\n{start}".join(names[:at]) + "\n"
        if folders:
            below = f"{here}/{folders.popleft()[:-1]}"
            del names[: at + 1]
            ways.append((below, *_names(below, seen)))
        else:
            ways.pop()


def _names(folder: str, seen: set[tuple[int, int]]) -> tuple[list[str], deque[str]]:
    """Give the names in a folder, and those of folders alone, which end in a slash: so they sort as their keys do."""
    found = os.stat(folder)  # noqa: PTH116  # as a string, like all that follows
    if (found.st_dev, found.st_ino) in seen:
        return [], deque()
    seen.add((found.st_dev, found.st_ino))
    folders: list[str] = []

    def noted(name: str) -> str:
        folders.append(f"{name}/")
        return folders[-1]

    try:
        with os.scandir(folder) as entries:
            names = [noted(entry.name) if entry.is_dir() else entry.name for entry in entries]
    except OSError:  # a link that leads round in circles, most likely
        folders.clear()
        with os.scandir(folder) as entries:
            names = [noted(entry.name) if _is_folder(entry) else entry.name for entry in entries]
    names.sort()
    return names, deque(sorted(folders))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


if __name__ == "__main__":
    sys.stdout.buffer.writelines(manifest_lines(sys.argv[1]))
