"""What answers have in common, for the API's description."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from starlette.responses import StreamingResponse


class Problem(BaseModel):
    """Why not, in words (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


_MEANT = {
    400: "What was asked for is none",
    401: "No token, or none that is good",
    403: "The token's user may not",
    404: "There is none",
    409: "Not as things stand",
    413: "More bytes than are taken",
    422: "Something asked for is not allowed",
    503: "The database does not answer",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": meant, "content": {"application/problem+json": {}}}
    for status, meant in _MEANT.items()
}


def as_zip(name: str, pieces: Iterator[bytes]) -> StreamingResponse:
    """A file to keep, sent as it is made; `name` has no quotes in it."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)
