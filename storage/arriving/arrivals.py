"""The statements by which an instance arrives: half a dozen at every image, so they are prepared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Executable, and_, bindparam, case, exists, select, update

from storage.arriving.headers import HEADER_COLUMNS
from storage.lifecycle import StudyState
from storage.records import FetchPurpose
from storage.sql.prepared import prepared
from storage.sql.store import insert
from storage.sql.words import at_most
from storage.tables import instances, results, senders, series, studies

REMOVED = studies.c.state == StudyState.REMOVED.value


@prepared
def is_result(_: str) -> Executable:
    """Whether a result of ours bears `sop_uid`."""
    return select(1).where(results.c.sop_uid == bindparam("sop_uid")).limit(at_most(1))


@prepared
def is_by_hand(_: str) -> Executable:
    """Whether a person brought the study `uid`."""
    return select(1).where(studies.c.study_uid == bindparam("uid"), studies.c.by_hand).limit(at_most(1))


@prepared
def add_instance(dialect: str) -> Executable:
    """Add an instance unless this content of it is there."""
    return insert(dialect, instances).on_conflict_do_nothing()


@prepared
def add_sender(dialect: str) -> Executable:
    """Note that an association sends of a study."""
    return insert(dialect, senders).on_conflict_do_nothing()


@prepared
def count_in_series(dialect: str, counter: str) -> Executable:
    """One more in its series, which is there from now on; `counter`: "images" or "others"."""
    column = series.c[counter]
    key = [series.c.study_uid, series.c.series_uid]
    return insert(dialect, series).on_conflict_do_update(index_elements=key, set_={counter: column + 1})


@prepared
def count_one_more(_: str, counter: str) -> Executable:
    """One more in the series `number` of the study `of`, where it is there."""
    this = and_(series.c.study_uid == bindparam("of"), series.c.series_uid == bindparam("number"))
    return update(series).where(this).values({counter: series.c[counter] + 1})


@prepared
def see_series(dialect: str) -> Executable:
    """Make the series visible, and hold it, as who counts an image does before the study is taken."""
    key = [series.c.study_uid, series.c.series_uid]
    return insert(dialect, series).on_conflict_do_update(index_elements=key, set_={"images": series.c.images})


@prepared
def see_study(dialect: str) -> Executable:
    """Make the study visible for what is no new image of it; where it was removed it begins anew."""
    new = insert(dialect, studies)
    anew = {name: new.excluded[name] for name in ("state", "changed_at", "received_at", *HEADER_COLUMNS)}
    return new.on_conflict_do_update(index_elements=[studies.c.study_uid], set_=anew, where=REMOVED)


@prepared
def one_image_more(_: str) -> Executable:
    """One more image of the study `uid`, where it is there and open; nothing of it is waited for.

    Its state is no part of what is written, since the indexes that begin with it would then be written as well.
    """
    this = and_(studies.c.study_uid == bindparam("uid"), studies.c.state == StudyState.RECEIVING.value)
    return update(studies).where(this).values({"images": studies.c.images + 1, "changed_at": bindparam("at")})


@prepared
def still_sent(_: str) -> Executable:
    """An image of the study `uid`, where it is open, came once more: its sender is still at it."""
    this = and_(studies.c.study_uid == bindparam("uid"), studies.c.state == StudyState.RECEIVING.value)
    return update(studies).where(this).values(changed_at=bindparam("at"))


@prepared
def open_study_again(dialect: str, awaited: FetchPurpose | None) -> Executable:
    """One more image of the study, which is open from now on, unless a fetch of it goes on."""
    new = insert(dialect, studies)
    # What a removed study knew of itself went with its files.
    forgotten = {
        name: case((REMOVED, new.excluded[name]), else_=studies.c[name]) for name in ("received_at", *HEADER_COLUMNS)
    }
    reopened: dict[str, Any] = forgotten | {
        "images": studies.c.images + 1,
        "state": new.excluded.state,  # RECEIVING, from wherever it stood: each state allows this step
        "changed_at": new.excluded.changed_at,
    }
    if awaited:  # the fetch goes on, and so does the quiet time of a study that a sender is still at
        still_sent = studies.c.state == StudyState.RECEIVING.value
        stays = ~REMOVED if awaited is FetchPurpose.PRIOR else still_sent
        reopened["state"] = case((stays, studies.c.state), else_=new.excluded.state)
        reopened["changed_at"] = case((REMOVED, new.excluded.changed_at), else_=studies.c.changed_at)
    return new.on_conflict_do_update(index_elements=[studies.c.study_uid], set_=reopened)


def comes_to_count(connection: Connection, values: Mapping[str, Any]) -> bool:
    """Whether this content stood beside another study's image that has been removed since: from now on it counts.

    Asked only of what is here already, so it need not be prepared.
    """
    this = and_(instances.c.sop_uid == values["sop_uid"], instances.c.sha256 == values["sha256"])
    beside = and_(this, instances.c.conflict, instances.c.replaced.is_(False))
    other = instances.alias()
    counts = exists(select(1).where(other.c.sop_uid == values["sop_uid"], other.c.conflict.is_(False)))
    return connection.execute(update(instances).where(beside, ~counts).values(**values)).rowcount == 1
