"""The Store transaction: what goes over the wire, how much at a time, and what becomes of every answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from web_archive import WebArchive, parts_of, web_archive

from dicom_node.errors import PeerError, Refused, Rejected, Unfinished, Unreachable
from dicom_node.network.dicomweb.stow import send
from dicom_node.network.dicomweb.web_peer import WebPeer


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[WebArchive]:
    with web_archive(tmp_path / "archive") as running:
        yield running


@pytest.fixture
def uids(ct_series: list[Path]) -> list[str]:
    return [str(dcmread(path).SOPInstanceUID) for path in ct_series]


@pytest.fixture
def store(archive: WebArchive, ct_series: list[Path]) -> Callable[..., dict[str, str]]:
    """Sends the three slices, so many bytes a request; the answers as they are kept."""

    def run(request_bytes: int = 1 << 20) -> dict[str, str]:
        return {uid: str(status) for uid, status in send(ct_series, WebPeer(archive.url), request_bytes).items()}

    return run


@pytest.fixture
def failed(store: Callable[..., dict[str, str]]) -> Callable[..., PeerError]:
    def run(request_bytes: int = 1 << 20) -> PeerError:
        with pytest.raises(PeerError) as caught:
            store(request_bytes)
        return caught.value

    return run


Store = Callable[..., dict[str, str]]
Failed = Callable[..., PeerError]


class TestRequests:
    def test_files_go_byte_by_byte_as_they_lie(self, store: Store, archive: WebArchive, ct_series: list[Path]) -> None:
        store()
        (asked,) = archive.stores()
        assert parts_of(asked) == [path.read_bytes() for path in ct_series]
        assert asked.headers["accept"] == "application/dicom+json"
        assert asked.headers["content-length"] == str(len(asked.body))

    @pytest.mark.parametrize(("files", "requests"), [(0.5, 3), (1.5, 3), (2.5, 2), (9, 1)])
    def test_as_many_a_request_as_it_holds(
        self, store: Store, archive: WebArchive, ct_series: list[Path], files: float, requests: int
    ) -> None:
        assert len(store(int(files * ct_series[0].stat().st_size))) == 3
        assert len(archive.stores()) == requests

    def test_a_server_that_takes_only_small_requests_gets_small_ones(
        self, store: Store, archive: WebArchive, ct_series: list[Path]
    ) -> None:
        archive.largest = 2 * ct_series[0].stat().st_size
        assert set(store().values()) == {"0x0000"}
        assert [len(parts_of(asked)) for asked in archive.stores()] == [3, 1, 2, 1, 1]

    def test_one_object_that_is_too_large_is_refused_and_the_others_are_known(
        self, failed: Failed, archive: WebArchive, uids: list[str]
    ) -> None:
        archive.largest = 10
        trouble = failed()
        assert type(trouble) is Refused
        assert "takes no request of this size" in str(trouble)
        assert trouble.answers == {}

    def test_what_is_no_dicom_is_not_sent(self, archive: WebArchive, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("no DICOM")
        with pytest.raises(Refused):
            send([tmp_path / "text"], WebPeer(archive.url), 1000)
        assert archive.asked == []


class TestAnswers:
    def test_all_stored(self, store: Store, uids: list[str]) -> None:
        assert store() == dict.fromkeys(uids, "0x0000")

    def test_200_says_so_where_nothing_follows(self, store: Store, archive: WebArchive, uids: list[str]) -> None:
        archive.next_answers.append((200, {}, b""))
        assert store() == dict.fromkeys(uids, "0x0000")

    @pytest.mark.parametrize("coding", ["chunked", "Chunked"])
    def test_also_where_it_says_at_once_that_no_chunk_follows(
        self, store: Store, archive: WebArchive, uids: list[str], coding: str
    ) -> None:
        archive.next_answers.append((200, {"Transfer-Encoding": coding}, [b"0\r\n\r\n"]))
        assert store() == dict.fromkeys(uids, "0x0000")
        assert len(archive.stores()) == 1

    @pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked"}, {"Content-Length": "4"}])
    def test_not_where_the_connection_merely_ends(
        self, failed: Failed, archive: WebArchive, headers: dict[str, str]
    ) -> None:
        archive.next_answers.append((200, headers, []))
        assert type(failed()) is Unfinished

    def test_warnings_and_failures_are_each_instances_own(
        self, store: Store, archive: WebArchive, uids: list[str]
    ) -> None:
        archive.warnings[uids[0]] = 0xB000
        archive.failures[uids[2]] = 0xA900
        assert store() == {
            uids[0]: "0xB000 data elements were coerced",
            uids[1]: "0x0000",
            uids[2]: "0xA900 data set does not match SOP class",
        }

    def test_a_conflict_says_why(self, store: Store, archive: WebArchive, uids: list[str]) -> None:
        archive.failures |= dict.fromkeys(uids, 0xA700)
        assert store() == dict.fromkeys(uids, "0xA700 out of resources")

    def test_an_instance_that_is_not_spoken_of_is_not_stored(
        self, failed: Failed, archive: WebArchive, uids: list[str]
    ) -> None:
        told = {"00081199": {"Value": [{"00081155": {"Value": [uids[0]]}}, {"00081155": {"Value": ["2.25.9"]}}]}}
        archive.next_answers.append((200, {}, json.dumps(told).encode()))
        trouble = failed()
        assert type(trouble) is Unfinished
        assert "does not say what became of 2 of 3 objects" in str(trouble)
        assert trouble.answers == {uids[0]: "0x0000"}

    @pytest.mark.parametrize("status", [200, 202, 409])
    def test_a_page_that_says_nothing_stores_nothing(self, failed: Failed, archive: WebArchive, status: int) -> None:
        archive.next_answers.append((status, {"Content-Type": "text/html"}, b"<html>Welcome</html>"))
        assert type(failed()) is Unfinished

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (204, Unfinished), (307, Rejected), (400, Refused), (401, Rejected), (403, Rejected), (404, Rejected),
            (415, Refused), (429, Unreachable), (500, Unfinished), (503, Unreachable),
        ],
    )  # fmt: skip
    def test_answers_until_a_no_are_kept(
        self, failed: Failed, archive: WebArchive, uids: list[str], status: int, kind: type[PeerError]
    ) -> None:
        first = {"00081199": {"Value": [{"00081155": {"Value": [uids[0]]}}]}}
        archive.next_answers += [(200, {}, json.dumps(first).encode()), (status, {"Retry-After": "90"}, b"Doe^Jane")]
        trouble = failed(request_bytes=1)
        assert type(trouble) is kind
        assert trouble.answers == {uids[0]: "0x0000"}
        assert trouble.wait_s == (90.0 if status in (429, 500, 503, 204) else 0.0)
        assert "Doe" not in str(trouble)

    def test_no_redirect_takes_the_objects_elsewhere(self, failed: Failed, archive: WebArchive, tmp_path: Path) -> None:
        with web_archive(tmp_path / "elsewhere") as elsewhere:
            archive.next_answers.append((307, {"Location": f"{elsewhere.url}/studies"}, b""))
            failed()
            assert elsewhere.asked == []

    def test_patients_are_in_no_log(self, store: Store, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        store()
        assert "Doe" not in caplog.text
        assert "P-17" not in caplog.text
