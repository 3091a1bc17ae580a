"""How files of the configuration came to say what they say: who changed what and when, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from dicom_node.configuring import partners, routes_text
from dicom_node.configuring.changes import Author, difference_of, fingerprint, history, restore, text_of, writable
from dicom_node.errors import ConfigurationError, NotWritable, Overtaken
from dicom_node.models import model_switch
from dicom_node.web.access import Caller, Here
from dicom_node.web.asked import Number
from dicom_node.web.console import Console
from dicom_node.web.pages.forms import done
from dicom_node.web.rendering import page
from storage.errors import NotFound

router = APIRouter(include_in_schema=False)

A_PAGE = 20
Before = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
Seen = Annotated[str, Form(min_length=1, max_length=64)]


@dataclass(frozen=True)
class Kept:
    """A file with a history, the page that changes it, and the words that lead back there."""

    file: str
    home: str
    back: str


FILES = (
    Kept(partners.FILE, "/peers", "All peers"),
    Kept(routes_text.NAME, "/routing", "All rules"),
    Kept(model_switch.FILE, "/models", "All models"),
)


def _serve(kept: Kept) -> None:
    """The pages of one file's history."""

    @router.get(f"{kept.home}/history")
    def past(request: Request, console: Here, before: Before = None) -> Response:
        """Changes, the newest first."""
        return _past(request, console, kept, before)

    @router.get(f"{kept.home}/history/{{number}}")
    def look_back(request: Request, console: Here, number: Number) -> Response:
        """What going back to a revision would change."""
        return _revision(request, console, kept, number)

    @router.post(f"{kept.home}/history/{{number}}")
    def go_back(request: Request, console: Here, caller: Caller, number: Number, seen: Seen) -> Response:
        """Have the file say again what it said then."""
        author = Author(console.clock(), caller.participant)
        try:
            changed = restore(console.parts, kept.file, number, author, seen=seen)
        except ConfigurationError as wrong:
            problems = "; ".join(wrong.problems)
            return _revision(request, console, kept, number, HTTPStatus.UNPROCESSABLE_ENTITY, problems)
        except (Overtaken, NotWritable) as hindered:
            return _revision(request, console, kept, number, HTTPStatus.CONFLICT, str(hindered))
        console.watch.look()
        text = f"{kept.file} says again what it said under revision {number}; this is revision {changed.revision}."
        same = f"{kept.file} says that already; nothing was written."
        return done(console, kept.home, text if changed.change else same)


for _kept in FILES:
    _serve(_kept)


def _past(request: Request, console: Console, kept: Kept, before: int | None) -> Response:
    with console.parts.database.reading() as tx:
        steps, following = history(tx, kept.file, A_PAGE, before)
    onward = f"{kept.home}/history?before={following}" if following else ""
    return page(request, "history.html", steps=steps, kept=kept, before=before, onward=onward)


def _revision(
    request: Request, console: Console, kept: Kept, number: int, status: HTTPStatus = HTTPStatus.OK, wrong: str = ""
) -> Response:
    with console.parts.database.reading() as tx:
        found = tx.revisions.find(number)
    if found is None or kept.file not in found.content:
        raise NotFound(f"there is no revision {number} of {kept.file}")
    folder = console.parts.settings.folder
    now = text_of(folder, kept.file)
    values = {
        "revision": found,
        "kept": kept,
        "change": difference_of(now, found.content[kept.file], kept.file),
        "seen": fingerprint(now),
        "writable": writable(folder, kept.file),
        "wrong": wrong,
    }
    return page(request, "revision.html", status, **values)
