"""How node.yaml came to say what it says: who changed what and when, and the way back."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from dicom_node.configuring import Author, difference_of, history, restore, text_of, writable
from dicom_node.errors import ConfigurationError, NotWritable
from dicom_node.partners import FILE
from dicom_node.web.access import Caller, Here
from dicom_node.web.asked import Number
from dicom_node.web.console import Console
from dicom_node.web.pages.forms import done
from dicom_node.web.rendering import page
from storage.errors import NotFound

router = APIRouter(include_in_schema=False)

A_PAGE = 20
Before = Annotated[int | None, Query(ge=1, le=2**31)]


@router.get("/peers/history")
def past(request: Request, console: Here, before: Before = None) -> Response:
    """Changes, the newest first."""
    with console.parts.database.reading() as tx:
        steps, following = history(tx, FILE, A_PAGE, before)
        newest = (tx.revisions.newest() or (0, ""))[0]
    return page(
        request, "peer_history.html", steps=steps, newest=newest, file=FILE, before=before,
        onward=f"/peers/history?before={following}" if following else "",
    )  # fmt: skip


@router.get("/peers/history/{number}")
def look_back(request: Request, console: Here, number: Number) -> Response:
    """What going back to a revision would change."""
    return _revision(request, console, number)


@router.post("/peers/history/{number}")
def go_back(request: Request, console: Here, caller: Caller, number: Number) -> Response:
    """Have the file say again what it said then."""
    try:
        changed = restore(console.parts, FILE, number, Author(console.clock(), caller.participant))
    except ConfigurationError as wrong:
        return _revision(request, console, number, HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(wrong.problems))
    except NotWritable as locked:
        return _revision(request, console, number, HTTPStatus.CONFLICT, str(locked))
    console.watch.look()
    text = f"{FILE} says again what it said under revision {number}; this is revision {changed.revision}."
    return done(console, "/peers", text if changed.change else f"{FILE} says that already; nothing was written.")


def _revision(
    request: Request, console: Console, number: int, status: HTTPStatus = HTTPStatus.OK, wrong: str = ""
) -> Response:
    with console.parts.database.reading() as tx:
        found = tx.revisions.find(number)
    if found is None or FILE not in found.content:
        raise NotFound(f"there is no revision {number} of {FILE}")
    folder = console.parts.settings.folder
    values = {
        "revision": found,
        "file": FILE,
        "change": difference_of(text_of(folder, FILE), found.content[FILE], FILE),
        "writable": writable(folder, FILE),
        "wrong": wrong,
    }
    return page(request, "peer_revision.html", status, **values)
