"""Studies that a person brought through the console, told from those that a peer sent."""

from __future__ import annotations

from sqlalchemy import and_, exists, or_, select, update

from storage.arriving.arrivals import is_by_hand
from storage.sql.store import Store
from storage.tables import senders, studies
from storage.texts import plain


class ByHand(Store):
    """Which studies of one transaction are by hand: what is made of them goes nowhere until somebody asks for that."""

    def take(self, study_uid: str, association_id: str, task: str = "") -> bool:
        """Note that this association of a person's brings the study, and which task alone is wanted ("": any).

        Asked after its instance was added. False, and nothing is noted, where another association has sent of it
        already: then it is a study like every other.
        """
        others = exists(
            select(1).where(and_(senders.c.study_uid == study_uid, senders.c.association_id != association_id))
        )
        this = and_(studies.c.study_uid == study_uid, or_(studies.c.by_hand, ~others))
        noted = update(studies).where(this).values(by_hand=True, wanted_task=plain(task))
        return self._connection.execute(noted).rowcount == 1

    def has(self, study_uid: str) -> bool:
        """Whether the study is by hand. In a writing transaction that does not end before the commit."""
        query = select(studies.c.by_hand).where(studies.c.study_uid == study_uid)
        return bool(self._connection.execute(query.with_for_update(read=True) if self._writing else query).scalar())

    def end(self, study_uid: str, association_id: str | None = None) -> bool:
        """From now on it is a study like every other, which this association sends as well; False where it was."""
        if is_by_hand(self._connection, {"uid": study_uid}).fetchone() is None:
            return False
        this = and_(studies.c.study_uid == study_uid, studies.c.by_hand)
        if association_id is not None:
            self._add(senders, study_uid=study_uid, association_id=association_id)
        ended = update(studies).where(this).values(by_hand=False, wanted_task="")
        return self._connection.execute(ended).rowcount == 1
