"""Studies that a person wants: found by day, queued gently, and not twice."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydicom import dcmread
from web_archive import web_archive
from web_shelf import Shelf

from dicom_node.acts.backfill import Days, is_here, look_up, queue, search, source_called
from dicom_node.assembly import Parts
from dicom_node.errors import ConfigurationError
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.peer import Peer
from dicom_node.network.query import StudyAnswer
from dicom_node.settings import load
from dicom_node.sources import Backfill, Source
from storage.lifecycle import FetchState
from storage.records import FetchPurpose, Wanted

PACS = Peer(ae_title="PACS", host="127.0.0.1", port=104)
PEERS = "peers:\n  pacs: {ae_title: PACS, host: 127.0.0.1, port: 104}\n  old: {ae_title: OLD, host: h, port: 104}\n"


def answer(uid: str, *modalities: str) -> StudyAnswer:
    return StudyAnswer(uid, "20260102", "Chest", modalities, 1, 40)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What the archive is asked; it answers one CT and one MR study a day."""
    questions: list[dict[str, str]] = []

    def studies(**keys: str) -> list[StudyAnswer]:
        questions.append(keys)
        number = len(questions)
        return [answer(f"1.2.{number}.1", "CT", "SR"), answer(f"1.2.{number}.2", "MR"), answer(f"1.2.{number}.3")]

    @contextmanager
    def asking(peer: Peer, aet: str, witness: object) -> Any:
        yield SimpleNamespace(studies=studies)

    monkeypatch.setattr("dicom_node.network.query.asking", asking)
    return questions


def test_days_are_asked_for_one_by_one(asked: list[dict[str, str]]) -> None:
    found = list(search(PACS, "SEGNODE", Days(date(2026, 1, 31), date(2026, 2, 2))))
    assert asked == [{"dates": day, "modality": ""} for day in ("20260131", "20260201", "20260202")]
    assert len(found) == 9


def test_an_archive_that_does_not_match_by_modality_is_not_believed_and_one_that_hides_it_is(
    asked: list[dict[str, str]],
) -> None:
    found = search(PACS, "SEGNODE", Days(date(2026, 1, 1), date(2026, 1, 1), "CT"))
    assert [study.study_instance_uid for study in found] == ["1.2.1.1", "1.2.1.3"]


def test_studies_are_looked_up_by_uid(asked: list[dict[str, str]]) -> None:
    assert len(list(look_up(PACS, "SEGNODE", ["1.2.3"]))) == 3
    assert asked == [{"uid": "1.2.3"}]


def test_a_web_server_is_asked_the_same(ct_series: list[Path], tmp_path: Path) -> None:
    study = str(dcmread(ct_series[0]).StudyInstanceUID)
    with web_archive(tmp_path / "web", shelf=Shelf(ct_series[0].parent)) as running:
        peer = WebPeer(running.url)
        found = list(search(peer, "SEGNODE", Days(date(2026, 1, 1), date(2026, 1, 3), "CT")))
        assert [one.study_instance_uid for one in found] == [study]
        assert [one.path.partition("?")[2][:18] for one in running.asked] == [
            f"StudyDate=202601{day}" for day in ("01", "02", "02", "03")
        ]
        assert list(search(peer, "SEGNODE", Days(date(2026, 1, 2), date(2026, 1, 2), "MR"))) == []
        assert [one.study_instance_uid for one in look_up(peer, "SEGNODE", [study, "1.2.3"])] == [study]


class TestWhichArchive:
    def called(self, conf: Path, sources: str, name: str | None = None) -> Source:
        with (conf / "node.yaml").open("a") as file:
            file.write(PEERS + sources)
        return source_called(load(conf), name)

    def test_the_only_source_needs_no_name(self, conf: Path) -> None:
        found = self.called(conf, 'sources: {"*": {peer: pacs, deadline_s: 9}, CT1: {peer: pacs, retrieve: get}}\n')
        assert (found.peer, found.deadline_s) == ("pacs", 9)

    def test_of_several_one_must_be_named(self, conf: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"name the archive with --peer.*known: old, pacs"):
            self.called(conf, 'sources: {"*": {peer: pacs}, CT1: {peer: old}}\n')

    def test_a_peer_that_is_no_source_may_be_named(self, conf: Path) -> None:
        assert self.called(conf, "", "old") == Source(peer="old")

    def test_who_is_only_waited_for_is_moved_from_when_a_person_wants_it(self, conf: Path) -> None:
        assert self.called(conf, 'sources: {"*": {peer: pacs, retrieve: none}}\n').retrieve == "move"

    def test_one_that_is_not_known_is_named_with_those_that_are(self, conf: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"--peer gone: no such peer.*old, pacs"):
            self.called(conf, "", "gone")


class TestQueue:
    SETTINGS = Backfill(rate_per_minute=6.0, priority=3)

    def queue(self, parts: Parts, *uids: str, now: float = 1000.0) -> list[str]:
        with parts.database.transaction() as tx:
            return queue(tx, uids, Source(peer="pacs"), self.SETTINGS, now)

    def begins(self, parts: Parts) -> dict[str, float]:
        with parts.database.reading() as tx:
            waiting = tx.fetches.list([FetchState.PENDING], FetchPurpose.PROCESS)
        return {fetch.study_instance_uid: fetch.next_attempt_at for fetch in waiting}

    def test_studies_begin_one_after_the_other(self, parts: Parts) -> None:
        assert self.queue(parts, "1.2.1", "1.2.2", "1.2.1") == ["1.2.1", "1.2.2"]
        assert self.begins(parts) == {"1.2.1": 1000.0, "1.2.2": 1010.0}
        self.queue(parts, "1.2.3", now=1001.0)
        assert self.begins(parts)["1.2.3"] == 1020.0, "behind those that wait"

    def test_the_wish_is_kept_with_its_policy_and_journalled(self, parts: Parts) -> None:
        self.queue(parts, "1.2.1")
        with parts.database.reading() as tx:
            fetch = tx.fetches.find("1.2.1")
            (entry,) = tx.journal.of_study("1.2.1")
        assert fetch is not None
        assert (fetch.purpose, fetch.peer, fetch.policy["priority"]) == (FetchPurpose.PROCESS, "pacs", 3)
        assert (entry.event, entry.text) == ("wanted", "a person asked for it; pacs is to send it")

    def test_one_that_waits_already_is_not_queued_twice(self, parts: Parts) -> None:
        self.queue(parts, "1.2.1")
        assert self.queue(parts, "1.2.1") == []


def test_a_search_leaves_out_what_is_here_or_on_its_way_but_not_what_was_given_up(story: Parts) -> None:
    with story.database.transaction() as tx:
        for uid in ("1.2.8", "1.2.9"):
            tx.fetches.want(Wanted(uid, "pacs", FetchPurpose.PROCESS, 60.0, 0.0), 0.0, over=())
        tx.fetches.claim("a", 1.0, 60.0, FetchPurpose.PROCESS)
        tx.fetches.end("1.2.8", "a", FetchState.GIVEN_UP, 2.0)
        for uid in ("1.2.4", "1.2.5"):
            tx.fetches.mark_prior(uid, "pacs", 2.0)
    with story.database.reading() as tx:
        assert [is_here(tx, uid) for uid in ("1.2.4", "1.2.5")] == [False, False], "only as another's prior"
        assert [is_here(tx, uid) for uid in ("1.2.3", "1.2.7", "1.2.8", "1.2.9")] == [True, False, False, True]
