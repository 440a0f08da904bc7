"""Sessions in memory, each with an end that is told when it begins."""

import time
import uuid

SECONDS = 30 * 60
MOST = 1000


class Full(Exception):
    """No further session fits."""


class Sessions:
    def __init__(self, seconds=SECONDS, most=MOST):
        self._seconds, self._most = seconds, most
        self._open = {}

    def open(self, state):
        """The id, and when it expires: seconds since 1970."""
        now = time.time()
        self._open = {name: each for name, each in self._open.items() if each[0] > now}
        if len(self._open) >= self._most:
            raise Full
        name, until = str(uuid.uuid4()), int(now) + self._seconds
        self._open[name] = until, state
        return name, until

    def state(self, name):
        """What the session holds; None if it was never opened, is closed or has expired."""
        until, state = self._open.get(name, (0, None))
        return state if until > time.time() else None

    def close(self, name):
        self._open.pop(name, None)
