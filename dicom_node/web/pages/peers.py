"""Whom the node exchanges images with: the list, C-ECHO and probe, and the form that changes one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from dicom_node.checking.asking_partners import Echoed, Probed
from dicom_node.configuring.changes import Author, Changed, writable
from dicom_node.configuring.partner_forms import KIND_WORDS, MODELS, WORDS, again, fields_of, filled_in, model_of
from dicom_node.configuring.partners import FILE, ONE, Entry, Group, entry_of, partner, partners, put
from dicom_node.errors import ConfigurationError, NotWritable, Overtaken
from dicom_node.network.probe import SYNTAXES
from dicom_node.web import calling
from dicom_node.web.access import Caller, Here, Visit
from dicom_node.web.console import Console
from dicom_node.web.pages.forms import done
from dicom_node.web.rendering import page
from storage.errors import NotFound

router = APIRouter(include_in_schema=False)

LONGEST = 2048
Sent = dict[str, list[str]]


async def sent(request: Request) -> Sent:
    """Every field of the form that was sent."""
    form = await request.form()
    return {name: [str(value)[:LONGEST] for value in form.getlist(name)] for name in form}


Form = Annotated[Sent, Depends(sent)]


@dataclass(frozen=True)
class Shown:
    """Whom a form is about, and what node.yaml said of it when the form was made; None where it is a new one."""

    group: Group
    name: str
    kind: str
    entry: Entry | None = None

    @classmethod
    def now(cls, console: Console, group: Group, name: str) -> Shown:
        """As node.yaml has it now."""
        entry = entry_of(console.parts.settings, group, name)
        return cls(group, name, str((entry or {}).get("kind", "dimse")), entry)

    @classmethod
    def before(cls, group: Group, name: str, form: Sent) -> Shown:
        """As a form brings it back. NotFound where it brings nothing: what is new has a form of its own."""
        try:
            entry = json.loads("".join(form.get("was", ())) or "null")
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            raise NotFound(f"the form does not say what was known of {ONE[group]} {name}: load the page again")
        return cls(group, name, str(entry.get("kind", "dimse")), entry)


@router.get("/peers")
def peers(request: Request, console: Here) -> Response:
    """All of them."""
    return _list(request, console)


@router.get("/peers/new")
def new(request: Request, console: Here, group: Group = "peers", kind: str = "dimse") -> Response:
    """A form for one that is not there yet."""
    return _form(request, console, Shown(group, "", kind))


@router.post("/peers/new")
def add(
    request: Request, console: Here, caller: Caller, form: Form, group: Group = "peers", kind: str = "dimse"
) -> Response:
    """Write it into node.yaml."""
    return _save(request, console, caller, Shown(group, "".join(form.get("name", ())).strip(), kind), form)


@router.get("/peers/{group}/{name}")
def one(request: Request, console: Here, group: Group, name: str) -> Response:
    """One, and the form for who may change it."""
    partner(console.parts.settings, group, name)
    return _form(request, console, Shown.now(console, group, name))


@router.post("/peers/{group}/{name}")
def change(request: Request, console: Here, caller: Caller, group: Group, name: str, form: Form) -> Response:
    """Have node.yaml say what the form says."""
    return _save(request, console, caller, Shown.before(group, name, form), form)


@router.post("/peers/{group}/{name}/remove")
def remove(request: Request, console: Here, caller: Caller, group: Group, name: str, form: Form) -> Response:
    """Take it out of node.yaml."""
    shown = Shown.before(group, name, form)
    author = Author(console.clock(), caller.participant)
    return _tried(request, console, shown, lambda: put(console.parts, group, name, None, author, was=shown.entry))


@router.post("/peers/{group}/{name}/echo")
def echo(request: Request, console: Here, caller: Caller, group: Group, name: str) -> Response:
    """Call it, and say whether it answers."""
    return _list(request, console, whose=name, echoed=calling.echo(console, caller, group, name))


@router.post("/peers/{group}/{name}/probe")
def probe(request: Request, console: Here, caller: Caller, group: Group, name: str) -> Response:
    """Ask what it takes, and show that."""
    return _list(request, console, whose=name, probed=calling.probe(console, caller, group, name))


def _list(
    request: Request, console: Console, *, whose: str = "", echoed: Echoed | None = None, probed: Probed | None = None
) -> Response:
    settings = console.parts.settings
    with console.parts.database.reading() as tx:
        newest = (tx.revisions.newest() or (0, ""))[0]
        roles = {row.role: row.detail.get("revision", 0) for row in tx.processes.list(console.clock())}
    return page(
        request,
        "peers.html",
        partners=partners(settings),
        kind_words=KIND_WORDS,
        kinds=[(group, kind) for group, models in MODELS.items() for kind in models],
        one_of=ONE,
        whose=whose,
        echoed=echoed,
        probed=probed,
        syntaxes=list(SYNTAXES),
        revision=newest,
        waiting=sorted(role for role, used in roles.items() if used != newest),
        trouble=console.watch.trouble,
    )


def _form(
    request: Request,
    console: Console,
    shown: Shown,
    form: Sent | None = None,
    status: HTTPStatus = HTTPStatus.OK,
    **told: Any,
) -> Response:
    """`form`: what was filled in, where that is shown again; `told`: `problems`, `wrong`, `by_hand`."""
    settings = console.parts.settings
    fields = fields_of(model_of(shown.group, shown.kind), shown.entry or {})
    known = shown.entry is not None and shown.name in getattr(settings.node, shown.group)
    values = {
        "shown": shown,
        "one": partner(settings, shown.group, shown.name) if known else None,
        "fields": again(fields, form) if form else fields,
        "was": json.dumps(shown.entry),
        "writable": writable(settings.folder, FILE),
        "kind_words": KIND_WORDS,
        "one_of": ONE,
        "problems": {},
        "wrong": "",
        "by_hand": "",
    }
    return page(request, "peer.html", status, **(values | told))


def _save(request: Request, console: Console, caller: Visit, shown: Shown, form: Sent) -> Response:
    usual = shown.group == "peers" and shown.kind == "dimse" and "kind" not in (shown.entry or ())

    def save() -> Changed:
        entry = filled_in(model_of(shown.group, shown.kind), form, "" if usual else shown.kind)
        author = Author(console.clock(), caller.participant)
        return put(console.parts, shown.group, shown.name, entry, author, was=shown.entry)

    return _tried(request, console, shown, save, form)


def _tried(
    request: Request, console: Console, shown: Shown, act: Callable[[], Changed], form: Sent | None = None
) -> Response:
    """The list where it went well, else the form again with what was filled in and what is wrong."""
    try:
        changed = act()
    except ConfigurationError as wrong:
        problems = by_field(wrong.problems, f"{shown.group}.{shown.name}.")
        return _form(request, console, shown, form, HTTPStatus.UNPROCESSABLE_ENTITY, problems=problems)
    except Overtaken as late:
        newer = Shown.now(console, shown.group, shown.name)
        return _form(request, console, newer, form, HTTPStatus.CONFLICT, wrong=str(late))
    except NotWritable as locked:
        told = {"wrong": str(locked), "by_hand": locked.change}
        return _form(request, console, shown, form, HTTPStatus.CONFLICT, **told)
    console.watch.look()
    if not changed.change:
        return done(console, "/peers", "Nothing was different; nothing was written.")
    soon = "" if console.watch.trouble else " The node takes it up within seconds, without a restart."
    return done(console, "/peers", f"Written to {FILE} as revision {changed.revision}.{soon}")


def by_field(problems: Sequence[str], prefix: str) -> dict[str, list[str]]:
    """Sentences by the field that they are about, which begins with `prefix`; under "" those about anything else."""
    found: dict[str, list[str]] = {}
    for problem in problems:
        in_file = problem.startswith(f"{FILE}:")
        sentence = problem.partition(": ")[2] if in_file else problem
        place = sentence.partition(" = ")[0].partition(": ")[0]
        ours = place.startswith(prefix) or (not in_file and place in WORDS)
        found.setdefault(place.removeprefix(prefix) if ours else "", []).append(sentence.removeprefix(prefix))
    return found
