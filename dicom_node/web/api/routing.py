"""Routing: the rules, what others would do, what they say of files; having others, or fewer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from dicom_node.configuring.changes import fingerprint
from dicom_node.configuring.route_changes import go_live, text_now
from dicom_node.configuring.route_removal import remove
from dicom_node.web.access import Caller, Here
from dicom_node.web.api.answers import PROBLEMS
from dicom_node.web.api.history import Written, author, written
from dicom_node.web.api.studies import BINARY, Skipped
from dicom_node.web.rehearsing import dry_run, look_at_files

router = APIRouter(tags=["routing"], responses=PROBLEMS)

FILES = {"requestBody": {"required": True, "content": {"application/zip": BINARY, "application/dicom": BINARY}}}
LONGEST = 100_000
RouteText = Annotated[str, Field(max_length=LONGEST, description="The route as YAML, as in routes.yaml.")]
RouteName = Annotated[str, Field(default="", max_length=64, description="Whose place it takes; '': nobody's.")]

Seen = Annotated[str, Query(max_length=64, description="`seen` of the rules; '': whatever they say by now.")]
Sure = Annotated[bool, Query(description="Also where there is something to be asked about first (409 says what).")]


class Rules(BaseModel):
    """What routes.yaml says; `seen` is brought back by who changes it, so that nobody overwrites what is new to him."""

    yaml: str
    seen: str
    revision: int
    routes: list[dict[str, Any]]


class Draft(BaseModel):
    """A route on trial."""

    model_config = ConfigDict(extra="forbid")

    route: RouteName = ""
    yaml: RouteText
    days: Annotated[float, Field(gt=0, le=366, description="So far back studies are looked at.")] = 7.0


class Live(BaseModel):
    """A route that is to be used from now on."""

    model_config = ConfigDict(extra="forbid")

    route: RouteName = ""
    yaml: RouteText
    seen: Annotated[str, Field(max_length=64, description="`seen` of the rules that it changes.")]


class Rehearsed(BaseModel):
    """What would change; `whole` is false where older studies of these days were not looked at any more."""

    days: float
    looked_at: int
    taken: int
    would_change: int
    whole: bool
    changes: list[dict[str, Any]] = Field(description="The newest: study, and each route's verdict before and after.")


class Judged(BaseModel):
    """What every rule says of each study that was brought, and what was skipped."""

    studies: list[dict[str, Any]]
    skipped: list[Skipped]
    skipped_further: int


@router.get("/api/v1/routing", response_model=Rules)
def rules(console: Here) -> dict[str, Any]:
    """The rules that studies are routed by."""
    parts, text = console.parts, text_now(console.parts)
    routes = [route.model_dump(mode="json") for route in parts.settings.routes]
    return {"yaml": text, "seen": fingerprint(text), "revision": parts.revision, "routes": routes}


@router.post("/api/v1/routing/rehearse", response_model=Rehearsed)
def rehearse(console: Here, caller: Caller, draft: Draft) -> dict[str, Any]:
    """What an edited route would have made of the last days' studies; nothing is made and nothing is written."""
    return dry_run(console, caller, draft.route, draft.yaml, draft.days)


@router.post("/api/v1/routing/judge", response_model=Judged, openapi_extra=FILES)
async def judge(request: Request, console: Here, caller: Caller) -> dict[str, Any]:
    """What every rule says of a file or zip, and why; nothing of it is kept."""
    return await look_at_files(request, console, caller)


@router.post("/api/v1/routing/live", response_model=Written)
def live(console: Here, caller: Caller, wanted: Live) -> dict[str, Any]:
    """Write a route into routes.yaml; the running roles take it up, and the change is a revision."""
    changed = go_live(console.parts, wanted.route, wanted.yaml, wanted.seen, author(console, caller))
    return written(console, changed)


@router.delete("/api/v1/routing/{name}", response_model=Written)
def delete_route(console: Here, caller: Caller, name: str, seen: Seen = "", sure: Sure = False) -> dict[str, Any]:
    """Take a route out of routes.yaml. Where studies are on their way by it, or it is the only one, only if sure."""
    return written(console, remove(console.parts, name, author(console, caller), seen=seen, sure=sure))
