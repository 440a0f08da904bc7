"""The model behind /ping and /invocations."""

import csv
import logging
import pathlib

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.requests import ClientDisconnect

from centres import load, nearest, rows

MODEL = pathlib.Path("/opt/ml/model/centres.json")

app = FastAPI(openapi_url=None)
log = logging.getLogger("uvicorn.error")

# Without a model the server still runs, so that /ping can say so.
try:
    centres = load(MODEL)
except (OSError, ValueError) as error:
    log.error("no model: %s", error)
    centres = None


def model():
    if centres is None:
        raise HTTPException(503, f"no model at {MODEL}")
    return centres


@app.exception_handler(HTTPException)
async def refused(request, error):
    return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code)


@app.exception_handler(ClientDisconnect)
async def gone(request, error):
    return Response(status_code=499)


@app.get("/ping")
def ping():
    model()
    return Response()


@app.post("/invocations")
async def invocations(request: Request):
    known = model()
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    body = await request.body()
    if kind != "text/csv":
        raise HTTPException(415, f"expected text/csv, got {kind or 'no content type'}")
    try:
        labels = [nearest(known, [float(cell) for cell in row]) for row in rows(body.decode())]
    except (ValueError, csv.Error) as error:
        raise HTTPException(400, f"not a table of numbers that this model knows: {error}") from error
    return Response("".join(f"{label}\n" for label in labels), media_type="text/csv")
