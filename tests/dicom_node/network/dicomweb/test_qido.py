"""The Search transaction: pages, what servers leave out, and what each answer that is none means."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage
from web_archive import WebArchive, web_archive
from web_shelf import JSON, Shelf

from dicom_node.errors import PeerError, Refused, Rejected, Unfinished, Unreachable
from dicom_node.network.dicomweb import qido
from dicom_node.network.dicomweb.qido import PAGE, Searching, ask
from dicom_node.network.dicomweb.web_call import LARGEST_ANSWER, Line
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.query import MAX_ANSWERS, InstanceAnswer, SeriesAnswer, StudyAnswer


@pytest.fixture
def shelf(ct_series: list[Path]) -> Shelf:
    """Three slices of one series."""
    return Shelf(ct_series[0].parent)


@pytest.fixture
def archive(tmp_path: Path, shelf: Shelf) -> Iterator[WebArchive]:
    with web_archive(tmp_path / "archive", shelf=shelf) as running:
        yield running


@pytest.fixture
def there(archive: WebArchive) -> Searching:
    return Searching(WebPeer(archive.url))


@pytest.fixture
def uids(ct_series: list[Path]) -> tuple[str, str]:
    data = dcmread(ct_series[0])
    return str(data.StudyInstanceUID), str(data.SeriesInstanceUID)


def item(uid: str) -> dict[str, Any]:
    return {"00080018": {"vr": "UI", "Value": [uid]}}


def listing(*items: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, JSON, json.dumps(items).encode()


class TestAnswers:
    def test_studies_of_a_day(self, there: Searching, archive: WebArchive, uids: tuple[str, str]) -> None:
        assert there.studies(dates="20260102", modality="CT") == [
            StudyAnswer(uids[0], "20260102", "Chest", ("CT",), None, None)
        ]
        asked = archive.asked[0]
        assert "StudyDate=20260102&ModalitiesInStudy=CT&includefield=00081030&limit=100&offset=0" in asked.path
        assert asked.headers["accept"] == "application/dicom+json"

    def test_another_day_has_none(self, there: Searching) -> None:
        assert there.studies(dates="20260103") == []

    def test_studies_by_uid(self, there: Searching, uids: tuple[str, str]) -> None:
        assert [study.study_instance_uid for study in there.studies(uid=uids[0])] == [uids[0]]

    def test_series_and_instances(self, there: Searching, uids: tuple[str, str]) -> None:
        study, series = uids
        assert there.series(study) == [SeriesAnswer(series, "CT", 3)]
        assert there.instances(study, series) == [InstanceAnswer(f"{series}.{n}", CTImageStorage) for n in (1, 2, 3)]

    def test_a_count_that_is_not_told_is_none(self, there: Searching, shelf: Shelf, uids: tuple[str, str]) -> None:
        shelf.counts = False
        assert there.series(uids[0]) == [SeriesAnswer(uids[1], "CT", None)]

    @pytest.mark.parametrize("status", [200, 204, 404])
    def test_a_study_that_is_not_there_has_no_series(self, there: Searching, shelf: Shelf, status: int) -> None:
        shelf.empty = status
        assert there.series("1.2.3") == []

    def test_what_is_no_uid_is_left_out_and_counts_may_be_texts(self, there: Searching, archive: WebArchive) -> None:
        good = {"0020000E": {"Value": ["1.2.3"]}, "00201209": {"Value": ["7"]}}
        bad: tuple[Any, ...] = ({"0020000E": {"Value": ["Doe^Jane"]}}, {"0020000E": {"Value": [3]}}, {}, 7, None, [])
        archive.next_answers += [listing(*bad, good), listing(*bad)]
        assert there.series("1.2") == [SeriesAnswer("1.2.3", "", 7)]

    @pytest.mark.parametrize("told", [["CT", "SEG"], ["CT\\SEG"], ["CT \\ SEG", 7]])
    def test_modalities_may_be_one_text(self, there: Searching, archive: WebArchive, told: list[Any]) -> None:
        archive.next_answers += [listing({"0020000D": {"Value": ["1.2"]}, "00080061": {"Value": told}}), listing()]
        assert [study.modalities for study in there.studies()] == [("CT", "SEG")]

    @pytest.mark.parametrize("count", [-1, 1.5, "many", "9" * 20, True, None, {}, "٣"])
    def test_a_count_that_is_no_number_is_none(self, there: Searching, archive: WebArchive, count: Any) -> None:
        archive.next_answers.append(listing({"0020000E": {"Value": ["1.2.3"]}, "00201209": {"Value": [count]}}))
        archive.next_answers.append((204, {}, b""))
        assert there.series("1.2") == [SeriesAnswer("1.2.3", "", None)]


class TestPages:
    @pytest.mark.parametrize("most", [1, 2, 3, 1000])
    def test_pages_are_asked_for_until_one_is_empty(
        self, there: Searching, archive: WebArchive, shelf: Shelf, uids: tuple[str, str], most: int
    ) -> None:
        """A server may give fewer than it was asked for without a word."""
        shelf.most = most
        assert len(there.instances(*uids)) == 3
        assert len(archive.asked) == -(-3 // most) + 1

    def test_a_server_that_knows_no_pages_is_not_asked_for_ever(
        self, there: Searching, archive: WebArchive, shelf: Shelf, uids: tuple[str, str]
    ) -> None:
        shelf.pages = False
        assert len(there.instances(*uids)) == 3
        assert len(archive.asked) == 2

    @pytest.mark.parametrize("number", [PAGE, PAGE + 1, 5 * PAGE])
    def test_a_server_that_minds_the_limit_and_not_the_offset_is_asked_for_all_at_once(
        self, there: Searching, archive: WebArchive, number: int
    ) -> None:
        page, all_of_them = [listing(*(item(f"1.2.{n}") for n in range(most))) for most in (PAGE, number)]
        archive.next_answers += [page, page, all_of_them]
        assert len(there.instances("1.2", "1.3")) == number
        assert [asked.path.partition("?")[2] for asked in archive.asked] == [
            f"limit={PAGE}&offset=0", f"limit={PAGE}&offset={PAGE}", f"limit={MAX_ANSWERS}&offset=0"
        ]  # fmt: skip

    def test_pages_that_overlap_give_each_once(self, there: Searching, archive: WebArchive) -> None:
        first, second = [item(f"1.2.{n}") for n in range(PAGE)], [item(f"1.2.{n}") for n in range(90, 110)]
        archive.next_answers += [listing(*first), listing(*second), listing()]
        assert len(there.instances("1.2", "1.3")) == 110

    def test_more_answers_than_are_sensible_are_refused(
        self, there: Searching, archive: WebArchive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(qido, "MAX_ANSWERS", 150)
        archive.next_answers += [listing(*(item(f"1.{p}.{n}") for n in range(PAGE))) for p in range(9)]
        with pytest.raises(Refused, match="more than 150 answers"):
            there.instances("1.2", "1.3")
        assert len(archive.asked) == 2

    def test_more_pages_than_are_sensible_are_refused(
        self, there: Searching, archive: WebArchive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(qido, "MOST_PAGES", 3)
        archive.next_answers += [listing(item(f"1.2.{n}")) for n in range(9)]
        with pytest.raises(Refused, match="3 pages"):
            there.instances("1.2", "1.3")


class TestTrouble:
    def trouble(self, there: Searching) -> PeerError:
        with pytest.raises(PeerError) as caught:
            there.series("1.2.3")
        assert "Doe" not in str(caught.value)
        return caught.value

    @pytest.mark.parametrize(
        ("status", "kind"),
        [(302, Rejected), (400, Refused), (401, Rejected), (403, Rejected), (500, Unfinished), (503, Unreachable)],
    )
    def test_a_no_is_told_in_our_words(
        self, there: Searching, archive: WebArchive, status: int, kind: type[PeerError]
    ) -> None:
        archive.next_answers.append((status, {}, b"Doe^Jane"))
        trouble = self.trouble(there)
        assert type(trouble) is kind
        assert f"HTTP {status}" in str(trouble)

    @pytest.mark.parametrize("body", [b"", b"<html>Doe^Jane</html>", b"{}", b"[" * 100_000, b'[{"0020'])
    def test_what_is_no_dicom_json_is_no_answer(self, there: Searching, archive: WebArchive, body: bytes) -> None:
        archive.next_answers.append((200, JSON, body))
        trouble = self.trouble(there)
        assert type(trouble) is Unfinished
        assert "something else than DICOM JSON" in str(trouble)

    def test_an_answer_without_an_end_is_cut(self, there: Searching, archive: WebArchive) -> None:
        blanks = (b" " * (1 << 20) for _ in range(2 * LARGEST_ANSWER >> 20))
        archive.next_answers.append((200, JSON, blanks))
        trouble = self.trouble(there)
        assert type(trouble) is Refused
        assert f"more than {LARGEST_ANSWER} bytes" in str(trouble)

    def test_one_that_drips_is_left(self, archive: WebArchive) -> None:
        from time import sleep

        def drip() -> Iterator[bytes]:
            while True:
                sleep(0.05)
                yield b" "

        archive.next_answers.append((200, JSON, drip()))
        trouble = self.trouble(Searching(WebPeer(archive.url, line=Line(answer_s=0.5))))
        assert type(trouble) is Unfinished
        assert "has not sent everything within" in str(trouble)

    def test_patients_are_in_no_log(
        self, there: Searching, uids: tuple[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        there.studies(dates="20260102")
        there.instances(*uids)
        assert "Doe" not in caplog.text
        assert "P-17" not in caplog.text


class TestAsking:
    def test_who_is_there_is_asked_for_a_study_that_nobody_has(self, archive: WebArchive) -> None:
        ask(WebPeer(archive.url))
        (asked,) = archive.asked
        assert asked.path.startswith("/dicom-web/studies?StudyInstanceUID=1.2.826.0.1.3680043.8.498.")
        assert asked.path.endswith("&limit=1")

    def test_an_empty_list_is_an_answer_as_well(self, archive: WebArchive) -> None:
        archive.next_answers.append((200, {}, b"[]"))
        ask(WebPeer(archive.url))
        assert (len(archive.asked), archive.next_answers) == (1, []), "asked once, and content with it"

    @pytest.mark.parametrize(
        ("status", "kind"), [(401, Rejected), (404, Rejected), (503, Unreachable), (302, Rejected), (200, Unfinished)]
    )
    def test_who_does_not_let_us_in_says_why(self, archive: WebArchive, status: int, kind: type[PeerError]) -> None:
        archive.next_answers.append((status, {}, b"<html>Log in</html>"))
        with pytest.raises(kind, match=f"HTTP {status}"):
            ask(WebPeer(archive.url))
