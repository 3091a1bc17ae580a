"""Installed models: the list, one with its card and files, and what can be done about it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from dicom_node.configuring import Author
from dicom_node.model_views import model_view, models_view
from dicom_node.verifying import verify as verify_files
from dicom_node.web.access import Caller, Here
from dicom_node.web.pages.forms import done
from dicom_node.web.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/models")
def models(request: Request, console: Here) -> Response:
    """All of them."""
    with console.parts.database.reading() as tx:
        return page(request, "models.html", models=models_view(console.parts, tx))


@router.get("/models/{name}")
def one(request: Request, console: Here, name: str) -> Response:
    """One."""
    with console.parts.database.reading() as tx:
        return page(request, "model.html", one=model_view(console.parts, tx, name))


@router.post("/models/{name}/verify")
def verify(console: Here, caller: Caller, name: str) -> Response:
    """Read every file of it again."""
    check = verify_files(console.parts, name, Author(console.clock(), caller.participant))
    said = f"{name}: {check.fault}" if check.fault else f"Every file of {name} is as it was recorded."
    return done(console, f"/models/{name}", said)
