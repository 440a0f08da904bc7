"""Second container: what the preprocessor gives goes in, labels come out."""

import json
import logging
import pathlib

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response

import refusal

MODEL = pathlib.Path("/opt/ml/model/centres.json")

app = FastAPI(openapi_url=None)
refusal.add_to(app)
log = logging.getLogger("uvicorn.error")

# Without a model the server still runs, so that /ping can say so.
try:
    centres = json.loads(MODEL.read_text())
except (OSError, ValueError) as error:
    log.error("no model: %s", error)
    centres = None


def model():
    if centres is None:
        raise HTTPException(503, f"no model at {MODEL}")
    return centres


def nearest(known, features):
    return min(known, key=lambda label: sum((a - b) ** 2 for a, b in zip(known[label], features, strict=True)))


@app.get("/ping")
def ping():
    model()
    return Response()


@app.post("/invocations")
async def invocations(request: Request):
    known = model()
    body = await refusal.body_of(request, "application/json")
    try:
        labels = [nearest(known, [float(cell) for cell in row]) for row in json.loads(body)["instances"]]
    except (ValueError, KeyError, TypeError) as error:
        raise HTTPException(400, f"not what this model takes: {type(error).__name__}: {error}") from error
    return PlainTextResponse("".join(f"{label}\n" for label in labels), media_type="text/csv")
