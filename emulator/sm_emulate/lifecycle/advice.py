"""What helps a person whose job is over, whatever its kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LAST_WORDS = 1024
"""Bytes of each host's log that are kept in mind."""
_LAST_WORDS = (
    (
        re.compile(rb"(?i)exec (container process `\S+`|\S+|user process caused): no such file or directory"),
        "the program is there, but not the interpreter that its first line names; or it has Windows line ends (CRLF)",
    ),
    (
        re.compile(rb"(?i)exec (container process `\S+`|\S+|user process caused): exec format error"),
        "the program is no script with a first line such as #!/bin/sh, or the image was built for another processor",
    ),
)


def words_about_the_start(last_words: Iterable[bytes]) -> Iterator[str]:
    """Explain what a shell or an init says of a program that it cannot run."""
    ends = list(last_words)
    yield from dict.fromkeys(words for pattern, words in _LAST_WORDS for end in ends if pattern.search(end))


def is_ordinary(user: str) -> bool:
    """Whether an image's USER is somebody other than root."""
    return user.partition(":")[0] not in {"", "root", "0"}
