"""What may be asked of the audit trail in the words of an address; whoever reads it is told to it (PS3.15 A.5.3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BeforeValidator, Field

from dicom_node.audit.words import ACTIONS
from dicom_node.errors import NodeError
from dicom_node.views.audit_views import audit_page, exported, read_audit_cursor
from dicom_node.views.study_views import Looking
from dicom_node.web.access import Visit
from dicom_node.web.asked import Limit
from dicom_node.web.console import Console
from storage.identifiers import check_uid
from storage.people.audit_records import AuditSought

LOG = "urn:segnode:audit"

Day = Annotated[date, Field(ge=date(1970, 1, 2), le=date(2999, 12, 31))]
Nothing = Literal[""]  # what a form sends of a field that was left empty
Empty = BeforeValidator(lambda value: value or None)
Who = Annotated[str, Query(max_length=200, description="Words to be found among those who took part: names of people "
                           "and processes, AE titles, addresses; each must be.")]  # fmt: skip
Action = Annotated[str, Query(max_length=64, description="An Audit Event ID or Event Type Code, as `codes` has them.")]
Study = Annotated[str, Query(max_length=64, description="Only what was done with this study.")]
Bound = Annotated[Day | Nothing | None, Empty]
First = Annotated[Bound, Query(alias="from", description="From this day on, in the node's time zone.")]
Last = Annotated[Bound, Query(alias="to", description="Until the end of this day.")]
Cursor = Annotated[str, Query(max_length=100, description="`next` of the page before.")]


class UnknownAction(NodeError):
    """A word for an action that no message has."""


def audit_sought(
    who: Who = "",
    action: Action = "",
    study: Study = "",
    first: First = None,
    last: Last = None,
    after: Cursor = "",
    limit: Limit = 50,
) -> AuditSought:
    """A search in the audit trail. UnknownAction; BadCursor; BadIdentifier."""
    if action and action not in ACTIONS:
        raise UnknownAction(f"no action is called {action!r}; known: {', '.join(ACTIONS)}")
    return AuditSought(
        words=who,
        action=action,
        study_uid=check_uid(study) if study else "",
        since=_begin_of(first) if first else None,
        until=_begin_of(last + timedelta(days=1)) if last else None,
        after=read_audit_cursor(after) if after else None,
        limit=limit,
    )


def read_trail(console: Console, caller: Visit, asked: AuditSought, looking: Looking) -> dict[str, Any]:
    """A page of it; the trail is told who read it."""
    with console.parts.database.reading() as tx:
        found = audit_page(tx, asked, looking)
    console.parts.audit.log_read(LOG, caller.participant)
    return found


def take_trail(console: Console, caller: Visit, asked: AuditSought, looking: Looking) -> Iterator[str]:
    """All that is found, as lines of JSON; the trail is told who took it."""
    console.parts.audit.log_read(LOG, caller.participant)
    return exported(console.parts.database, asked, looking)


def _begin_of(day: date) -> float:
    """Its first moment in the node's own time zone, in seconds since 1970."""
    return datetime.combine(day, time.min).astimezone().timestamp()
