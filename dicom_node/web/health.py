"""Whether this process lives (/healthz), and whether the node can do its work (/readyz); what is not well is said."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse

from dicom_node.running.upkeep import gigabytes
from dicom_node.storing import watermarks
from dicom_node.views.node import NEEDED_ROLES, ROLE_SILENT_S
from dicom_node.web.access import Here
from dicom_node.web.console import Console
from storage.database import Transaction
from storage.errors import Unavailable
from storage.files.disk import Level

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """How it fares, and each thing that is not well."""

    status: str
    troubles: list[str]


TOLD: dict[str, Any] = {
    "response_model": Health,
    "responses": {503: {"model": Health, "description": "Not well"}},
    "openapi_extra": {"security": []},
}


@router.get("/healthz", **TOLD)
def healthz(console: Here) -> JSONResponse:
    """200 while this process and its database answer, 503 with the trouble otherwise."""
    troubles = []
    try:
        with console.parts.database.reading() as tx:
            tx.revisions.newest()
    except Unavailable as trouble:
        troubles.append(str(trouble))
    return _answer(troubles)


@router.get("/readyz", **TOLD)
def readyz(console: Here) -> JSONResponse:
    """200 when studies are taken, processed and sent; 503 with each thing that keeps the node from it otherwise."""
    try:
        with console.parts.database.reading() as tx:
            troubles = _silent(tx, console.clock())
    except Unavailable as trouble:
        return _answer([str(trouble)])
    return _answer(troubles + _full(console))


def _silent(tx: Transaction, now: float) -> list[str]:
    heard = {row.role for row in tx.processes.list(now, ROLE_SILENT_S)}
    return [f"role {role} is silent" for role in NEEDED_ROLES if role not in heard]


def _full(console: Console) -> list[str]:
    if trouble := console.parts.archive.trouble():
        return [f"nothing is taken: {trouble}"]
    free = console.parts.archive.free_bytes()
    if watermarks(console.parts.settings).level(free) is not Level.FULL:
        return []
    return [f"the disk is full: {gigabytes(free)} free, new instances are refused"]


def _answer(troubles: list[str]) -> JSONResponse:
    told: dict[str, Any] = {"status": "not well" if troubles else "well", "troubles": troubles}
    return JSONResponse(told, 503 if troubles else 200)
