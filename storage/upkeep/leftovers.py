"""What is over, of use to nobody any more, and would stay for ever: dropped by the hour."""

from __future__ import annotations

from storage.database import Database
from storage.leaving.promises import SOME

TOLD_TERM_S = 7 * 86400.0  # a peer that asks the same once more does so sooner; with all that it named a row is large


def drop_leftovers(db: Database, now: float) -> int:
    """Associations of which nothing is here, and peers' commitment requests that were answered; gives the number."""
    with db.transaction() as tx:
        dropped = tx.associations.forget(now)
    some = SOME
    while some == SOME:  # a few at a time, so that nobody waits for long
        with db.transaction() as tx:
            some = tx.promises.forget_ended(now - TOLD_TERM_S)
        dropped += some
    return dropped
