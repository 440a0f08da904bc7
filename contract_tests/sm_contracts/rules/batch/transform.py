"""What batch transform asks of a container beyond what an endpoint asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sm_contracts.evidence.batch import AsyncBody, Chunked, ExecutionParameters, MultiRecord, Newlines, Order
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.batch import outputs, sources

if TYPE_CHECKING:
    from collections.abc import Iterator

_SINGLE_FAILS = Inconclusive("the sample payload is not answered record by record, see SM311")


@rule(
    "SM501",
    "execution-parameters",
    severity=Severity.ERROR,
    roles=Role.BATCH,
    needs=ExecutionParameters,
    source=sources.CODE,
)
def execution_parameters(seen: ExecutionParameters) -> Iterator[Outcome]:
    """GET /execution-parameters is answered with something else than JSON or 404.

    What:
        Before the first invocation the container was asked for GET /execution-parameters. It did not answer, broke with
        5xx, or answered 200 with what is no JSON object of MaxConcurrentTransforms, BatchStrategy and MaxPayloadInMB.

    Why:
        Every batch transform job asks for it, and takes from it what the request leaves open. 404 says that there
        are no wishes, and is normal. Catch-all routes and frameworks that answer unknown paths with an HTML page or an
        error of their own make jobs fail, or run with defaults that nobody chose.

    Fix:
        Answer 404, or 200 with `{"MaxConcurrentTransforms": 4, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}`,
        numbers as numbers and the strategy as `MULTI_RECORD` or `SINGLE_RECORD`.
    """
    shown = {
        "status": seen.status,
        "content_type": seen.content_type,
        "body": seen.body[:500].decode("utf-8", "replace"),
    }
    asked = "GET /execution-parameters"
    if seen.status is None:
        yield Fail(f"{asked} was not answered", shown)
    elif seen.status >= 500:
        yield Fail(f"{asked} is answered {seen.status}, where 404 says that there are no wishes", shown)
    elif seen.status == 200:
        wrong = _wrong(seen.body)
        yield Fail(f"{asked} is answered 200 with {wrong}", shown) if wrong else Pass(shown)
    else:
        yield Pass({"status": seen.status})


def _wrong(body: bytes) -> str | None:
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return "an HTML page" if body.lstrip()[:1] == b"<" else "what is no JSON"
    if not isinstance(found, dict):
        return "JSON that is no object"
    for name in ("MaxConcurrentTransforms", "MaxPayloadInMB"):
        value = found.get(name, 0)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            return f"{name} as {value!r}, which is no number"
    strategy = found.get("BatchStrategy", "MULTI_RECORD")
    if strategy not in {"MULTI_RECORD", "SINGLE_RECORD"}:
        return f"BatchStrategy as {strategy!r}, not MULTI_RECORD or SINGLE_RECORD"
    return None


@rule(
    "SM502",
    "record-count",
    severity=Severity.ERROR,
    roles=Role.BATCH,
    needs=MultiRecord,
    source=sources.ERRORS,
)
def record_count(seen: MultiRecord) -> Iterator[Outcome]:
    """The answer to several records is not one for each.

    What:
        Records of the sample payload were sent one in each request, which works, and then all in one body, as
        MULTI_RECORD does. The number of answers in the output is another than that of the records, blank lines and a
        header left aside (SM504). A container that refuses such a body is warned of only.

    Why:
        MULTI_RECORD is the default. Whoever reads the output tells by its position which record an answer belongs to;
        JoinSource fails for the whole object when the counts differ.

    Fix:
        Read every line of the body, and answer a line for each, a placeholder such as `ERROR` for one that cannot be
        read. A container that takes one record at a time says so: BatchStrategy SINGLE_RECORD in /execution-parameters.
    """
    count = len(seen.multi.records)
    if not seen.single.ok:
        yield _SINGLE_FAILS
        return
    if not seen.multi.ok:
        if seen.wants_single:
            yield Inconclusive("the container asks for SINGLE_RECORD and refuses several records in a body")
        else:
            words = f": {seen.multi.words[0]}" if seen.multi.words else ""
            yield Fail(
                f"{count} records in one body are refused, and one at a time they are not{words}",
                seen.multi.as_evidence(),
                Severity.WARNING,
            )
        return
    found = outputs.document(seen.multi)
    if found is not None:
        if outputs.listed(found, count) is not None:
            yield Pass({"records": count})
        else:
            yield Inconclusive(
                "the answer is one JSON document, in which no list has one entry for each record"
            )
        return
    lines = [line for line in seen.multi.lines if line.strip()]
    above = outputs.header(seen.one)
    if above is not None and len(lines) == count + 1 and lines[0] == above:
        lines = lines[1:]
    if len(lines) == count:
        yield Pass({"records": count})
    else:
        yield Fail(f"{count} records in one body are answered with {len(lines)}", seen.multi.as_evidence())


@rule(
    "SM503",
    "chunked-request",
    severity=Severity.WARNING,
    roles=Role.BATCH,
    needs=Chunked,
    source=sources.JOB,
)
def chunked_request(seen: Chunked) -> Iterator[Outcome]:
    """A request in chunks is refused.

    What:
        The sample payload is answered when it comes with Content-Length, and fails with `Transfer-Encoding: chunked`.

    Why:
        With MaxPayloadInMB 0 batch transform streams objects of any size in chunks. Servers that look for
        Content-Length see an empty body, or answer 411.

    Fix:
        Read the body as the framework's own parser gives it, and put a server in front that knows chunks: gunicorn,
        uvicorn and nginx do; WSGI programs must not trust CONTENT_LENGTH alone.
    """
    if not seen.whole.ok:
        yield Inconclusive("the sample payload is not answered, see SM311")
    elif not seen.chunked.ok:
        words = f": {seen.chunked.words[0]}" if seen.chunked.words else ""
        yield Fail(f"the sample payload fails in chunks{words}", seen.chunked.as_evidence())
    else:
        yield Pass({})


@rule(
    "SM504",
    "newline-policy",
    severity=Severity.WARNING,
    roles=Role.BATCH,
    needs=Newlines,
    source=sources.PROCESSING,
)
def newline_policy(seen: Newlines) -> Iterator[Outcome]:
    """The assembled output has blank lines or headers among its records.

    What:
        Records were sent one in each request and the answers put together with AssembleWith Line. The output has blank
        lines, or the same line above each answer.

    Why:
        AssembleWith Line ends each answer with a newline. An answer that ends with two, or begins with a header, leaves
        lines in the middle of the output that belong to no record, so that positions and JoinSource are wrong.

    Fix:
        Answer the predictions alone: no header, one newline between them, at most one at the end.
    """
    if not seen.single.ok or not seen.one.ok:
        yield _SINGLE_FAILS
        return
    lines, count = seen.single.lines, len(seen.single.records)
    blank = sum(not line.strip() for line in lines)
    if blank:
        yield Fail(
            f"the output of {count} records has {blank} blank line{'s' if blank > 1 else ''}",
            seen.single.as_evidence(),
        )
        return
    above = outputs.header(seen.one)
    if above is not None and _between(lines, above, count):
        yield Fail(f"each answer has a header: {above[:100]}", seen.single.as_evidence())
    else:
        yield Pass({"records": count, "lines": len(lines)})


def _between(lines: list[str], above: str, count: int) -> bool:
    """Tell whether each answer has the same line above it, and the answers themselves differ."""
    return len(lines) == 2 * count and set(lines[::2]) == {above} and len(set(lines[1::2])) > 1


@rule(
    "SM505",
    "async-limits",
    severity=Severity.WARNING,
    roles=Role.ASYNC,
    needs=AsyncBody,
    source=sources.ASYNC,
)
def async_limits(seen: AsyncBody) -> Iterator[Outcome]:
    """A body of 100 MB is refused because of its size.

    What:
        A body of 100 MB was sent to POST /invocations. It was answered with 413, or the connection was cut while a
        small body of the same kind is answered. Whether the content makes sense is not judged.

    Why:
        Asynchronous inference passes on payloads of up to 1 GB, and waits for an hour. The limits of the container's
        own server, often 25 MB for real-time endpoints, stay in force.

    Fix:
        Raise them: `client_max_body_size 0` in nginx, MAX_CONTENT_LENGTH in Flask, TS_MAX_REQUEST_SIZE in TorchServe,
        and the timeouts with them.
    """
    large = seen.large
    if large.status == 413:
        yield Fail("a body of 100 MB is answered with 413", large.as_json())
    elif large.failure in {"reset", "closed"} and seen.small.answered:
        yield Fail(
            f"a body of 100 MB was sent, and the container {large}; a small one is answered {seen.small.status}",
            large.as_json(),
        )
    elif large.failure:
        yield Inconclusive(f"a body of 100 MB was sent, and the container {large}")
    else:
        yield Pass({"status": large.status})


@rule(
    "SM506",
    "answers-out-of-order",
    severity=Severity.ERROR,
    roles=Role.BATCH,
    needs=Order,
    source=sources.ERRORS,
)
def answers_out_of_order(seen: Order) -> Iterator[Outcome]:
    """The answers to several records come in another order than the records.

    What:
        Records that are answered differently were sent one in each request, and then all in one body. The same answers
        came back, in another order.

    Why:
        Nothing but its position tells which record an answer belongs to: not the output object, and not JoinSource,
        which puts each answer beside the record at the same place.

    Fix:
        Keep the order. Work that is shared out among threads or sorted by length has to be put back in place.
    """
    single, multi = outputs.answers(seen.single), outputs.answers(seen.multi)
    if single is None or multi is None:
        yield Inconclusive("the answers to single records cannot be told apart in the output", "see SM502")
    elif all(outputs.same(single[0], other) for other in single):
        yield Inconclusive("all records have the same answer", "give a payload of records that differ")
    elif all(map(outputs.same, single, multi)):
        yield Pass({"records": len(single)})
    elif outputs.reordered(single, multi):
        yield Fail(
            f"{len(single)} records in one body are answered in another order",
            {"one_at_a_time": single, "in_one_body": multi},
        )
    else:
        yield Inconclusive("the answers depend on what else is in a body, or on chance")
