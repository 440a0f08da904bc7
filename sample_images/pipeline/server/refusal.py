"""Errors as one line of text."""

from fastapi import HTTPException
from fastapi.responses import PlainTextResponse, Response
from starlette.requests import ClientDisconnect


def add_to(app):
    @app.exception_handler(HTTPException)
    async def refused(request, error):
        return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code)

    @app.exception_handler(ClientDisconnect)
    async def gone(request, error):
        return Response(status_code=499)


async def body_of(request, wanted):
    """The body, if it is of the wanted content type. What stands behind the semicolon is ignored."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    body = await request.body()
    if kind != wanted:
        raise HTTPException(415, f"expected {wanted}, got {kind or 'no content type'}")
    return body
