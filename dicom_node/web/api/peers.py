"""Peers and destinations: how they are called, whether they answer, what they take; changes.

Each command may be sent again: what is so already is not done again.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from dicom_node.configuring.partners import ONE, UNSEEN, Group, entry_of, partner, partners, put
from dicom_node.web import calling
from dicom_node.web.access import Caller, Here
from dicom_node.web.api.answers import PROBLEMS
from dicom_node.web.api.history import Written, author, written
from dicom_node.web.asked import Limit
from storage.errors import NotFound

router = APIRouter(tags=["peers"], responses=PROBLEMS)

class Partner(BaseModel):
    """How it is called, what it is here for, what it may do when it calls."""

    group: Group
    name: str
    kind: str
    ae_title: str
    address: str
    tls: str
    roles: list[str]
    may: str
    profile: str
    probed: bool = Field(description="Whether it can be probed.")


class PartnersPage(BaseModel):
    """One page; `next` is what `after` is for the page after it, null at the end."""

    peers: list[Partner]
    next: str | None


class Wanted(BaseModel):
    """What node.yaml is to say of it."""

    model_config = ConfigDict(extra="forbid")

    entry: dict[str, Any]
    was: dict[str, Any] | None = Field(
        default=None,
        description="What it said when you looked, null: nothing. Where this is sent and it says something else by "
        "now, nothing is written (409). Left out: it is not looked at.",
    )


class Echo(BaseModel):
    """Whether it answers, in words."""

    answers: bool
    sentence: str
    seconds: float


class Probe(BaseModel):
    """What it takes. `profile`: what to write for the nearest profile, {} for the standard, null where none fits."""

    answers: bool
    sentence: str
    accepted: dict[str, list[str]]
    profile: dict[str, Any] | None
    lacking: list[str]


@router.get("/api/v1/peers", response_model=PartnersPage)
def list_peers(
    console: Here,
    after: Annotated[str, Query(max_length=100, description="`next` of the page before.")] = "",
    limit: Limit = 50,
) -> dict[str, Any]:
    """Peers and destinations by name; those after `after`."""
    listed = sorted(partners(console.parts.settings), key=_place)
    rest = [one for one in listed if _place(one) > after]
    return {"peers": rest[:limit], "next": _place(rest[limit - 1]) if len(rest) > limit else None}


@router.get("/api/v1/peers/{group}/{name}", response_model=Partner)
def one_peer(console: Here, group: Group, name: str) -> dict[str, Any]:
    """One."""
    return partner(console.parts.settings, group, name)


@router.get("/api/v1/peers/{group}/{name}/entry")
def one_entry(console: Here, group: Group, name: str) -> dict[str, Any]:
    """What node.yaml says of it."""
    entry = entry_of(console.parts.settings, group, name)
    if entry is None:
        raise NotFound(f"there is no {ONE[group]} {name}")
    return entry


@router.put("/api/v1/peers/{group}/{name}", response_model=Written)
def put_peer(console: Here, caller: Caller, group: Group, name: str, wanted: Wanted) -> dict[str, Any]:
    """Have node.yaml say this of it, be it there already or not."""
    was = wanted.was if "was" in wanted.model_fields_set else UNSEEN
    return written(console, put(console.parts, group, name, wanted.entry, author(console, caller), was=was))


@router.delete("/api/v1/peers/{group}/{name}", response_model=Written)
def remove_peer(console: Here, caller: Caller, group: Group, name: str) -> dict[str, Any]:
    """Take it out of node.yaml."""
    return written(console, put(console.parts, group, name, None, author(console, caller), was=UNSEEN))


@router.post("/api/v1/peers/{group}/{name}/echo", response_model=Echo)
def echo(console: Here, caller: Caller, group: Group, name: str) -> dict[str, Any]:
    """Call it by C-ECHO, or by what its kind has instead."""
    return vars(calling.echo(console, caller, group, name))


@router.post("/api/v1/peers/{group}/{name}/probe", response_model=Probe)
def probe(console: Here, caller: Caller, group: Group, name: str) -> dict[str, Any]:
    """Negotiate with it and propose a profile; nothing is sent."""
    return vars(calling.probe(console, caller, group, name))


def _place(one: dict[str, Any]) -> str:
    return f"{one['group']}/{one['name']}"
