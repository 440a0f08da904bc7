"""First container: raw CSV goes in, numbers as JSON come out."""

import csv

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response

import refusal

MISSING = 0.0

app = FastAPI(openapi_url=None)
refusal.add_to(app)


@app.get("/ping")
def ping():
    return Response()


@app.post("/invocations")
async def invocations(request: Request):
    body = await refusal.body_of(request, "text/csv")
    try:
        rows = [row for row in csv.reader(body.decode().splitlines()) if row]
        instances = [[float(cell) if cell.strip() else MISSING for cell in row] for row in rows]
    except (ValueError, csv.Error) as error:
        raise HTTPException(400, f"not a table of numbers: {error}") from error
    return JSONResponse({"instances": instances})
