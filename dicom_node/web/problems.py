"""What goes wrong, in words: problem+json (RFC 9457) for programs, a page for people. No patient is in either."""

from __future__ import annotations

import logging
from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from dicom_node.errors import (
    ConfigurationError,
    NodeError,
    NoSuchSource,
    NotSure,
    NotWritable,
    Overtaken,
)
from dicom_node.web.access import BY_PROGRAMS, Forbidden, SignInFirst, place_of
from dicom_node.web.permissions import methods_at
from dicom_node.web.rendering import page
from storage.errors import BadIdentifier, BadValue, IllegalStep, NotFound, StorageError, Unavailable

log = logging.getLogger(__name__)

# The first kind that fits decides.
STATUSES: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (SignInFirst, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (BadIdentifier, HTTPStatus.BAD_REQUEST),
    (BadValue, HTTPStatus.BAD_REQUEST),
    (IllegalStep, HTTPStatus.CONFLICT),
    (NoSuchSource, HTTPStatus.BAD_REQUEST),
    (ConfigurationError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Overtaken, HTTPStatus.CONFLICT),
    (NotSure, HTTPStatus.CONFLICT),
    (NotWritable, HTTPStatus.CONFLICT),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (StorageError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (NodeError, HTTPStatus.BAD_REQUEST),
)
UNFORESEEN = "something went wrong that nobody foresaw; the log of the node says more"


def add_problems(app: FastAPI) -> None:
    """Have `app` answer every error in words."""
    for kind in (NodeError, StorageError):
        app.add_exception_handler(kind, _ours)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_input)
    app.add_exception_handler(Exception, _unforeseen)


def told(status: HTTPStatus, detail: str, **further: object) -> JSONResponse:
    """A problem for programs."""
    said = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail, **further}
    headers = {"WWW-Authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else {}
    return JSONResponse(said, status.value, headers, "application/problem+json")


def problem(request: Request, status: HTTPStatus, detail: str, **further: object) -> Response:
    """The answer to a request that failed."""
    if place_of(request).startswith(BY_PROGRAMS):
        return told(status, detail, **further)
    return page(request, "problem.html", status.value, status=status, detail=detail)


async def _ours(request: Request, error: Exception) -> Response:
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    if status is HTTPStatus.UNAUTHORIZED and not place_of(request).startswith(BY_PROGRAMS):
        wanted = place_of(request) + (f"?{request.url.query}" if request.url.query else "")
        back = f"?next={quote(wanted)}" if request.method == "GET" and wanted != "/" else ""
        return RedirectResponse(f"/sign-in{back}", HTTPStatus.SEE_OTHER)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("a request failed: %s", error, extra={"path": _route(request)})
    return problem(request, status, str(error), **({"change": error.change} if isinstance(error, NotWritable) else {}))


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    detail = "there is no such page" if status is HTTPStatus.NOT_FOUND else str(error.detail)
    answer = problem(request, status, detail)
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(methods_at(place_of(request)))  # RFC 9110 15.5.6
    return answer


async def _of_input(request: Request, error: Exception) -> Response:
    """What was asked for wrongly, by name; not what was sent, which may be anything."""
    assert isinstance(error, RequestValidationError)
    wrong = [{"where": ".".join(map(str, one["loc"])), "what": one["msg"]} for one in error.errors()]
    detail = "; ".join(f"{one['where']}: {one['what']}" for one in wrong)
    return problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, detail, wrong=wrong)


async def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("a request failed: %s", type(error).__name__, extra={"path": _route(request)}, exc_info=error)
    return problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, UNFORESEEN)


def _route(request: Request) -> str:
    """The route as it was declared: an address may hold what a person looked for."""
    return str(getattr(request.scope.get("route"), "path", ""))
