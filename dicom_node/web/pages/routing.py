"""Routing: the rules as forms and as YAML side by side, a dry run before one goes live, and what they say of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from pydantic import AfterValidator
from starlette.responses import Response

from dicom_node.configuring.changes import Author, difference_of, fingerprint, writable
from dicom_node.configuring.route_changes import choices, go_live, route_now, text_now
from dicom_node.configuring.route_forms import Box, filled_in, form_of
from dicom_node.configuring.route_removal import doubts, remove
from dicom_node.configuring.routes_text import NAME, data_of, merged, with_route
from dicom_node.errors import ConfigurationError, NodeError, NotSure, NotWritable, Overtaken
from dicom_node.web.access import Caller, Here
from dicom_node.web.console import Console
from dicom_node.web.pages.forms import Ticked, done, plain_lines
from dicom_node.web.rehearsing import dry_run, look_at_files
from dicom_node.web.rendering import page

router = APIRouter(include_in_schema=False)

LONGEST = 100_000
DAYS = (1.0, 7.0, 30.0)
EMPTY = """name: new
description: ''
when:
  kind: all
  of:
    - {kind: modality, any_of: [CT]}
    - {kind: nature}
    - {kind: volume}
select: {kind: one_series}
task: liver_tumour
model: liver_tumour
outputs: [seg, sr]
destinations: []
"""
Name = Annotated[str, Query(max_length=64)]
Written = Annotated[str, Form(max_length=LONGEST), AfterValidator(plain_lines)]


async def sent(request: Request) -> dict[str, list[str]]:
    """Every field of the form that was sent."""
    form = await request.form()
    return {name: [plain_lines(str(value)[:LONGEST]) for value in form.getlist(name)] for name in form}


@dataclass(frozen=True)
class Edited:
    """A rule on trial: whose place it takes, its text, that of before, what is wrong with it or what it would do."""

    route: str
    yaml: str
    was: str = ""
    wrong: Sequence[str] = ()
    found: dict[str, Any] | None = None
    days: float = 7.0


Sent = Annotated[dict[str, list[str]], Depends(sent)]


@router.get("/routing")
def rules(request: Request, console: Here) -> Response:
    """All of them."""
    return _list(request, console)


@router.post("/routing/judge")
async def judge(request: Request, console: Here, caller: Caller) -> Response:
    """What each says of files that are dropped."""
    return _list(request, console, await look_at_files(request, console, caller))


@router.get("/routing/edit")
def edit(request: Request, console: Here, route: Name = "", like: Name = "") -> Response:
    """One, or a new one, perhaps like one that is there."""
    yaml = route_now(console.parts, route or like) if route or like else EMPTY
    if like and not route:
        yaml = merged(yaml, data_of(yaml) | {"name": f"{like}-2"})
    return _edited(request, console, Edited(route, yaml))


@router.post("/routing/edit")
def try_out(request: Request, console: Here, caller: Caller, form: Sent) -> Response:
    """Take over what one side says into the other, and rehearse it."""
    route, was, yaml = ("".join(form.get(key, ())[:1]) for key in ("route", "was", "yaml"))
    days = _days("".join(form.get("days", ())[:1]))
    try:
        if "yaml" not in form:
            yaml = merged(was, filled_in(data_of(was), form, choices(console.parts.settings)))
        found = dry_run(console, caller, route, yaml, days)
    except ConfigurationError as wrong:
        return _edited(request, console, Edited(route, yaml or was, was, wrong.problems, days=days))
    except NodeError as wrong:
        return _edited(request, console, Edited(route, yaml or was, was, [str(wrong)], days=days))
    return _edited(request, console, Edited(route, yaml, found=found, days=days))


@router.post("/routing/live")
def live(
    request: Request, console: Here, caller: Caller, yaml: Written, seen: Written, route: Written = ""
) -> Response:
    """Use it from now on."""
    try:
        changed = go_live(console.parts, route, yaml, seen, Author(console.clock(), caller.participant))
    except ConfigurationError as wrong:
        return _edited(request, console, Edited(route, yaml, wrong=wrong.problems))
    except (Overtaken, NotWritable) as wrong:
        return _edited(request, console, Edited(route, yaml, wrong=[str(wrong)]), HTTPStatus.CONFLICT)
    console.watch.look()
    text = f"{NAME} is written; this is revision {changed.revision}."
    return done(console, "/routing", text if changed.change else f"{NAME} says that already; nothing was written.")


@router.post("/routing/remove")
def take_out(
    request: Request, console: Here, caller: Caller, route: Written, seen: Written, sure: Ticked = False
) -> Response:
    """Use it no more."""
    author = Author(console.clock(), caller.participant)
    try:
        changed = remove(console.parts, route, author, seen=seen, sure=sure)
    except ConfigurationError as wrong:
        return _edited(request, console, Edited(route, route_now(console.parts, route), wrong=wrong.problems))
    except (NotSure, Overtaken, NotWritable) as wrong:
        again = Edited(route, route_now(console.parts, route), wrong=[str(wrong)])
        return _edited(request, console, again, HTTPStatus.CONFLICT)
    console.watch.look()
    return done(console, "/routing", f"Rule {route} is deleted; this is revision {changed.revision}.")


def _list(request: Request, console: Console, judged: dict[str, Any] | None = None) -> Response:
    settings = console.parts.settings
    return page(
        request, "routing.html", routes=settings.routes, judged=judged, largest=console.settings.upload_bytes,
        revision=console.parts.revision, trouble=console.watch.trouble,
    )  # fmt: skip


def _edited(
    request: Request, console: Console, edited: Edited, status: HTTPStatus = HTTPStatus.UNPROCESSABLE_ENTITY
) -> Response:
    """Both sides. Where the YAML is none, the form shows what it was before; `status` is that where it is wrong."""
    parts, text, yaml = console.parts, text_now(console.parts), edited.yaml
    change = ""
    if edited.found is not None:
        change = difference_of(text, with_route(text, edited.route or str(data_of(yaml).get("name")), yaml), NAME)
    box, was = _form(edited, choices(parts.settings))
    return page(
        request, "route.html", status if edited.wrong else HTTPStatus.OK, route=edited.route, yaml=yaml, box=box,
        was=was, wrong=edited.wrong, found=edited.found, days=edited.days, day_choices=DAYS, seen=fingerprint(text),
        change=change, file=NAME, can_write=writable(parts.settings.folder, NAME),
        doubts=doubts(parts, edited.route) if edited.route else [],
    )  # fmt: skip


def _form(edited: Edited, known: dict[str, list[str]]) -> tuple[Box | None, str]:
    """The form, and the YAML that it shows."""
    for yaml in (edited.yaml, edited.was):
        try:
            return form_of(data_of(yaml), known), yaml
        except ConfigurationError:
            continue
    return None, ""


def _days(said: str) -> float:
    return next((one for one in DAYS if f"{one:g}" == said), 7.0)
