"""Where every study is: the list, narrowed by words and states, a page at a time."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from dicom_node.views.study_views import Looking, studies_page
from dicom_node.web.access import Here
from dicom_node.web.asked import looking, sought
from dicom_node.web.rendering import MANY, page, up_to_many
from storage.finding.search import Sought
from storage.lifecycle import StudyState

router = APIRouter(include_in_schema=False)


@router.get("/studies")
def studies(
    request: Request,
    console: Here,
    look: Annotated[Looking, Depends(looking)],
    asked: Annotated[Sought, Depends(sought)],
) -> Response:
    """The newest first."""
    with console.parts.database.reading() as tx:
        found = studies_page(tx, asked, look)
        counts = tx.search.counts(MANY + 1)
    kept: list[tuple[str, str]] = [("state", str(state)) for state in asked.states]
    kept += [("q", asked.words)] if asked.words else []
    kept += [("trouble", "true")] if asked.in_trouble else []
    onward = "/studies?" + urlencode([*kept, ("after", found["next"])]) if found["next"] else ""
    first = "/studies" + (f"?{urlencode(kept)}" if kept else "")
    return page(
        request,
        "studies.html",
        found=found["studies"],
        asked=asked,
        states=[(state, up_to_many(counts[state])) for state in StudyState],
        onward=onward,
        first=first if asked.after else "",
        archives=sorted(console.parts.settings.archives()),
    )
