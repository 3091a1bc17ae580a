"""The first page: is it well, what needs a person, what was done today."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from dicom_node.views.status import node_status, today_view
from dicom_node.web.access import Here
from dicom_node.web.rendering import MANY, page

router = APIRouter(include_in_schema=False)

EXPECTED = ("receive", "pipeline", "clock", "web")
WHAT_ROLES_DO = {
    "receive": "takes images from scanners and archives",
    "pipeline": "routes, runs models, delivers",
    "clock": "recovers, keeps the disk in order",
    "web": "shows this console",
}


@router.get("/")
def overview(request: Request, console: Here) -> Response:
    """What needs a person first; then receiver, queues, destinations, disk, certificates."""
    now = console.clock()
    with console.parts.database.reading() as tx:
        status = node_status(console.parts, tx, now, MANY + 1)
        today = today_view(tx, now, console.settings.goal_minutes * 60)
    silent = [role for role in EXPECTED if not any(one["role"] == role and one["alive"] for one in status["roles"])]
    certificates = {one["certificate"]: one for role in status["roles"] for one in role.get("tls", ())}
    node = console.parts.settings.node
    return page(
        request,
        "overview.html",
        status=status,
        today=today,
        silent=silent,
        what=WHAT_ROLES_DO,
        certificates=[one for _, one in sorted(certificates.items())],
        ears=node.ears,
        destinations=dict.fromkeys(node.destinations)
        | {one["destination"]: one for one in status["destinations"]},
    )
