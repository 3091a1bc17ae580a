"""The node itself: how it fares, what happens on it, and what this API is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from dicom_node.views.status import node_status, today_view
from dicom_node.web.access import Caller, Here
from dicom_node.web.api.answers import PROBLEMS
from dicom_node.web.changes import stream
from dicom_node.web.metrics import CONTENT_TYPE
from dicom_node.web.rendering import MANY
from dicom_node.web.supporting import support_bundle

router = APIRouter(tags=["node"], responses=PROBLEMS)


@router.get("/api/v1/status")
def status(console: Here) -> dict[str, Any]:
    """Roles, queues, destinations, disk, what was done today, and what needs a person.

    Nothing is counted further than 500: all there is stands in /metrics.
    """
    now = console.clock()
    with console.parts.database.reading() as tx:
        today = today_view(tx, now, console.settings.goal_minutes * 60)
        return {**node_status(console.parts, tx, now, MANY + 1), "today": today}


@router.get("/api/v1/support-bundle", response_class=Response)
def take_support_bundle(console: Here, caller: Caller) -> Response:
    """What whoever helps would ask for, in one ZIP: versions, settings, state, events; no patient, no password."""
    return support_bundle(console, caller)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(console: Here) -> Response:
    """Figures for Prometheus, in its text form; it calls with a token of a viewer (`authorization` of its scrape)."""
    now = console.clock()
    with console.parts.database.reading() as tx:
        text = console.metrics.read(tx, console.parts, now)
    return Response(text, media_type=CONTENT_TYPE)


@router.get("/api/v1/changes", response_class=StreamingResponse)
async def changes(console: Here, last: Annotated[str, Header(alias="Last-Event-ID")] = "") -> StreamingResponse:
    """News as they happen (server-sent events): `data` names the studies that changed and how far running jobs are."""
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else None
    headers = {"X-Accel-Buffering": "no"}  # a proxy that would wait for the end waits for ever
    return StreamingResponse(stream(console, after), media_type="text/event-stream", headers=headers)


@router.get("/api/v1/openapi.json", include_in_schema=False)
def description(request: Request) -> JSONResponse:
    """What this API is, as OpenAPI."""
    app = request.app
    told = get_openapi(title=app.title, version=app.version, routes=app.routes, summary="A DICOM node that segments")
    bearer = {"type": "http", "scheme": "bearer", "description": "A token that is made on the page Account"}
    told.setdefault("components", {})["securitySchemes"] = {"token": bearer}
    told["security"] = [{"token": []}]
    return JSONResponse(told)
