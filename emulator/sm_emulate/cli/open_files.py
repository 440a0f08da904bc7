"""How many files and connections this process may have open."""

from __future__ import annotations

import resource
from contextlib import suppress

MOST = 65_536
"""More is not asked for: some systems have no limit, and some programs count up to it."""


def allow_many_files() -> None:
    """Raise the limit as far as this user may: each open stream takes two files, and 1,024 is usual."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # some systems allow less than they say; then it stays as it was
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
