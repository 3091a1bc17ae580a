"""One study: whose it is, its way, its series with every verdict, its results, where they went, what can be done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from dicom_node.acts.reissue import SETTLED
from dicom_node.settings.models import closed_models
from dicom_node.views.study_views import Looking
from dicom_node.web import commands
from dicom_node.web.access import Caller, Here
from dicom_node.web.api.answers import as_zip
from dicom_node.web.asked import look_at, looking
from dicom_node.web.console import Console
from dicom_node.web.pages.forms import Text, Ticked, done
from dicom_node.web.rendering import page
from storage.identifiers import check_uid
from storage.lifecycle import StudyState

router = APIRouter(include_in_schema=False)

SCALE = 1000.0  # the timeline's width in units of its drawing
THINNEST = 4.0
TALL, EDGE = 160.0, 10.0  # of the trend's drawing
MOST_SHOWN = 4  # segmentations whose pictures are offered


@router.get("/studies/{uid}")
def study(
    request: Request, uid: str, console: Here, caller: Caller, look: Annotated[Looking, Depends(looking)]
) -> Response:
    """Everything about it."""
    view = look_at(console, caller, look, uid)
    states = {one["state"] for one in view["deliveries"]}
    return page(
        request,
        "study.html",
        study=view,
        steps=drawn(view["timeline"], look.now),
        verdicts=by_series(view["verdicts"]),
        results=_by_job(view["results"]),
        shown_segs=pictured(view["results"], view["jobs"])[:MOST_SHOWN],
        can_retry="DEAD" in states or bool({job["state"] for job in view["jobs"]} & {"FAILED", "REFUSED"}),
        can_release="HELD" in states,
        can_resend=bool(states & {"SENT", "COMMITTED"}),
        can_reissue=any(job["mark"] == "stale" for job in view["jobs"]),
        can_route=view["state"] in SETTLED,
        models=other_models(console, view["jobs"]) if view["state"] == StudyState.DISPATCHED else [],
        archives=sorted(console.parts.settings.archives()),
        can_download=caller.names and view["state"] != StudyState.REMOVED,
        closed=closed_models(console.parts.settings.models),
        charts={one["job"]: chart(one["trend"]["points"]) for one in view["measurements"] if one["trend"]},
        measured={one["job"]: one["trend"] for one in view["measurements"]},
    )


@router.post("/studies/{uid}/retry")
def retry(uid: str, console: Here, caller: Caller, release: Ticked = False, resend: Ticked = False) -> Response:
    """Let go again what ended badly; with `release` also what is held, with `resend` also what was sent."""
    command = commands.again(check_uid(uid), release=release, resend=resend)
    return done(console, f"/studies/{uid}", commands.carry_out(console, caller, command).sentence)


@router.post("/studies/{uid}/reissue")
def reissue(uid: str, console: Here, caller: Caller) -> Response:
    """Make stale results anew."""
    return done(console, f"/studies/{uid}", commands.carry_out(console, caller, commands.anew(check_uid(uid))).sentence)


@router.post("/studies/{uid}/route")
def route(uid: str, console: Here, caller: Caller) -> Response:
    """Have every route judge it once more."""
    command = commands.route_once_more(check_uid(uid))
    return done(console, f"/studies/{uid}", commands.carry_out(console, caller, command).sentence)


@router.post("/studies/{uid}/run")
def run(uid: str, console: Here, caller: Caller, model: Text) -> Response:
    """Make its results by another model."""
    command = commands.with_model(console, check_uid(uid), model)
    return done(console, f"/studies/{uid}", commands.carry_out(console, caller, command).sentence)


@router.post("/studies/{uid}/fetch")
def fetch(uid: str, console: Here, caller: Caller, peer: Text = "") -> Response:
    """Pull it from an archive."""
    command = commands.wanted(console, [check_uid(uid)], peer)
    return done(console, f"/studies/{uid}", commands.carry_out(console, caller, command).sentence)


@router.post("/fetch")
def fetch_unseen(console: Here, caller: Caller, study: Text, peer: Text = "") -> Response:
    """Pull a study from an archive of which nothing need be here."""
    command = commands.wanted(console, [check_uid(study.strip())], peer)
    return done(console, "/studies", commands.carry_out(console, caller, command).sentence)


@router.post("/studies/{uid}/delete")
def delete(uid: str, console: Here, caller: Caller, sure: Ticked = False) -> Response:
    """Delete it, where that is meant."""
    if not sure:
        return done(console, f"/studies/{uid}", "Nothing was deleted: tick the box if you mean it.")
    return done(console, f"/studies/{uid}", commands.delete(console, caller, check_uid(uid)).sentence)


@router.get("/studies/{uid}/download")
def download(uid: str, console: Here, caller: Caller) -> Response:
    """All its files as a ZIP."""
    return as_zip(uid, commands.download(console, caller, check_uid(uid)))


def other_models(console: Console, jobs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Installed models that could have answered in the place of those that did."""
    current = [job for job in jobs if job["state"] != "SUPERSEDED" and not job["rejects"]]
    tasks, used = {job["task"] for job in current}, {job["model"] for job in current}
    models = console.parts.settings.models
    fit = (name for name, model in models.items() if model.task in tasks and not model.closed)
    return sorted(name for name in fit if name not in used)


def pictured(results: Sequence[Mapping[str, Any]], jobs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The SEGs of what is shown, in one form of each result: every form holds the same voxels."""
    shown = {job["job"] for job in jobs if job["state"] != "SUPERSEDED"}
    segs = [one for one in results if one["kind"] == "seg" and one["job"] in shown]
    forms = {job: min(one["variant"] for one in segs if one["job"] == job) for job in {one["job"] for one in segs}}
    return [one["sop_instance_uid"] for one in segs if one["variant"] == forms[one["job"]]]


def chart(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Volumes over time in a drawing of `SCALE` × `TALL` units: places by day, from 0 ml up."""
    days = [date.fromisoformat(point["taken"]).toordinal() for point in points]
    most = max((point["ml"] for point in points), default=0.0) or 1.0
    first, span = min(days, default=0), max(max(days, default=0) - min(days, default=0), 1)
    places = [
        {**point, "x": round(EDGE + (SCALE - 2 * EDGE) * (day - first) / span, 1),
         "y": round(TALL - EDGE - (TALL - 2 * EDGE) * point["ml"] / most, 1)}
        for day, point in zip(days, points, strict=True)
    ]
    return {"places": places, "line": " ".join(f"{one['x']},{one['y']}" for one in places)}


def drawn(timeline: Sequence[Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    """The steps with where each begins in a drawing of `SCALE` units, and how wide it is."""
    begins = [step["begin"] for step in timeline if step["begin"] is not None]
    ends = [step["begin"] + step["seconds"] for step in timeline if step["seconds"] is not None]
    first, last = min(begins, default=now), max(ends, default=now)
    unit = SCALE / max(last - first, 1e-3)
    steps = []
    for step in timeline:
        begin = first if step["begin"] is None else step["begin"]
        width = max(THINNEST, (step["seconds"] or 0.0) * unit)
        x = min((begin - first) * unit, SCALE - THINNEST)
        steps.append({**step, "x": round(x, 1), "width": round(min(width, SCALE - x), 1)})
    return steps


def by_series(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The newest verdict of each route on each series, and under "" those on the whole study."""
    newest = {(one["series"], one["route"], one["reason"]): one for one in verdicts}
    latest: dict[tuple[str, str], float] = {}
    for (series, route, _), one in newest.items():
        latest[series, route] = max(one["at"], latest.get((series, route), one["at"]))
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for (series, route, _), one in newest.items():
        if one["at"] == latest[series, route]:
            found[series].append(one)
    return found


def _by_job(results: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in results:
        found[one["job"]].append(one)
    return found
