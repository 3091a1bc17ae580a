"""Who did what when: the audit trail, narrowed by person, action, study and days."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from dicom_node.audit.words import ACTIONS
from dicom_node.views.study_views import Looking
from dicom_node.web.access import Caller, Here
from dicom_node.web.asked import looking
from dicom_node.web.auditing import audit_sought, read_trail
from dicom_node.web.rendering import page
from storage.people.audit_records import AuditSought

router = APIRouter(include_in_schema=False)

FILTERS = ("who", "action", "study", "from", "to")


@router.get("/audit")
def audit(
    request: Request,
    console: Here,
    caller: Caller,
    asked: Annotated[AuditSought, Depends(audit_sought)],
    look: Annotated[Looking, Depends(looking)],
) -> Response:
    """The newest first."""
    found = read_trail(console, caller, asked, look)
    chosen = {name: request.query_params.get(name, "") for name in FILTERS}
    kept = [(name, value) for name, value in chosen.items() if value]
    settings = console.parts.settings.node.audit
    return page(
        request,
        "audit.html",
        records=found["records"],
        chosen=chosen,
        actions=ACTIONS,
        onward="/audit?" + urlencode([*kept, ("after", found["next"])]) if found["next"] else "",
        first="/audit" + (f"?{urlencode(kept)}" if kept else "") if asked.after else "",
        export="/api/v1/audit/export" + (f"?{urlencode(kept)}" if kept else ""),
        off=settings.mode == "off",
        listed_days=settings.listed_days,
    )
