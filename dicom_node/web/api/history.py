"""How files of the configuration came to say what they say, and the way back, for programs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from dicom_node.configuring import partners, routes_text
from dicom_node.configuring.changes import Author, Changed, fingerprint, history, restore, text_of
from dicom_node.models import model_switch
from dicom_node.web.access import Caller, Here, Visit
from dicom_node.web.api.answers import PROBLEMS
from dicom_node.web.asked import Limit, Number
from dicom_node.web.console import Console

router = APIRouter(responses=PROBLEMS)

Before = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
Seen = Annotated[str, Query(max_length=64, description="`seen` of the history; '': whatever the file says by now.")]
FILES = {"peers": partners.FILE, "routing": routes_text.NAME, "models": model_switch.FILE}


class Written(BaseModel):
    """The revision that says so, and what changed, as a diff; empty where it was so already."""

    revision: int
    change: str


class Step(BaseModel):
    """One change of a file; `by` is empty where the file itself was edited; `at` in seconds since 1970, UTC."""

    number: int
    at: float
    by: str
    what: str
    change: str


class StepsPage(BaseModel):
    """One page; `next` is what `before` is for the page after it, null at the end.

    `seen` is brought back by who goes back to a revision, so that nobody undoes what is new to him.
    """

    revisions: list[Step]
    next: int | None
    seen: str


def author(console: Console, caller: Visit) -> Author:
    """Who changes the configuration, and when."""
    return Author(console.clock(), caller.participant)


def written(console: Console, changed: Changed) -> dict[str, Any]:
    """The answer to a change, which this process uses from now on."""
    console.watch.look()
    return vars(changed)


def _serve(section: str, file: str) -> None:
    """The history of one file, beside what changes it."""

    @router.get(f"/api/v1/{section}/history", response_model=StepsPage, tags=[section], summary=f"Who changed {file}")
    def past(console: Here, before: Before = None, limit: Limit = 50) -> dict[str, Any]:
        """Who changed the file, and how, the newest first."""
        with console.parts.database.reading() as tx:
            steps, following = history(tx, file, limit, before)
        now = text_of(console.parts.settings.folder, file)
        return {"revisions": [vars(one) for one in steps], "next": following, "seen": fingerprint(now)}

    place = f"/api/v1/{section}/history/{{number}}/restore"

    @router.post(place, response_model=Written, tags=[section], summary=f"Go back to a revision of {file}")
    def go_back(console: Here, caller: Caller, number: Number, seen: Seen = "") -> dict[str, Any]:
        """Have the file say again what it said under a revision; that makes a new one."""
        return written(console, restore(console.parts, file, number, author(console, caller), seen=seen))


for _section, _file in FILES.items():
    _serve(_section, _file)
