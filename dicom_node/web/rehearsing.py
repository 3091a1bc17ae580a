"""Rules on trial, for a page or a program: what a dry run and a look at files say, as who asks may see it."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from dicom_node.acts.bringing import headers_only
from dicom_node.acts.rehearsal import DAY_S, Rehearsal, rehearse
from dicom_node.configuring.route_changes import drafted, judged
from dicom_node.masking import masked
from dicom_node.settings.models import closed_models
from dicom_node.web import uploading
from dicom_node.web.access import Visit
from dicom_node.web.console import Console
from storage.records import Study

MOST_SHOWN = 100


def dry_run(console: Console, caller: Visit, name: str, route: str, days: float) -> dict[str, Any]:
    """What the route, as the text `route` says it, would change among the last days' studies. ConfigurationError."""
    parts = console.parts
    new = drafted(parts, name, route)
    since = console.clock() - days * DAY_S
    found = rehearse(
        parts.database, parts.settings.routing, new.routing, since, closed=closed_models(parts.settings.models)
    )
    changes = [_change(one.study, one.differences, caller) for one in found.changes[:MOST_SHOWN]]
    return {**_counted(found), "days": days, "changes": changes}


async def look_at_files(request: Request, console: Console, caller: Visit) -> dict[str, Any]:
    """What every rule says of files that are brought, and why; nothing of them is kept. BadUpload, Forbidden."""
    intake = headers_only(console.parts)
    await uploading.read_into(intake, request, console, caller)
    found = await run_in_threadpool(judged, console.parts.settings, intake)
    studies = []
    with console.parts.database.reading() as tx:
        held = {study.study_instance_uid for study, _ in found if tx.studies.find(study.study_instance_uid)}
    for study, decision in found:
        verdicts = [
            {"route": one.route, "series": one.series_uid, "ok": one.ok, "reason": one.reason}
            for one in decision.verdicts
        ]
        view = {"study": study.study_instance_uid, "images": study.images, "verdicts": verdicts}
        view["is_here"] = study.study_instance_uid in held
        view["fires"] = [plan.route for plan in decision.plans]
        studies.append(view if caller.names else masked(view, study.header))
    told = uploading.as_answer(intake.brought)
    return {"studies": studies, "skipped": told["skipped"], "skipped_further": told["skipped_further"]}


def _counted(found: Rehearsal) -> dict[str, Any]:
    return {
        "looked_at": found.looked_at,
        "taken": found.taken,
        "would_change": len(found.changes),
        "whole": found.whole,
    }


def _change(study: Study, differences: Any, caller: Visit) -> dict[str, Any]:
    view = {
        "study": study.study_instance_uid,
        "received_at": study.received_at,
        "differences": [one._asdict() for one in differences],
    }
    return view if caller.names else masked(view, study.header)
