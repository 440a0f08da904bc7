"""A body's way through the containers of an instance: what one answers is what the next is asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sm_emulate.gateway.caller import Caller, TooSlowError
from sm_emulate.spec import transform_job as spec
from sm_emulate.staging.payloads import BadInputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from sm_emulate.gateway.caller import CallAnswer
    from sm_emulate.gateway.front import Upstream

_CONTENT_TYPE = "content-type"


@dataclass(frozen=True, kw_only=True)
class Passing:
    """What the containers of a pipeline are asked, and what goes from one to the next.

    Args:
        names: of all of them, in their order.
        headers: of every request to each, but for the content type, which is that of the answer before.
        limit_bytes: the longest answer that one hands to the next; None for any.
        timeout_each: the time for an answer begins anew with each; else all of them share it.
    """

    names: tuple[str, ...]
    headers: tuple[Mapping[str, str], ...]
    limit_bytes: int | None = None
    timeout_each: bool = False


class Way:
    """A kept connection to each container of an instance.

    Args:
        upstream: where the first listens, and the others beside it.
        headers: of every request to a single container, Host among them.
        passing: where there are several.
        connect_timeout_s: for a connection to be accepted.
    """

    def __init__(
        self,
        upstream: Upstream,
        headers: Mapping[str, str],
        passing: Passing | None,
        *,
        connect_timeout_s: float,
    ) -> None:
        self._passing = passing
        each = (headers,) if passing is None else passing.headers
        self._callers = [
            Caller(where, sent, connect_timeout_s=connect_timeout_s)
            for where, sent in zip((upstream, *upstream.beside), each, strict=True)
        ]
        self.asked: str | None = None
        """The container that was asked last; None where there is one."""

    async def ask(self, body: bytes | AsyncIterator[bytes], *, timeout_s: float) -> CallAnswer:
        """Give the last container's answer, or the first that is none of 2xx.

        Raises:
            NoAnswerError: there is none within `timeout_s`, or it broke off.
            BadInputError: a container is given no answer of that length.
        """
        first = self._callers[0]
        passing = self._passing
        if passing is None:
            return await first.call("POST", spec.INVOCATIONS, body, timeout_s=timeout_s)
        deadline = time.monotonic() + timeout_s
        headers: dict[str, str] | None = None
        last = len(self._callers) - 1
        for number, caller in enumerate(self._callers):
            self.asked = passing.names[number]
            left = timeout_s if passing.timeout_each else max(0.0, deadline - time.monotonic())
            try:
                answer = await caller.call("POST", spec.INVOCATIONS, body, timeout_s=left, headers=headers)
            except TooSlowError:
                raise TooSlowError(f"no answer within {timeout_s:g} s") from None
            if number == last or not 200 <= answer.status < 300:
                return answer
            self._check(number, answer, passing)
            body = answer.body
            kind = answer.headers.get(_CONTENT_TYPE)
            headers = None if kind is None else {"Content-Type": kind}
        raise AssertionError("the last container's answer is returned")

    def close(self) -> None:
        """Let go of the connections."""
        for caller in self._callers:
            caller.close()

    @staticmethod
    def _check(number: int, answer: CallAnswer, passing: Passing) -> None:
        limit, size = passing.limit_bytes, len(answer.body)
        if limit is not None and size > limit:
            giver, taker = passing.names[number : number + 2]
            raise BadInputError(spec.too_long_between(giver, taker, size=size, limit=limit))
