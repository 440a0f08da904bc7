"""/ping, /invocations, and a conversation at /invocations-bidirectional-stream: what comes in goes out in capitals."""

import logging

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import PlainTextResponse, Response

app = FastAPI(openapi_url=None)
log = logging.getLogger("uvicorn.error")

TRY_AGAIN_LATER = 1013


def shouted(text):
    return text.upper()


@app.get("/ping")
def ping():
    return Response()


@app.post("/invocations")
async def invocations(request: Request):
    """Answer one text; the same model for callers who do not converse."""
    try:
        text = (await request.body()).decode()
    except UnicodeDecodeError:
        return PlainTextResponse("expected UTF-8\n", status_code=400)
    return PlainTextResponse(shouted(text))


@app.websocket("/invocations-bidirectional-stream")
async def converse(socket: WebSocket):
    """Answer each message of the caller, text or bytes, as it comes; end at the word `bye`."""
    await socket.accept()
    while (message := await socket.receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text is None:
            # the platform sends bytes for every part whose DataType is not UTF8, be it JSON
            await socket.send_bytes(bytes(message["bytes"]).upper())
        elif text == "bye":
            await socket.close(TRY_AGAIN_LATER, "bye")
            return
        else:
            await socket.send_text(shouted(text))
