"""What pages and programs may ask of lists, in the words of an address."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BeforeValidator

from dicom_node.views.study_views import Looking, read_cursor, whole_study
from dicom_node.web.access import Caller, Here, Visit
from dicom_node.web.console import Console
from storage.finding.search import Sought
from storage.identifiers import check_uid
from storage.lifecycle import DeliveryState, StudyState


def _chosen(values: object) -> object:
    """A form sends an empty word where nothing was chosen."""
    return [value for value in values if value != ""] if isinstance(values, list) else values


def _some_of(states: type[StrEnum], description: str) -> Any:
    words = {"items": {"type": "string", "enum": ["", *states]}}
    return Query(description=description, json_schema_extra=words)


NoEmptyOnes = BeforeValidator(_chosen)
DeliveryStates = Annotated[
    list[DeliveryState], NoEmptyOnes, _some_of(DeliveryState, "Only those in one of these states.")
]
States = Annotated[list[StudyState], NoEmptyOnes, _some_of(StudyState, "Only studies in one of these states.")]
Words = Annotated[str, Query(max_length=200, description="Words to be found in the study UID or, by who may, in the "
                             "patient's name, ID and accession number; each must be.")]
Trouble = Annotated[bool, Query(description="Only studies of which something waits for a person.")]
Cursor = Annotated[str, Query(max_length=100, description="`next` of the page before.")]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="A revision of the configuration.")]
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]


def sought(
    q: Words = "", state: States = [], trouble: Trouble = False, after: Cursor = "", limit: Limit = 50  # noqa: B006
) -> Sought:
    """A search among the studies."""
    cursor = read_cursor(after) if after else None
    return Sought(tuple(state), q, in_trouble=trouble, after=cursor, limit=limit)


def look_at(console: Console, caller: Visit, looking: Looking, uid: str) -> dict[str, Any]:
    """A study for who asks; the audit trail is told who was shown it. BadIdentifier; NotFound."""
    with console.parts.database.reading() as tx:
        view = whole_study(tx, check_uid(uid), looking)
    if console.seen.is_new(caller.somebody.user_id, uid, looking.now):
        console.parts.audit.looked_at(uid, caller.participant)
    return view


def looking(console: Here, caller: Caller) -> Looking:
    """When somebody looks, and what that one may be shown."""
    return Looking(console.clock(), caller.names)
