"""Notices go out: each to its channel, again with growing pauses where it is not heard, and given up in the end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from dicom_node.errors import NotTold
from dicom_node.pipeline.backoff import Backoff
from storage.database import Database
from storage.lifecycle import NoticeState
from storage.watching.notices import Notice

log = logging.getLogger(__name__)

BACKOFF = Backoff(base_s=30.0, max_s=3600.0, attempts=30)  # about a day
TERM_S = 300.0  # no channel takes longer to say whether it has heard
AT_ONCE = 20
KEPT_S = 7 * 86400.0


class Channel(Protocol):
    """Who can be told."""

    def tell(self, notice: Notice, now: float) -> str:
        """Tell one notice, and give who of several has not heard it, "" for nobody; NotTold where none has."""


@dataclass(frozen=True)
class Tell:
    """Tells what is due, by the name of its channel."""

    database: Database
    channels: Mapping[str, Channel]
    owner: str
    backoff: Backoff = BACKOFF
    revision: int = 0

    def step(self, now: float) -> bool:
        """Tell what is due, a few at a time; whether anything was.

        A channel that has not heard one is not told another in this step: the rest would wait for its silence.
        """
        deaf: set[str] = set()
        for told in range(AT_ONCE):
            with self.database.reading() as tx:
                if not tx.notices.due(now, deaf):
                    return told > 0
            with self.database.transaction() as tx:
                notice = tx.notices.claim(self.owner, now, TERM_S, deaf)
            if notice is None:
                return told > 0
            if not self._heard(notice, now):
                deaf.add(notice.channel)
        return True

    def forget(self, now: float) -> None:
        """Drop what was told or given up a week ago."""
        with self.database.transaction() as tx:
            tx.notices.forget(now - KEPT_S)

    def _heard(self, notice: Notice, now: float) -> bool:
        """Tell one; False where the channel was there and has not heard it."""
        channel = self.channels.get(notice.channel)
        if channel is None:
            self._give_up(notice, now, "no such channel is configured any more")
            return True
        try:
            unheard = channel.tell(notice, now)
        except NotTold as trouble:
            if notice.attempts >= self.backoff.attempts:
                self._give_up(notice, now, str(trouble))
                return False
            again = now + self.backoff.wait_s(notice.attempts, 0.5)
            with self.database.transaction() as tx:
                tx.notices.postpone(notice.notice_id, self.owner, again, str(trouble))
            log.warning("%s was not told: %s", notice.channel, trouble, extra={"attempt": notice.attempts})
            return False
        with self.database.transaction() as tx:
            tx.notices.end(notice.notice_id, self.owner, NoticeState.SENT, now, unheard)
            if unheard:  # told again it would come twice to the others
                text = f"{notice.channel} was told of '{notice.payload.get('event', '')}', but {unheard}"
                tx.journal.add(now, "notice partly told", text, revision=self.revision)
                log.error("%s", text)
        return True

    def _give_up(self, notice: Notice, now: float, reason: str) -> None:
        text = f"{notice.channel} was not told of '{notice.payload.get('event', '')}': {reason}"
        with self.database.transaction() as tx:
            tx.notices.end(notice.notice_id, self.owner, NoticeState.GIVEN_UP, now, reason)
            tx.journal.add(now, "notice given up", text, revision=self.revision)
        log.error("%s", text)
