"""Notices: each once, leased, told again, given up, forgotten; storage.sql.tables_alerts."""

from __future__ import annotations

import pytest

from storage.database import Database
from storage.errors import LeaseLost
from storage.lifecycle import NoticeState


def test_the_same_key_is_queued_once_a_channel(db: Database) -> None:
    with db.transaction() as tx:
        assert [tx.notices.add(channel, "k", {"a": 1}, 1.0) for channel in ("mail", "mail", "hook")] == [
            True, False, True]
        assert tx.notices.counts() == {("mail", NoticeState.PENDING): 1, ("hook", NoticeState.PENDING): 1}


def test_its_way(db: Database) -> None:
    with db.transaction() as tx:
        tx.notices.add("mail", "k", {"a": 1}, 1.0)
        first = tx.notices.claim("me", 2.0, 60.0)
        assert first
        assert (first.payload, first.attempts) == ({"a": 1}, 1)
        assert tx.notices.claim("you", 2.0, 60.0) is None
        assert not tx.notices.due(2.0)
        tx.notices.postpone(first.notice_id, "me", 100.0, "nobody there")
        assert (tx.notices.due(99.0), tx.notices.due(100.0)) == (False, True)
        again = tx.notices.claim("you", 100.0, 60.0)
        assert again
        assert again.attempts == 2
        with pytest.raises(LeaseLost):
            tx.notices.end(again.notice_id, "me", NoticeState.SENT, 101.0)
        tx.notices.end(again.notice_id, "you", NoticeState.SENT, 101.0)
        assert tx.notices.counts() == {("mail", NoticeState.SENT): 1}
        assert (tx.notices.forget(101.0), tx.notices.forget(102.0)) == (0, 1)


def test_channels_can_be_left_alone(db: Database) -> None:
    with db.transaction() as tx:
        tx.notices.add("hook", "k", {}, 1.0)
        assert not tx.notices.due(2.0, {"hook"})
        tx.notices.add("mail", "k", {}, 1.5)
        assert tx.notices.due(2.0, {"hook"})
        claimed = tx.notices.claim("me", 2.0, 60.0, {"hook"})
        assert claimed
        assert claimed.channel == "mail"


def test_a_lease_that_ran_out_is_anybodys(db: Database) -> None:
    with db.transaction() as tx:
        tx.notices.add("mail", "k", {}, 1.0)
        tx.notices.claim("dead", 2.0, 60.0)
        assert tx.notices.claim("me", 62.0, 60.0)


def test_no_two_have_the_same_name_also_when_the_first_was_forgotten(db: Database) -> None:
    names = []
    for at in (1.0, 1e6, 2e6):
        with db.transaction() as tx:
            tx.notices.forget(at)
            tx.notices.add("hook", f"k {at}", {}, at)
            notice = tx.notices.claim("me", at, 60.0)
            assert notice
            tx.notices.end(notice.notice_id, "me", NoticeState.SENT, at)
            names.append(notice.name)
    assert len(set(names)) == 3


def test_a_watch_goes_on_where_it_was(db: Database) -> None:
    with db.transaction() as tx:
        assert tx.notices.watched("events") is None
        for until in (5.0, 6.0):
            tx.notices.watch("events", until)
        assert tx.notices.watched("events") == 6.0
