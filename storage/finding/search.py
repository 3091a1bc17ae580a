"""Studies as a person looks for them: filtered, a page at a time, the newest first.

A page begins where the last one ended (keyset), so that the thousandth is as quick as the first and nothing
moves from one page to another while new studies arrive.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, or_, select, tuple_, union_all

from storage.arriving.headers import as_searched
from storage.lifecycle import DeliveryState, JobState, StudyState
from storage.records import Study
from storage.sql.store import Store, among
from storage.sql.words import at_most
from storage.studies import Studies
from storage.tables import deliveries, jobs, studies

MOST_WORDS = 8


@dataclass(frozen=True)
class Sought:
    """What is looked for. `words` are looked for in the study UID and, with `by_patient`, in who the patient is.

    `after` is (received_at, study UID) of the last one of the page before.
    """

    states: Collection[StudyState] = ()
    words: str = ""
    by_patient: bool = False
    in_trouble: bool = False
    after: tuple[float, str] | None = None
    limit: int = 50


class Search(Store):
    """Looks for studies in one transaction."""

    def studies(self, sought: Sought) -> list[Study]:
        """At most `limit` studies, newest arrival first."""
        states = sorted(set(sought.states))
        each = [select(studies).where(studies.c.state == state, *_conditions(sought)) for state in states]
        # Each state's studies stand in their order in an index, and the databases merge them; IN would have them sort.
        query = union_all(*each) if each else union_all(select(studies).where(*_conditions(sought)))
        newest = (query.selected_columns.received_at.desc(), query.selected_columns.study_uid.desc())
        return Studies(self._connection).selected(query.order_by(*newest).limit(at_most(sought.limit)))

    def counts(self, most: int) -> dict[StudyState, int]:
        """How many studies are in each state, none of them counted further than `most`.

        To count all of them takes the longer the more there are, and a list is looked at often.
        """
        found = self._counts(studies.c.state, StudyState, most)
        return {state: found.get(state, 0) for state in StudyState}


def _conditions(sought: Sought) -> Iterator[ColumnElement[bool]]:
    if sought.after is not None:
        yield tuple_(studies.c.received_at, studies.c.study_uid) < tuple_(*sought.after)
    if sought.in_trouble:
        yield _in_trouble()
    for word in _words(sought.words)[:MOST_WORDS]:
        yield _has(word, by_patient=sought.by_patient)


def _words(text: str) -> list[str]:
    """Words of a search, in which a name may stand as people write it (Doe, Jane) or as DICOM does (DOE^JANE).

    A PACS has people write DOE* and D?E; parts of words are found here without, so that these only part them.
    """
    return [word for word in re.split(r"[\s,^=*?]+", as_searched(text)) if word]


def _has(word: str, *, by_patient: bool) -> ColumnElement[bool]:
    uid = studies.c.study_uid.startswith(word, autoescape=True)
    return or_(uid, studies.c.found_by.contains(word, autoescape=True)) if by_patient else uid


def _in_trouble() -> ColumnElement[bool]:
    """Something of it waits for a person."""
    waits = (DeliveryState.DEAD, DeliveryState.HELD)
    failed = exists(select(1).where(jobs.c.study_uid == studies.c.study_uid, jobs.c.state == JobState.FAILED.value))
    unsent = exists(
        select(1).where(and_(deliveries.c.study_uid == studies.c.study_uid, among(deliveries.c.state, waits)))
    )
    return or_(studies.c.state == StudyState.NOT_ROUTED.value, failed.correlate(studies), unsent.correlate(studies))
