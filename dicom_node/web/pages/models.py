"""Installed models: the list, one with its card and files, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import Response

from dicom_node.configuring.changes import Author, Changed
from dicom_node.errors import ConfigurationError, NotWritable, StudiesWait
from dicom_node.models import benching, model_switch
from dicom_node.models.model_views import model_view, models_view
from dicom_node.models.shadow_choice import choices, name_shadow
from dicom_node.models.verifying import verify as verify_files
from dicom_node.web.access import Caller, Here, Visit
from dicom_node.web.console import Console
from dicom_node.web.pages.forms import Text, Ticked, done
from dicom_node.web.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/models")
def models(request: Request, console: Here) -> Response:
    """All of them."""
    with console.parts.database.reading() as tx:
        shown = models_view(console.parts, tx, console.clock())
        newest = (tx.revisions.newest() or (0, ""))[0]
        roles = {row.role: row.detail.get("revision", 0) for row in tx.processes.list(console.clock())}
    return page(
        request, "models.html", models=shown, trouble=console.watch.trouble, revision=newest,
        behind=sorted(role for role, used in roles.items() if used != newest),
    )  # fmt: skip


@router.get("/models/{name}")
def one(request: Request, console: Here, name: str) -> Response:
    """One."""
    return _one(request, console, name)


@router.post("/models/{name}/verify")
def verify(console: Here, caller: Caller, name: str) -> Response:
    """Read every file of it again."""
    check = verify_files(console.parts, name, _author(console, caller))
    said = f"{name}: {check.fault}" if check.fault else f"Every file of {name} is as it was recorded."
    return done(console, f"/models/{name}", said)


@router.post("/models/{name}/bench")
def bench(console: Here, caller: Caller, name: str) -> Response:
    """Have it tried on a phantom, on a device of the node."""
    benching.ask(console.parts, name, _author(console, caller))
    return done(console, f"/models/{name}", f"Model {name} is tried as soon as no job waits.")


@router.post("/models/{name}/disable")
def disable(request: Request, console: Here, caller: Caller, name: str, sure: Ticked = False) -> Response:
    """Have it take no new job; where studies wait for it, ask first."""
    author = _author(console, caller)
    said = f"Model {name} takes no new jobs. Its routes say so of what arrives; nothing is lost."
    return _switched(request, console, name, said, lambda: model_switch.disable(console.parts, name, author, sure=sure))


@router.post("/models/{name}/enable")
def enable(request: Request, console: Here, caller: Caller, name: str) -> Response:
    """Have it take jobs again."""
    author = _author(console, caller)
    said = f"Model {name} takes jobs again. What arrived meanwhile is routed again on its own page."
    return _switched(request, console, name, said, lambda: model_switch.enable(console.parts, name, author))


@router.post("/models/{name}/shadow")
def put_beside(request: Request, console: Here, caller: Caller, name: str, shadow: Text = "") -> Response:
    """Have another run beside it, or none."""
    author = _author(console, caller)
    said = f"No model runs beside {name} from now on."
    if shadow:
        said = f"Model {shadow} runs on the same images as {name} from now on, when no job waits."
    return _switched(request, console, name, said, lambda: name_shadow(console.parts, name, shadow, author))


def _switched(request: Request, console: Console, name: str, said: str, act: Callable[[], Changed]) -> Response:
    """The model's page: with what was done, with a question, or with what is wrong."""
    try:
        changed = act()
    except StudiesWait as ask:
        return _one(request, console, name, HTTPStatus.CONFLICT, asked=str(ask))
    except ConfigurationError as wrong:
        return _one(request, console, name, HTTPStatus.UNPROCESSABLE_ENTITY, wrong="; ".join(wrong.problems))
    except NotWritable as locked:
        return _one(request, console, name, HTTPStatus.CONFLICT, wrong=str(locked), by_hand=locked.change)
    console.watch.look()
    return done(console, f"/models/{name}", said if changed.change else "It was so already; nothing was written.")


def _one(
    request: Request, console: Console, name: str, status: HTTPStatus = HTTPStatus.OK, *, asked: str = "",
    wrong: str = "", by_hand: str = "",
) -> Response:  # fmt: skip
    with console.parts.database.reading() as tx:
        view = model_view(console.parts, tx, name, console.clock())
    told = {"asked": asked, "wrong": wrong, "by_hand": by_hand, "trouble": console.watch.trouble}
    others = choices(console.parts.settings, name)
    return page(request, "model.html", status, one=view, others=others, **told)


def _author(console: Console, caller: Visit) -> Author:
    return Author(console.clock(), caller.participant)
