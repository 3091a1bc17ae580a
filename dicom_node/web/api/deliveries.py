"""Deliveries: where they stand, why, and sending dead letters again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from dicom_node.views.study_views import Looking, Wished, deliveries_page
from dicom_node.web import commands
from dicom_node.web.access import Caller, Here
from dicom_node.web.api.answers import PROBLEMS
from dicom_node.web.api.studies import Key, Retried
from dicom_node.web.asked import DeliveryStates, Limit, looking

router = APIRouter(tags=["deliveries"], responses=PROBLEMS)


class Delivery(BaseModel):
    """One job's result to one destination, and what to do about it; times in seconds since 1970, UTC."""

    model_config = ConfigDict(extra="allow")

    delivery: int
    study: str
    job: str
    destination: str
    state: str
    attempts: int
    reason: str
    to_do: str
    created_at: float
    sent_at: float | None


class DeliveriesPage(BaseModel):
    """One page; `next` is what `before` is for the page after it, null at the end."""

    deliveries: list[Delivery]
    next: int | None


class Wanted(BaseModel):
    """Whose dead letters go again."""

    model_config = ConfigDict(extra="forbid")

    destination: str | None = Field(default=None, max_length=64, description="One, which is tried at once; null: all.")


@router.get("/api/v1/deliveries", response_model=DeliveriesPage)
def list_deliveries(
    console: Here,
    look: Annotated[Looking, Depends(looking)],
    state: DeliveryStates = [],  # noqa: B006
    destination: Annotated[str | None, Query(max_length=64)] = None,
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """Deliveries, the newest first."""
    with console.parts.database.reading() as tx:
        return deliveries_page(tx, Wished(tuple(state), destination, before, limit), look)


@router.post("/api/v1/deliveries/retry", response_model=Retried)
def retry_dead(console: Here, caller: Caller, wanted: Wanted | None = None, key: Key = None) -> dict[str, Any]:
    """Send every dead letter again, of one destination or of all."""
    destination = wanted.destination if wanted else None
    asked = f"retry dead {destination}"
    return commands.carry_out_once(console, caller, commands.dead_again(destination), asked, key)
