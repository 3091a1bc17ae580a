"""What was sent where, what was given up and why; dead letters go again, one destination's or all."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from dicom_node.views.study_views import Looking, Wished, deliveries_page
from dicom_node.web import commands
from dicom_node.web.access import Caller, Here
from dicom_node.web.asked import DeliveryStates, looking
from dicom_node.web.pages.forms import Text, done
from dicom_node.web.rendering import MANY, page, up_to_many
from storage.lifecycle import DeliveryState

router = APIRouter(include_in_schema=False)


@router.get("/deliveries")
def deliveries(
    request: Request,
    console: Here,
    look: Annotated[Looking, Depends(looking)],
    state: DeliveryStates = [],  # noqa: B006
    destination: Annotated[str, Query(max_length=64)] = "",
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
) -> Response:
    """The newest first."""
    wished = Wished(tuple(state), destination or None, before)
    with console.parts.database.reading() as tx:
        found = deliveries_page(tx, wished, look)
        counts = tx.deliveries.counts(MANY + 1)
    kept = [("state", str(one)) for one in state] + ([("destination", destination)] if destination else [])
    onward = "/deliveries?" + urlencode([*kept, ("before", found["next"])]) if found["next"] else ""
    return page(
        request,
        "deliveries.html",
        found=found["deliveries"],
        wished=wished,
        states=[(one, up_to_many(counts.get(one, 0))) for one in DeliveryState],
        destinations=sorted(console.parts.settings.destinations()),
        dead=up_to_many(counts[DeliveryState.DEAD]) if DeliveryState.DEAD in counts else "",
        onward=onward,
    )


@router.post("/deliveries/retry")
def retry(console: Here, caller: Caller, destination: Text = "") -> Response:
    """Send dead letters again: those of a destination, which is tried at once, or all."""
    command = commands.dead_again(destination or None)
    return done(console, "/deliveries", commands.carry_out(console, caller, command).sentence)
