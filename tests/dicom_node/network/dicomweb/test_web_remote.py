"""What is missing is given by WADO-RS and kept as what comes by C-STORE is; hostile answers leave nothing behind."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, RLELossless
from web_archive import WebArchive, web_archive
from web_shelf import Shelf

from dicom_node.errors import PeerError, Refused, Rejected, Unfinished, Unreachable
from dicom_node.network.acceptor.spool import Spool
from dicom_node.network.dicomweb.web_call import Line
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.dicomweb.web_remote import WebRemote
from dicom_node.network.receive import Receiver
from dicom_node.network.register import Register
from dicom_node.network.retrieve import Brought
from dicom_node.network.survey import Gap, Held, Survey
from storage.archive import INCOMING, Archive
from storage.database import Database
from storage.files.folder_archive import FolderArchive
from storage.records import Instance

KIND = {"Content-Type": "multipart/related; type=application/dicom; boundary=x"}
NEXT = b"--x\r\n\r\n"


@pytest.fixture
def shelf(make_slices: Callable[..., list[Path]]) -> Shelf:
    return Shelf(make_slices(6)[0].parent)


@pytest.fixture
def files(shelf: Shelf) -> list[Path]:
    return sorted(shelf.folder.glob("*.dcm"))


@pytest.fixture
def server(tmp_path: Path, shelf: Shelf) -> Iterator[WebArchive]:
    with web_archive(tmp_path / "server", shelf=shelf) as running:
        yield running


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return FolderArchive(tmp_path / "archive")


@pytest.fixture
def there(server: WebArchive, archive: Archive, database: Database) -> WebRemote:
    receiver = Receiver(database, archive, Register(database, "test", 30.0), fetched=True)
    spool = partial(Spool, 1 << 20, archive.root / INCOMING, archive.has_room)
    return WebRemote(WebPeer(server.url, line=Line(answer_s=5.0), ae_title="vna"), "SEGNODE", receiver, spool)


@pytest.fixture
def series(files: list[Path]) -> tuple[str, str]:
    data = dcmread(files[0])
    return str(data.StudyInstanceUID), str(data.SeriesInstanceUID)


@pytest.fixture
def kept(database: Database, series: tuple[str, str]) -> Callable[[], list[Instance]]:
    def read() -> list[Instance]:
        with database.reading() as tx:
            return list(tx.studies.instances(study_uid=series[0]))

    return read


@pytest.fixture
def whole(series: tuple[str, str]) -> Survey:
    """Nothing is here, so the series is asked for."""
    return Survey(6, (Gap(series[1], 6),))


def held(series: tuple[str, str], last: int) -> Held:
    uids = {f"{series[1]}.{number}" for number in range(1, last + 1)}
    return Held({series[1]: uids}, uids)


def bring(there: WebRemote, study: str, survey: Survey, limit_s: float = 20.0, told: Any = lambda _: None) -> Brought:
    return there.retrieve(study, survey, "move", limit_s, told)


def journal(database: Database) -> list[str]:
    with database.reading() as tx:
        return [entry.text for entry in tx.journal.recent(50)]


def paths(server: WebArchive) -> list[str]:
    return [one.path.removeprefix("/dicom-web") for one in server.asked]


class TestSurvey:
    def test_what_is_missing_is_named(self, there: WebRemote, series: tuple[str, str]) -> None:
        found = there.survey(series[0], held(series, 4))
        assert (found.expected, found.missing) == (6, 2)
        assert found.gaps == (Gap(series[1], 2, 4, {f"{series[1]}.{n}": CTImageStorage for n in (5, 6)}),)

    def test_counts_that_agree_are_believed(
        self, there: WebRemote, series: tuple[str, str], server: WebArchive
    ) -> None:
        assert there.survey(series[0], held(series, 6)) == Survey(6)
        assert not any("/instances" in path for path in paths(server))

    def test_without_counts_the_instances_are_listed(
        self, there: WebRemote, series: tuple[str, str], shelf: Shelf
    ) -> None:
        shelf.counts, shelf.most = False, 4
        assert there.survey(series[0], held(series, 6)) == Survey(6)
        assert there.survey(series[0], Held()).missing == 6

    @pytest.mark.parametrize("status", [204, 404])
    def test_a_study_that_is_not_there_is_no_gap(self, there: WebRemote, shelf: Shelf, status: int) -> None:
        shelf.empty = status
        assert there.survey("1.2.3", Held()) == Survey(0)


class TestRetrieval:
    def test_a_series_comes_as_it_is_stored_there_and_is_fetched(
        self,
        there: WebRemote,
        series: tuple[str, str],
        whole: Survey,
        kept: Callable[[], list[Instance]],
        server: WebArchive,
        files: list[Path],
        archive: Archive,
        database: Database,
    ) -> None:
        heard: list[int] = []
        assert bring(there, series[0], whole, told=lambda brought: heard.append(brought.completed)) == Brought(6)
        assert heard == [1, 2, 3, 4, 5, 6]
        (asked,) = server.asked
        assert asked.path == f"/dicom-web/studies/{series[0]}/series/{series[1]}"
        assert asked.headers["accept"] == 'multipart/related; type="application/dicom"; transfer-syntax=*'
        assert [one.fetched for one in kept()] == [True] * 6
        sent = {str(dcmread(path).SOPInstanceUID): dcmread(path) for path in files}
        for one in kept():
            stored = dcmread(archive.path(one.file))
            assert stored == sent[one.sop_instance_uid]
            assert stored.file_meta.SourceApplicationEntityTitle == "vna"
        with database.reading() as tx:
            assert tx.studies.get(series[0]).calling_aets == ("vna",)
        assert not list((archive.root / INCOMING).iterdir())

    def test_of_a_series_that_is_mostly_here_only_what_is_missing_is_asked_for(
        self, there: WebRemote, series: tuple[str, str], server: WebArchive, kept: Callable[[], list[Instance]]
    ) -> None:
        assert bring(there, series[0], there.survey(series[0], held(series, 4))) == Brought(2)
        single = f"/studies/{series[0]}/series/{series[1]}/instances/{series[1]}"
        assert paths(server)[-2:] == [f"{single}.5", f"{single}.6"]
        assert len(kept()) == 2

    def test_one_that_is_mostly_missing_comes_whole_and_what_was_here_is_kept_once(
        self, there: WebRemote, series: tuple[str, str], whole: Survey, kept: Callable[[], list[Instance]]
    ) -> None:
        bring(there, series[0], whole)
        assert bring(there, series[0], there.survey(series[0], held(series, 2))) == Brought(6)
        assert len(kept()) == 6

    @pytest.mark.peer
    def test_the_syntax_of_the_files_head_is_used(
        self, there: WebRemote, whole: Survey, series: tuple[str, str], files: list[Path], dcmtk: Any,
        kept: Callable[[], list[Instance]], archive: Archive,
    ) -> None:  # fmt: skip
        for path in files:
            assert dcmtk.run("dcmcrle", path, path).returncode == 0
        bring(there, series[0], whole)
        assert {one.transfer_syntax_uid for one in kept()} == {RLELossless}
        original, stored = dcmread(files[0]), dcmread(archive.path(kept()[0].file))
        assert stored.PixelData == original.PixelData

    @pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
    @pytest.mark.parametrize("boundary", ["a b=?", "x" * 70, "----=_Part_1_2.3"])
    def test_boundaries_may_be_odd(
        self, there: WebRemote, whole: Survey, series: tuple[str, str], shelf: Shelf, boundary: str, newline: bytes
    ) -> None:
        shelf.boundary, shelf.newline, shelf.preamble = boundary, newline, b"a preamble" + newline
        assert bring(there, series[0], whole) == Brought(6)

    @pytest.mark.parametrize("status", [204, 404, 410])
    def test_what_the_server_does_not_hold_has_failed_and_the_rest_comes(
        self, there: WebRemote, series: tuple[str, str], server: WebArchive, status: int
    ) -> None:
        server.next_answers.append((status, {}, b""))
        gone, good = Gap("1.2.9", 4), Gap(series[1], 6)
        assert bring(there, series[0], Survey(10, (gone, good))) == Brought(6, 4)

    @pytest.mark.parametrize(("status", "kind"), [(500, Unfinished), (406, Refused)])
    def test_what_the_server_fails_at_is_told_when_the_rest_has_come(
        self, there: WebRemote, series: tuple[str, str], server: WebArchive, kept: Callable[[], list[Instance]],
        status: int, kind: type[PeerError],
    ) -> None:  # fmt: skip
        server.next_answers.append((status, {}, b""))
        bad, good = Gap("1.2.9", 4), Gap(series[1], 6)
        with pytest.raises(kind, match=f"HTTP {status}"):
            bring(there, series[0], Survey(10, (bad, good)))
        assert len(kept()) == 6

    def test_who_does_not_let_us_in_is_not_asked_again(
        self, there: WebRemote, series: tuple[str, str], server: WebArchive
    ) -> None:
        server.next_answers.append((403, {}, b""))
        with pytest.raises(Rejected):
            bring(there, series[0], Survey(10, (Gap("1.2.9", 4), Gap(series[1], 6))))
        assert len(server.asked) == 1

    def test_patients_are_in_no_log(
        self, there: WebRemote, series: tuple[str, str], whole: Survey, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        bring(there, series[0], whole)
        assert "Doe" not in caplog.text
        assert "P-17" not in caplog.text


class TestHostility:
    def trouble(self, there: WebRemote, whole: Survey, limit_s: float = 20.0) -> PeerError:
        with pytest.raises(PeerError) as caught:
            bring(there, "1.2.3", whole, limit_s)
        assert "Doe" not in str(caught.value)
        return caught.value

    @pytest.mark.parametrize(
        ("status", "kind"), [(401, Rejected), (403, Rejected), (302, Rejected), (503, Unreachable), (500, Unfinished)]
    )
    def test_a_no_is_told_in_our_words(
        self, there: WebRemote, whole: Survey, server: WebArchive, status: int, kind: type[PeerError]
    ) -> None:
        server.next_answers.append((status, {}, b"Doe^Jane"))
        assert type(self.trouble(there, whole)) is kind

    def test_what_came_before_a_cut_is_kept_and_the_cut_one_is_not(
        self, there: WebRemote, whole: Survey, shelf: Shelf, server: WebArchive, files: list[Path],
        kept: Callable[[], list[Instance]], archive: Archive,
    ) -> None:  # fmt: skip
        headers, body = shelf.multipart([path.read_bytes() for path in files])
        for cut in (b"".join([body[: len(body) // 2]]), [body[: len(body) // 2]]):
            length = {"Content-Length": str(len(body))} if isinstance(cut, bytes) else {}
            server.next_answers.append((200, headers | length, cut))
            trouble = self.trouble(there, whole)
            assert type(trouble) is Unfinished
            assert "in the middle of its answer" in str(trouble) or "ends before its last part" in str(trouble)
            assert len(kept()) == 2
        assert not list((archive.root / INCOMING).iterdir())

    def test_an_answer_that_is_no_multipart_is_none(
        self, there: WebRemote, whole: Survey, server: WebArchive, database: Database
    ) -> None:
        server.next_answers.append((200, {"Content-Type": "text/html"}, b"<html>Doe^Jane</html>"))
        assert "gives an answer that is no multipart" in str(self.trouble(there, whole))
        assert journal(database) == []

    @pytest.mark.parametrize("start", [NEXT, b"", b"--x\r\nA: b"])
    def test_a_body_without_an_end_ends_at_the_deadline_or_before(
        self, there: WebRemote, whole: Survey, server: WebArchive, start: bytes, archive: Archive
    ) -> None:
        server.next_answers.append((200, KIND, chain([start], repeat(bytes(1 << 16)))))
        began = time.monotonic()
        assert isinstance(self.trouble(there, whole, limit_s=2.0), Unfinished)
        assert time.monotonic() - began < 10
        assert not list((archive.root / INCOMING).iterdir())

    def test_one_that_drips_ends_at_the_deadline(self, there: WebRemote, whole: Survey, server: WebArchive) -> None:
        def drip() -> Iterator[bytes]:
            yield NEXT
            while True:
                time.sleep(0.05)
                yield b"a"

        server.next_answers.append((200, KIND, drip()))
        assert "has not sent everything within 1 s" in str(self.trouble(there, whole, limit_s=1.0))

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda content: b"Doe^Jane" * 100, "without a data set"),
            (lambda content: content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0", 1), "transfer syntax"),
            (lambda content: content.replace(CTImageStorage.encode(), b"1.2.840.10008.5.1.4.1.1.9", 1), "SOP class"),
            (lambda content: content[:-2000].replace(b".1\0", b".7\0", 1), "SOP Instance UID"),
            (lambda content: content[:400] + b"\xff" * 1000, ""),
            (lambda content: content + bytes(2 << 20), "max_object_bytes"),
        ],
        ids=["no file", "syntax", "class", "another", "no data set", "too large"],
    )
    def test_a_part_that_cannot_be_kept_is_journalled_and_the_others_are_kept(
        self, there: WebRemote, whole: Survey, shelf: Shelf, server: WebArchive, files: list[Path], database: Database,
        kept: Callable[[], list[Instance]], change: Callable[[bytes], bytes], reason: str,
    ) -> None:  # fmt: skip
        first, second, *_ = [path.read_bytes() for path in files]
        server.next_answers.append((200, *shelf.multipart([change(first), second])))
        assert bring(there, "1.2.3", whole) == Brought(1, 1)
        (text,) = journal(database)
        assert "an instance from vna was not kept" in text
        assert reason in text
        assert "Doe" not in text
        assert [one.sop_instance_uid for one in kept()] == [str(dcmread(files[1]).SOPInstanceUID)]

    def test_a_full_disk_keeps_nothing(
        self, there: WebRemote, whole: Survey, series: tuple[str, str], database: Database, tmp_path: Path
    ) -> None:
        full = FolderArchive(tmp_path / "full", low_water_bytes=2**62)
        receiver = Receiver(database, full, Register(database, "test", 30.0), fetched=True)
        assert bring(WebRemote(there.peer, "SEGNODE", receiver, there.spool), series[0], whole) == Brought(0, 6)
