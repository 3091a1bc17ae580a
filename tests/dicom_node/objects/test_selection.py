"""The key objects: each lesion's largest slice and what describes it, named as the study's own, claiming little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, KeyObjectSelectionDocumentStorage, SegmentationStorage

from dicom_node.errors import ResultInvalid
from dicom_node.objects.finish import part10
from dicom_node.objects.identity import JobNames, device_uid
from dicom_node.objects.key_objects import read_rejection
from dicom_node.objects.seg import encode_segmentations
from dicom_node.objects.selection import encode_selection
from dicom_node.objects.source import load_sources
from dicom_node.objects.sr import encode_measurements
from inference.writers.dicom_series import Encoding

LAYOUTS = {"single-frame": Encoding(), "enhanced": Encoding(enhanced=True, reverse=True)}
LARGEST = (2, 5)  # slices on which the fixture's two lesions are largest


def select(case: Any, objects: bool = True) -> Dataset:
    context = case.context.of_job("job")
    sources = load_sources(case.result, case.files)
    described = []
    if objects:
        segs = encode_segmentations(case.result, sources, context)
        described = [segs[0].seg, encode_measurements(case.result, segs, sources, context)]
    return dcmread(BytesIO(part10(encode_selection(case.result, sources, context, described))))


def selected(ds: Dataset) -> list[tuple[str, Dataset]]:
    """Value type and reference of each object that the content names."""
    return [(i.ValueType, i.ReferencedSOPSequence[0]) for i in ds.ContentSequence
            if i.ValueType in ("IMAGE", "COMPOSITE")]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_names_the_lesions_largest_slices_and_what_describes_them(
    layout: str, make_case: Callable[..., Any]
) -> None:
    case = make_case(encoding=LAYOUTS[layout])
    named = selected(select(case))
    slices = [case.result.sources["CT"][z] for z in LARGEST]
    assert [kind for kind, _ in named] == ["IMAGE", "IMAGE", "IMAGE", "COMPOSITE"]
    assert [(r.ReferencedSOPInstanceUID, r.get("ReferencedFrameNumber")) for _, r in named[:2]] == [
        (s.sop_instance_uid, s.frame) for s in slices]
    assert [r.ReferencedSOPClassUID for _, r in named[2:]] == [SegmentationStorage, Comprehensive3DSRStorage]
    assert "ReferencedFrameNumber" not in named[2][1]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_its_evidence_lists_exactly_what_it_names(layout: str, make_case: Callable[..., Any]) -> None:
    """PS3.3 C.17.6.2.1."""
    case = make_case(encoding=LAYOUTS[layout])
    ds = select(case)
    (study,) = ds.CurrentRequestedProcedureEvidenceSequence
    evidence = [sop.ReferencedSOPInstanceUID for s in study.ReferencedSeriesSequence for sop in s.ReferencedSOPSequence]
    assert study.StudyInstanceUID == ds.StudyInstanceUID
    assert len(evidence) == len(set(evidence))
    assert set(evidence) == {r.ReferencedSOPInstanceUID for _, r in selected(ds)}
    series = [s.SeriesInstanceUID for s in study.ReferencedSeriesSequence]
    names = JobNames("job")
    assert sorted(series) == sorted([dcmread(case.files["CT"][0]).SeriesInstanceUID, names.series("seg"),
                                     names.series("sr")])


def test_its_title_claims_interest_and_rejects_nothing(make_case: Callable[..., Any], tmp_path: Path) -> None:
    ds = select(make_case())
    assert ds.SOPClassUID == KeyObjectSelectionDocumentStorage
    title = ds.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning) == ("113000", "DCM", "Of Interest")
    ds.save_as(tmp_path / "selection.dcm")
    assert read_rejection(tmp_path / "selection.dcm", ds.file_meta.TransferSyntaxUID) is None


def test_its_description_bears_the_mark(make_case: Callable[..., Any]) -> None:
    case = make_case()
    ds = select(replace(case, context=replace(case.context, incomplete="missing 3 images")))
    (text,) = [i.TextValue for i in ds.ContentSequence if i.ValueType == "TEXT"
               and i.ConceptNameCodeSequence[0].CodeValue == "113012"]
    assert text.startswith("DEMONSTRATION - not for clinical use; liver-net 2.1.")
    assert "Liver tumour 1, Liver tumour 2" in text
    assert "missing 3 images" in text
    assert ds.SeriesDescription.startswith("INCOMPLETE, DEMONSTRATION")


def test_a_device_selected_them(make_case: Callable[..., Any]) -> None:
    case = make_case()
    uids = [i.UID for i in select(case).ContentSequence if i.ValueType == "UIDREF"]
    assert uids == [device_uid(case.result.model)]


def test_patient_and_study_are_the_images(make_case: Callable[..., Any]) -> None:
    def say_more(files: list[Path]) -> None:
        for path in files:
            ds = dcmread(path)
            ds.IssuerOfPatientID, ds.StudyDescription = "Clinic", "CT abdomen"
            ds.save_as(path)

    case = make_case(edit=say_more)
    ds, image = select(case), dcmread(case.files["CT"][0])
    for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "AccessionNumber", "StudyDate", "StudyDescription",
                    "IssuerOfPatientID"):
        assert image.get(keyword), keyword
        assert ds.get(keyword) == image.get(keyword), keyword


def test_without_lesions_it_names_only_what_it_is_given(make_case: Callable[..., Any]) -> None:
    case = make_case()
    first, *rest = case.result.findings
    organs = tuple(replace(f, structure=first.structure) for f in rest)
    organ_only = replace(case, result=replace(case.result, findings=(first, *organs)))
    assert [kind for kind, _ in selected(select(organ_only))] == ["IMAGE", "COMPOSITE"]
    with pytest.raises(ResultInvalid, match="no key objects"):
        select(organ_only, objects=False)
    with pytest.raises(ResultInvalid, match="no key objects"):
        select(make_case(empty=True), objects=False)


def test_names_repeat_and_so_do_bytes(make_case: Callable[..., Any]) -> None:
    case = make_case()
    sources = load_sources(case.result, case.files)
    first, second = (part10(encode_selection(case.result, sources, case.context.of_job("job"))) for _ in range(2))
    assert first == second
    ds, names = dcmread(BytesIO(first)), JobNames("job")
    assert (ds.SOPInstanceUID, ds.SeriesInstanceUID) == (names.instance("selection"), names.series("selection"))
    assert ds.SeriesNumber == names.series_number("selection")


@pytest.mark.peer
@pytest.mark.parametrize("layout", LAYOUTS)
def test_checkers_find_no_error(
    layout: str, make_case: Callable[..., Any], tool: Callable[..., str], tmp_path: Path
) -> None:
    select(make_case(encoding=LAYOUTS[layout])).save_as(tmp_path / "selection.dcm")
    said = tool("dciodvfy", "-new", tmp_path / "selection.dcm", succeeds=False)
    assert [line for line in said.splitlines() if line.startswith("Error")] == []
    tool("dsrdump", tmp_path / "selection.dcm")
