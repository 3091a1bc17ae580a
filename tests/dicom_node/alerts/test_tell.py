"""Notices are told once where they are heard, again with pauses where they are not, and given up in the end."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from dicom_node.alerts.tell import Tell
from dicom_node.assembly import Parts
from dicom_node.errors import NotTold
from dicom_node.pipeline.backoff import Backoff
from storage.lifecycle import NoticeState
from storage.watching.notices import Notice


@dataclass
class Ear:
    """A channel that hears, or does not."""

    deaf: bool = False
    but: str = ""
    asked: int = 0
    heard: list[Notice] = field(default_factory=list)

    def tell(self, notice: Notice, now: float) -> str:
        self.asked += 1
        if self.deaf:
            raise NotTold("it does not listen")
        self.heard.append(notice)
        return self.but


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def tell(parts: Parts, ear: Ear) -> Tell:
    with parts.database.transaction() as tx:
        tx.notices.add("mail", "k", {"event": "late"}, 10.0)
    return Tell(parts.database, {"mail": ear}, "clock", Backoff(30.0, 3600.0, 3))


def counts(parts: Parts) -> dict[tuple[str, NoticeState], int]:
    with parts.database.reading() as tx:
        return tx.notices.counts()


def test_it_is_told_once(tell: Tell, ear: Ear, parts: Parts) -> None:
    assert [tell.step(10.0), tell.step(11.0)] == [True, False]
    assert [one.payload for one in ear.heard] == [{"event": "late"}]
    assert counts(parts) == {("mail", NoticeState.SENT): 1}
    tell.forget(10.0 + 8 * 86400)
    assert counts(parts) == {}


def test_it_is_told_again_after_growing_pauses(tell: Tell, ear: Ear) -> None:
    ear.deaf = True
    assert [tell.step(at) for at in (10.0, 39.0, 41.0, 100.0)] == [True, False, True, False]
    ear.deaf = False
    assert tell.step(102.0)
    assert len(ear.heard) == 1


def test_in_the_end_it_is_given_up_and_that_is_journalled(tell: Tell, ear: Ear, parts: Parts) -> None:
    ear.deaf = True
    for at in (10.0, 100.0, 1000.0, 10_000.0):
        tell.step(at)
    assert counts(parts) == {("mail", NoticeState.GIVEN_UP): 1}
    with parts.database.reading() as tx:
        assert tx.journal.recent(1)[0].text == "mail was not told of 'late': it does not listen"


def test_who_alone_has_not_heard_it_is_journalled_and_the_others_are_not_told_again(
    tell: Tell, ear: Ear, parts: Parts
) -> None:
    ear.but = "the server does not take it for it@hospital.example (550)"
    assert [tell.step(at) for at in (10.0, 1000.0, 10_000.0)] == [True, False, False]
    assert counts(parts) == {("mail", NoticeState.SENT): 1}
    with parts.database.reading() as tx:
        (entry, *_) = told = tx.journal.recent(5)
    assert [one.event for one in told].count("notice partly told") == 1
    assert entry.text == "mail was told of 'late', but the server does not take it for it@hospital.example (550)"


def test_one_that_is_silent_keeps_nobody_else_waiting(tell: Tell, ear: Ear, parts: Parts) -> None:
    silent = Ear(deaf=True)
    with parts.database.transaction() as tx:
        for number in range(50):  # all of them due before the mail
            tx.notices.add("webhook:silent", f"entry {number}", {"event": "result"}, 1.0)
    Tell(parts.database, {"mail": ear, "webhook:silent": silent}, "clock").step(10.0)
    assert (len(ear.heard), silent.asked) == (1, 1)


def test_a_channel_that_is_gone_is_not_waited_for(parts: Parts, tell: Tell) -> None:
    Tell(parts.database, {}, "clock").step(10.0)
    assert counts(parts) == {("mail", NoticeState.GIVEN_UP): 1}
