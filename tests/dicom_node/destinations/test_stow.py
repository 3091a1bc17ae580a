"""An archive that takes results by DICOMweb: Orthanc with a password, and one of our own with tokens and moods."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, Identity
from pydantic import ValidationError
from pydicom import dcmread
from web_archive import WebArchive, web_archive

from dicom_node.destinations.stow import StowDestination
from dicom_node.errors import Refused, Rejected, Unfinished, Unreachable
from dicom_node.network.dicomweb.qido import ask


@pytest.fixture
def password(tmp_path: Path) -> Path:
    (tmp_path / "password").write_text("open sesame\n")
    return tmp_path / "password"


class TestOrthanc:
    pytestmark = pytest.mark.peer

    @pytest.fixture
    def orthanc_settings(self, dicomweb: dict[str, Any]) -> dict[str, Any]:
        return dicomweb

    @pytest.fixture
    def destination(self, orthanc: Any, password: Path) -> StowDestination:
        return StowDestination.model_validate(
            {"url": f"{orthanc.url}/dicom-web",
             "authentication": {"kind": "basic", "user": "segnode", "password": {"file": password}}}
        )  # fmt: skip

    def test_results_arrive_byte_by_byte_and_once(
        self, orthanc: Any, destination: StowDestination, ct_series: list[Path]
    ) -> None:
        ask(destination.peer)
        for _ in range(2):
            statuses = destination.deliver(ct_series)
            assert len(statuses) == 3
            assert all(status.stored for status in statuses.values())
        kept = {orthanc.file(instance) for instance in orthanc.get("/instances")}
        assert kept == {path.read_bytes() for path in ct_series}
        assert len(orthanc.get("/instances")) == 3

    def test_a_wrong_password_is_told_with_what_to_do(
        self, destination: StowDestination, ct_series: list[Path], password: Path
    ) -> None:
        password.write_text("close sesame\n")
        for act in (lambda: destination.deliver(ct_series), lambda: ask(destination.peer)):
            with pytest.raises(Rejected, match="does not accept our credentials: look at authentication") as caught:
                act()
            assert "sesame" not in str(caught.value)

    def test_a_wrong_address_is_told_with_what_to_do(
        self, destination: StowDestination, ct_series: list[Path]
    ) -> None:
        elsewhere = destination.model_copy(update={"url": f"{destination.url}-not"})
        for act in (lambda: elsewhere.deliver(ct_series), lambda: ask(elsewhere.peer)):
            with pytest.raises(Rejected, match="look at url"):
                act()


class TestMoods:
    """What Orthanc cannot be brought to do."""

    @pytest.fixture
    def archive(self, tmp_path: Path) -> Iterator[WebArchive]:
        with web_archive(tmp_path / "archive") as running:
            yield running

    @pytest.fixture
    def uids(self, ct_series: list[Path]) -> list[str]:
        return [str(dcmread(path).SOPInstanceUID) for path in ct_series]

    def test_tokens_open_it(self, archive: WebArchive, password: Path, ct_series: list[Path]) -> None:
        archive.client = ("segnode", "open sesame")
        destination = StowDestination.model_validate(
            {"url": archive.url, "authentication": {"kind": "oauth2", "token_url": archive.token_url,
             "client_id": "segnode", "client_secret": {"file": password}, "scope": "dicom"}}
        )  # fmt: skip
        for _ in range(2):
            assert {str(status) for status in destination.deliver(ct_series).values()} == {"0x0000"}
        assert archive.issued == 1
        archive.good.clear()  # the server ends it before its time
        destination.deliver(ct_series)
        assert archive.issued == 2
        assert len(archive.kept()) == 3

    def test_warnings_are_handed_on(self, archive: WebArchive, ct_series: list[Path], uids: list[str]) -> None:
        archive.warnings[uids[1]] = 0xB006
        statuses = StowDestination(url=archive.url).deliver(ct_series)
        assert [str(statuses[uid]) for uid in uids] == ["0x0000", "0xB006 elements were discarded", "0x0000"]

    @pytest.mark.parametrize(("reason", "kind"), [(0xA900, Refused), (0xC122, Refused), (0xA700, Unfinished)])
    def test_what_is_not_kept_is_told_with_its_reason(
        self, archive: WebArchive, ct_series: list[Path], uids: list[str], reason: int, kind: type[Exception]
    ) -> None:
        archive.failures[uids[0]] = reason
        with pytest.raises(kind, match=f"did not keep 1 of 3 objects: 0x{reason:04X}") as caught:
            StowDestination(url=archive.url).deliver(ct_series)
        assert type(caught.value) is kind
        assert caught.value.answers[uids[1]] == "0x0000"

    def test_what_is_there_already_counts_as_kept(
        self, archive: WebArchive, ct_series: list[Path], uids: list[str]
    ) -> None:
        archive.failures |= dict.fromkeys(uids, 0x0111)
        statuses = StowDestination(url=archive.url).deliver(ct_series)
        assert all(status.stored and "already holds it" in str(status) for status in statuses.values())

    def test_who_asks_for_patience_gets_it(self, archive: WebArchive, ct_series: list[Path]) -> None:
        archive.next_answers.append((503, {"Retry-After": "120"}, b""))
        with pytest.raises(Unreachable, match="patience of 120 s") as caught:
            StowDestination(url=archive.url).deliver(ct_series)
        assert (type(caught.value), caught.value.wait_s) == (Unreachable, 120.0)

    def test_it_is_called_by_tls(
        self, tmp_path: Path, ours: Identity, hospital: Authority, password: Path, ct_series: list[Path]
    ) -> None:
        with web_archive(tmp_path / "secure", ours, client=("segnode", "open sesame")) as archive:
            tls = {"authorities": hospital.certificate}
            settings = {"kind": "oauth2", "token_url": archive.token_url, "client_id": "segnode",
                        "client_secret": {"file": password}, "tls": tls}  # fmt: skip
            trusted = StowDestination.model_validate({"url": archive.url, "authentication": settings, "tls": tls})
            trusted.deliver(ct_series)
            assert len(archive.kept()) == 3
            archive.asked.clear()
            with pytest.raises(Unreachable, match="its certificate is not trusted"):
                trusted.model_copy(update={"tls": None}).deliver(ct_series)
            assert archive.stores() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "pacs.example"},
        {"url": "http://pacs.example", "tls": {"authorities": "ca.pem"}},
        {"request_bytes": 0},
        {"answer_s": 0},
        {"authentication": "basic"},
        {"colour": "red"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StowDestination.model_validate({"url": "https://pacs.example", **wrong})
