"""The audit trail for programs: who did what when, a page at a time or as one file."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from dicom_node.views.study_views import Looking
from dicom_node.web.access import Caller, Here
from dicom_node.web.api.answers import PROBLEMS
from dicom_node.web.asked import looking
from dicom_node.web.auditing import audit_sought, read_trail, take_trail
from storage.people.audit_records import AuditSought

router = APIRouter(tags=["audit"], responses=PROBLEMS)

Asked = Annotated[AuditSought, Depends(audit_sought)]
Look = Annotated[Looking, Depends(looking)]


class Took(BaseModel):
    """One who took part; `asked`: it was at this one's wish."""

    name: str
    ae_title: str
    address: str
    asked: bool


class Whose(BaseModel):
    """Whose images; "hidden" for who may not know."""

    name: str
    id: str


class Record(BaseModel):
    """One action, as an audit message tells it (PS3.15 A.5)."""

    record: int
    at: float = Field(description="Seconds since 1970.")
    event: str
    kind: str
    codes: list[str] = Field(description="Audit Event ID and Event Type Code, empty where there is none.")
    outcome: str
    sentence: str
    reason: str
    parties: list[Took]
    study: str
    patient: Whose


class RecordsPage(BaseModel):
    """One page; `next` is what `after` is for the page after it, null at the end."""

    records: list[Record]
    next: str | None


@router.get("/api/v1/audit", response_model=RecordsPage)
def audit(console: Here, caller: Caller, asked: Asked, look: Look) -> dict[str, Any]:
    """What was done, the newest first. Reading it is an action of its own."""
    return read_trail(console, caller, asked, look)


@router.get("/api/v1/audit/export", response_class=StreamingResponse)
def export(console: Here, caller: Caller, asked: Asked, look: Look) -> StreamingResponse:
    """All that is found, a line of JSON each; `message` is the audit message as XML, for who may know patients."""
    named = {"Content-Disposition": 'attachment; filename="audit.jsonl"'}
    return StreamingResponse(
        take_trail(console, caller, asked, look), media_type="application/jsonl", headers=named
    )
