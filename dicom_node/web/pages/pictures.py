"""Pictures of a study's segmentations, slice by slice."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from dicom_node.web.access import Caller, Here
from storage.identifiers import check_uid

router = APIRouter(include_in_schema=False)


@router.get("/studies/{uid}/pictures/{sop}")
def slices(uid: str, sop: str, console: Here) -> dict[str, Any]:
    """Which slices there are to look at."""
    return console.pictures.slices(console.parts, check_uid(uid), check_uid(sop))


@router.get("/studies/{uid}/pictures/{sop}/{number}")
def picture(uid: str, sop: str, number: str, console: Here, caller: Caller) -> Response:
    """One of them."""
    png = console.pictures.png(console.parts, check_uid(uid), check_uid(sop), number, names=caller.names)
    return Response(png, media_type="image/png")
