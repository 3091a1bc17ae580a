"""A stranger's measurement report: read in bounds, refused with a reason, never a crash."""

from __future__ import annotations

import random
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)
from reporting import (
    NAME,
    child,
    code,
    drawn_group,
    edited,
    measure,
    measurements,
    person,
    reference_to,
    viewers_report,
)

from dicom_node.network.headers import elements
from dicom_node.objects import corrected_report
from dicom_node.objects.corrected import Coded
from dicom_node.objects.corrected_report import BadReport, Group, Report, read_report
from dicom_node.objects.encode import encode
from dicom_node.objects.identity import JobNames
from dicom_node.objects.validate import groups
from storage.errors import Unavailable

JOB = "a" * 64
VOLUME, LONG_AXIS = Coded("118565006", "SCT"), Coded("103339001", "SCT")
ATTENUATION = Coded("112031", "DCM")
Read = Callable[..., Report | None]


@pytest.fixture
def case(make_case: Callable[..., Any]) -> Any:
    return make_case()


@pytest.fixture
def ours(case: Any) -> dict[str, Dataset]:
    """Our own objects by their kind."""
    return {item.kind: dcmread(BytesIO(item.part10)) for item in encode(case.result, JOB, case.files, case.context)}


@pytest.fixture
def report(ours: dict[str, Dataset]) -> Dataset:
    return ours["sr"]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def run(report: Dataset, syntax: str = ExplicitVRLittleEndian) -> Report | None:
        report.file_meta.TransferSyntaxUID = syntax
        report.walk(lambda item, element: element.value)  # in no byte order any more
        dcmwrite(tmp_path / "sr.dcm", report, enforce_file_format=True)
        return read_report(tmp_path / "sr.dcm")

    return run


@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian],
)
def test_each_group_says_what_it_measures_and_of_which_segment(
    case: Any, ours: dict[str, Dataset], read: Read, syntax: str
) -> None:
    found = read(ours["sr"], syntax)
    assert found is not None
    assert [group.tracking_uid for group in found.groups] == [JobNames(JOB).tracking(str(n)) for n in (1, 2, 3)]
    assert [group.type for group in found.groups] == [Coded("10200004", "SCT"), *[Coded("108369006", "SCT")] * 2]
    assert [group.segment for group in found.groups] == [(ours["seg"].SOPInstanceUID, n) for n in (1, 2, 3)]
    volume, long_axis, mean, deviation = found.groups[1].numbers
    assert (volume.quantity, volume.value, volume.unit) == (VOLUME, 2.5, Coded("mL", "UCUM"))
    assert (volume.derivation, volume.method) == (None, Coded("126030", "DCM"))
    assert (long_axis.quantity, long_axis.value, long_axis.name) == (LONG_AXIS, 12.5, "Long Axis")
    assert (mean.quantity, mean.derivation, mean.value) == (ATTENUATION, Coded("373098007", "SCT"), 49.123)
    assert (deviation.derivation, deviation.name) == (
        Coded("386136009", "SCT"), "Attenuation Coefficient (Standard Deviation)",
    )  # fmt: skip


def test_it_says_what_it_cites_and_what_it_replaces(case: Any, ours: dict[str, Dataset], read: Read) -> None:
    images = {source.sop_instance_uid for source in case.result.sources["CT"]}
    found = read(ours["sr"])
    assert found is not None
    assert (found.predecessors, found.cites) == (frozenset(), images | {ours["seg"].SOPInstanceUID})
    copy = edited(ours["sr"])
    del copy.CurrentRequestedProcedureEvidenceSequence
    copy.PertinentOtherEvidenceSequence = [reference_to(ours["summary"])]
    found = read(copy)
    assert found is not None
    assert found.predecessors == {ours["sr"].SOPInstanceUID}
    assert found.cites == {ours["summary"].SOPInstanceUID, ours["seg"].SOPInstanceUID}, "the groups tell of their SEG"


def author(kind: str) -> Callable[[Dataset], None]:
    def add(report: Dataset) -> None:
        report.AuthorObserverSequence = [Dataset()]
        report.AuthorObserverSequence[0].ObserverType = kind

    return add


@pytest.mark.parametrize(
    ("edit", "stands"),
    [
        (lambda report: None, False),
        (lambda report: setattr(report, "VerificationFlag", "VERIFIED"), True),
        (lambda report: report.ContentSequence.extend(person()), True),
        (author("PSN"), True),
        (author("DEV"), False),
    ],
    ids=["ours", "verified", "observer", "author", "author is a device"],
)
def test_a_person_stands_behind_it_where_it_says_so(
    report: Dataset, read: Read, edit: Callable[[Dataset], None], stands: bool
) -> None:
    edit(report)
    found = read(report)
    assert found is not None
    assert found.person is stands


def test_names_are_not_kept(report: Dataset, read: Read) -> None:
    copy = edited(report, verified=True)
    copy.ContentSequence.extend(person())
    assert NAME not in repr(read(copy))


def test_what_a_viewer_drew_is_read_in_the_codes_of_today(ours: dict[str, Dataset], read: Read) -> None:
    group = drawn_group("1.2.3", ours["sr"], "12.5")
    found = read(viewers_report(ours["sr"], [group], [ours["sr"]]))
    assert found is not None
    (only,) = found.groups
    assert (only.tracking_uid, only.segment) == ("1.2.3", None)
    (line,) = only.numbers
    assert (line.quantity, line.value) == (LONG_AXIS, 12.5)
    assert found.person
    assert NAME not in repr(found), "free text may name a patient"


@pytest.mark.parametrize("title", [code("113701", "DCM", "X-Ray Radiation Dose Report"), None])
def test_another_document_is_not_looked_into(report: Dataset, read: Read, title: Dataset | None) -> None:
    report.ConceptNameCodeSequence = [title] if title else []
    report.PredecessorDocumentsSequence = [Dataset()]
    assert read(report) is None


def without_groups(report: Dataset) -> None:
    del measurements(report).ContentSequence


def without_names(report: Dataset) -> None:
    for group in groups(report):
        for item in group.ContentSequence:
            del item.ConceptNameCodeSequence


def of_text(report: Dataset) -> None:
    report["ContentSequence"].VR = "UT"
    report["ContentSequence"]._value = "no tree"


@pytest.mark.parametrize(
    ("edit", "left"),
    [
        (without_groups, ()),
        (lambda report: delattr(report, "ContentSequence"), ()),
        (of_text, ()),
        (without_names, (Group("", None, ()),) * 3),
    ],
)
def test_what_is_not_there_is_not_read(
    report: Dataset, read: Read, edit: Callable[[Dataset], None], left: tuple[Group, ...]
) -> None:
    edit(report)
    found = read(report)
    assert found is not None
    assert found.groups == left


@pytest.mark.parametrize("written", ["NaN", "1e999", "", "1\\2"])
def test_a_number_that_is_none_is_left_out(report: Dataset, read: Read, written: str, tmp_path: Path) -> None:
    measure(groups(report)[0], "118565006", "7777.5")
    report.save_as(tmp_path / "sr.dcm")
    data = (tmp_path / "sr.dcm").read_bytes()
    assert data.count(b"7777.5") == 1
    (tmp_path / "sr.dcm").write_bytes(data.replace(b"7777.5", written.encode().ljust(6)))
    found = read_report(tmp_path / "sr.dcm")
    assert found is not None
    assert [len(group.numbers) for group in found.groups] == [3, 4, 4]


def test_an_empty_measurement_is_left_out(report: Dataset, read: Read) -> None:
    child(groups(report)[0], "118565006").MeasuredValueSequence = []
    found = read(report)
    assert found is not None
    assert [len(group.numbers) for group in found.groups] == [3, 4, 4]


def test_counts_are_bounded(report: Dataset, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrected_report, "MAX_GROUPS", 2)
    with pytest.raises(BadReport, match="more than 2 measurement groups"):
        read(report)
    monkeypatch.setattr(corrected_report, "MAX_GROUPS", 3)
    monkeypatch.setattr(corrected_report, "MAX_NUMBERS", 3)
    with pytest.raises(BadReport, match="more than 3 measurements"):
        read(report)


def test_size_is_looked_at_before_memory_is_taken(
    report: Dataset, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrected_report, "MAX_BYTES", 2000)
    with pytest.raises(BadReport, match="larger than 2000 bytes"):
        read(report)
    report.save_as(BytesIO())
    monkeypatch.setattr(corrected_report, "MAX_BYTES", 8000)
    with pytest.raises(BadReport, match="cannot be read"):
        read(report, DeflatedExplicitVRLittleEndian)


def test_a_bomb_of_empty_items_ends_by_its_steps(
    report: Dataset, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elements, "MAX_STEPS", 20_000)
    read(report)
    report.ContentSequence = [Dataset() for _ in range(20_000)]
    with pytest.raises(BadReport, match="cannot be parsed"):
        read(report)


@pytest.mark.parametrize("defined", [True, False])
def test_a_tree_without_end_ends(report: Dataset, tmp_path: Path, defined: bool) -> None:
    report.ContentSequence = []
    report.save_as(tmp_path / "sr.dcm")
    data = (tmp_path / "sr.dcm").read_bytes()
    tag, nested = b"\x40\x00\x30\xa7SQ\0\0", b""
    for _ in range(3000):
        if defined:
            inner = tag + len(nested).to_bytes(4, "little") + nested
            nested = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
        else:
            nested += tag + b"\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    bomb = tag + len(nested).to_bytes(4, "little") + nested if defined else nested
    assert data.count(tag + bytes(4)) == 1
    (tmp_path / "sr.dcm").write_bytes(data.replace(tag + bytes(4), bomb))
    if defined:
        found = read_report(tmp_path / "sr.dcm")
        assert found is not None
        assert found.groups == ()
    else:
        with pytest.raises(BadReport, match="cannot be parsed"):
            read_report(tmp_path / "sr.dcm")


def test_references_in_circles_are_not_followed(report: Dataset, read: Read) -> None:
    loop = Dataset()
    loop.RelationshipType, loop.ReferencedContentItemIdentifier = "INFERRED FROM", [1]
    for item in (report, measurements(report), *groups(report)):
        item.ContentSequence.append(loop)
    found = read(report)
    assert found is not None
    assert [len(group.numbers) for group in found.groups] == [4, 4, 4]


def test_compressed_content_is_refused_and_a_missing_file_told(report: Dataset, tmp_path: Path) -> None:
    report.save_as(tmp_path / "sr.dcm")
    data = (tmp_path / "sr.dcm").read_bytes()
    plain, other = (b"UI\x14\x00" + uid.encode().ljust(20, b"\0") for uid in (ExplicitVRLittleEndian, RLELossless))
    assert plain in data
    (tmp_path / "sr.dcm").write_bytes(data.replace(plain, other, 1))
    with pytest.raises(BadReport, match="compressed"):
        read_report(tmp_path / "sr.dcm")
    (tmp_path / "sr.dcm").unlink()
    with pytest.raises(BadReport, match="no longer held"):
        read_report(tmp_path / "sr.dcm")
    with pytest.raises(Unavailable):
        read_report(tmp_path)


def test_damaged_bytes_are_refused_and_raise_nothing_else(report: Dataset, tmp_path: Path) -> None:
    report.save_as(tmp_path / "sr.dcm")
    whole = (tmp_path / "sr.dcm").read_bytes()
    dice = random.Random(5)
    refused = 0
    for _ in range(250):
        data = bytearray(whole)
        for _ in range(dice.choice((1, 5, 40))):
            data[dice.randrange(140, len(data))] = dice.randrange(256)
        del data[dice.choice((len(data), dice.randrange(200, len(data)))):]
        (tmp_path / "sr.dcm").write_bytes(data)
        try:
            read_report(tmp_path / "sr.dcm")
        except BadReport:
            refused += 1
    assert refused > 10, "most damage is to what nobody reads"
