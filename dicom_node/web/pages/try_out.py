"""Try: bring a study, have it segmented, and take the results away; nothing is sent anywhere unless asked."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from dicom_node.web import commands, uploading
from dicom_node.web.access import Caller, Here
from dicom_node.web.pages.forms import done
from dicom_node.web.rendering import count, page
from dicom_node.web.results import pdf_of, result_file, sent
from inference.tasks import TASKS
from storage.identifiers import check_uid

router = APIRouter(include_in_schema=False)



@router.get("/try")
def form(request: Request, console: Here) -> Response:
    """Where a study is dropped."""
    return _shown(request, console)


@router.post("/try")
async def bring(request: Request, console: Here, caller: Caller) -> Response:
    """Take it; where it is one study whole, its page is next, else what became of each file."""
    brought = await uploading.take(request, console, caller)
    if len(brought.studies) == 1 and not brought.skipped:
        ((uid, number),) = brought.studies.items()
        return done(console, f"/studies/{uid}", f"{count(number, 'object')} taken. Nothing is sent unless you ask.")
    return _shown(request, console, brought)


@router.post("/studies/{uid}/send")
def send(uid: str, console: Here, caller: Caller) -> Response:
    """Send the results of a study that was brought."""
    command = commands.let_go(check_uid(uid), console.parts.revision)
    return done(console, f"/studies/{uid}", commands.carry_out(console, caller, command).sentence)


@router.get("/studies/{uid}/results/{sop}")
def result(uid: str, sop: str, console: Here, caller: Caller) -> Response:
    """A result as a DICOM file."""
    file = result_file(console, caller, uid, sop)
    return sent(console, file, f"{file.kind}-{file.sop_instance_uid}.dcm")


@router.get("/studies/{uid}/results/{sop}/pdf")
def result_page(uid: str, sop: str, console: Here, caller: Caller) -> Response:
    """The page within one that holds a PDF."""
    named = {"Content-Disposition": 'inline; filename="report.pdf"'}
    content = pdf_of(console, result_file(console, caller, uid, sop))
    return Response(content, media_type="application/pdf", headers=named)


def _shown(request: Request, console: Here, brought: uploading.Brought | None = None) -> Response:
    tasks = {task: [r.name for r in console.parts.settings.routes if r.task == task] for task in TASKS}
    return page(
        request,
        "try.html",
        brought=brought,
        tasks=[task for task, routes in tasks.items() if routes],
        largest=console.settings.upload_bytes,
    )
