"""A mean that remembers: within a session, each request adds numbers to those that came before."""

import json
import time

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.requests import ClientDisconnect

from sessions import Full, Sessions

SESSION = "X-Amzn-SageMaker-Session-Id"
OPENED, CLOSED = "X-Amzn-SageMaker-New-Session-Id", "X-Amzn-SageMaker-Closed-Session-Id"

app = FastAPI(openapi_url=None)
sessions = Sessions()


@app.exception_handler(HTTPException)
async def refused(request, error):
    return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code)


@app.exception_handler(ClientDisconnect)
async def gone(request, error):
    return Response(status_code=499)


async def read(request):
    """The word and the numbers of a request."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    body = await request.body()
    if kind != "application/json":
        raise HTTPException(415, f"expected application/json, got {kind or 'no content type'}")
    try:
        asked = json.loads(body)
        word = asked.get("requestType", "")
        numbers = [float(each) for each in asked.get("numbers", [])]
    except (ValueError, TypeError, AttributeError) as error:
        raise HTTPException(400, f"expected an object with numbers: {error}") from error
    if word not in ("", "NEW_SESSION", "CLOSE"):
        raise HTTPException(400, f"requestType: expected NEW_SESSION or CLOSE, got {word}")
    if not word and not numbers:
        raise HTTPException(400, "numbers: expected one or more")
    return word, numbers


def told(numbers, headers=None):
    mean = sum(numbers) / len(numbers) if numbers else None
    return JSONResponse({"count": len(numbers), "mean": mean}, headers=headers)


@app.get("/ping")
def ping():
    return Response()


@app.post("/invocations")
async def invocations(request: Request):
    word, numbers = await read(request)
    session = request.headers.get(SESSION)
    if session is None:
        return told(numbers)
    if session == "NEW_SESSION":
        return begin(numbers)
    known = sessions.state(session)
    if known is None:
        raise HTTPException(404, f"session {session} is not open")
    known.extend(numbers)
    if word == "CLOSE":
        sessions.close(session)
        return told(known, {CLOSED: session})
    return told(known)


def begin(numbers):
    known = list(numbers)
    try:
        name, until = sessions.open(known)
    except Full:
        raise HTTPException(429, "too many sessions are open") from None
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
    return told(known, {OPENED: f"{name}; Expires={expires}"})
