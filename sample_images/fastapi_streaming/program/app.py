"""/ping, /invocations that streams, and the chat path of OpenAI clients."""

import json
import logging

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.requests import ClientDisconnect

import writer

WORDS = 20

app = FastAPI(openapi_url=None)
log = logging.getLogger("uvicorn.error")


@app.exception_handler(HTTPException)
async def refused(request, error):
    return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code)


@app.exception_handler(ClientDisconnect)
async def gone(request, error):
    return Response(status_code=499)


async def json_of(request):
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    body = await request.body()
    if kind != "application/json":
        raise HTTPException(415, f"expected application/json, got {kind or 'no content type'}")
    try:
        asked = json.loads(body)
    except ValueError as error:
        raise HTTPException(400, f"not JSON: {error}") from error
    if not isinstance(asked, dict):
        raise HTTPException(400, "expected a JSON object")
    return asked


def count_of(asked):
    count = asked.get("max_tokens", WORDS)
    if type(count) is not int or not 0 < count <= writer.MOST_WORDS:
        raise HTTPException(400, f"max_tokens: expected 1 to {writer.MOST_WORDS}")
    return count


def record(value):
    return json.dumps(value) + "\n"


def event(value):
    return f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n"


async def guarded(parts, line):
    """Tell an error within the stream, as its last record: the status was sent long ago."""
    try:
        async for part in parts:
            yield part
    except Exception as error:
        log.exception("within a stream")
        yield line({"error": type(error).__name__})


@app.get("/ping")
def ping():
    return Response()


@app.post("/invocations")
async def invocations(request: Request):
    asked = await json_of(request)
    prompt, count = asked.get("prompt"), count_of(asked)
    if not isinstance(prompt, str):
        raise HTTPException(400, "prompt: expected a string")
    wants_events = "text/event-stream" in request.headers.get("accept", "")
    line = event if wants_events else record

    async def parts():
        async for word in writer.write(prompt, count):
            yield line({"word": word})

    kind = "text/event-stream" if wants_events else "application/x-ndjson"
    return StreamingResponse(guarded(parts(), line), media_type=kind)


@app.post("/v1/chat/completions")
async def chat(request: Request):
    asked = await json_of(request)
    count, model = count_of(asked), str(asked.get("model", "writer"))
    try:
        prompt = str(asked["messages"][-1]["content"])
    except (KeyError, IndexError, TypeError) as error:
        raise HTTPException(400, "messages: expected a list of objects with content") from error
    about = {"id": "chatcmpl-1", "created": 0, "model": model}
    if asked.get("stream") is not True:
        words = " ".join([word async for word in writer.write(prompt, count)])
        message = {"index": 0, "message": {"role": "assistant", "content": words}, "finish_reason": "length"}
        return JSONResponse(about | {"object": "chat.completion", "choices": [message]})

    async def events():
        async for word in writer.write(prompt, count):
            delta = {"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}
            yield event(about | {"object": "chat.completion.chunk", "choices": [delta]})
        last = {"index": 0, "delta": {}, "finish_reason": "length"}
        yield event(about | {"object": "chat.completion.chunk", "choices": [last]})
        yield event("[DONE]")

    return StreamingResponse(guarded(events(), event), media_type="text/event-stream")
