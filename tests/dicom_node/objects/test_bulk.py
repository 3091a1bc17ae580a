"""What is encoded in bulk gives the bytes that pydicom gives of it."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.objects.assortment import assortment
from dicom_node.objects.bulk import in_bulk
from dicom_node.objects.profile import Profile
from dicom_node.objects.seg import encode_segmentations
from dicom_node.objects.source import load_sources
from inference.writers.dicom_series import Encoding


def ask_for_it(files: list[Path]) -> None:
    """Give the images what objects copy of them as it was read: sequences of both kinds of length, odd text."""
    for path in files:
        ds = dcmread(path)
        requested = Dataset()
        requested.RequestedProcedureID, requested.RequestedProcedureDescription = "P 1 ", "abdomen "
        ds.RequestAttributesSequence = [requested]
        ds.ReferencedStudySequence = [Dataset()]
        ds.ReferencedStudySequence[0].ReferencedSOPClassUID = "1.2.3"
        ds.ReferencedStudySequence[0].ReferencedSOPInstanceUID = "1.2.3.4"
        ds["ReferencedStudySequence"].is_undefined_length = True
        ds.save_as(path)


def written(ds: Dataset) -> bytes:
    out = BytesIO()
    dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian], ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("form", ["binary", "occupancy", "labelmap"])
@pytest.mark.parametrize("encoding", [Encoding(), Encoding(enhanced=True)], ids=["single", "enhanced"])
def test_every_byte_is_pydicoms(form: str, syntax: str, encoding: Encoding, make_case: Any) -> None:
    case = make_case(encoding=encoding)
    context = replace(case.context, profile=Profile(seg=form))
    (made,) = encode_segmentations(case.result, load_sources(case.result, case.files), context)
    made.seg.file_meta.TransferSyntaxUID = syntax
    quick, plain = written(in_bulk(made.seg)), written(made.seg)
    assert quick == plain


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
@pytest.mark.parametrize("encoding", [Encoding(), Encoding(enhanced=True, transfer_syntax=ImplicitVRLittleEndian)],
                         ids=["single", "enhanced, implicit"])
def test_every_kind_of_object_is_the_same(syntax: str, encoding: Encoding, measured_case: Any) -> None:
    case = measured_case(encoding=encoding, edit=ask_for_it)
    profile = Profile(transfer_syntax=syntax, diameters=True, captures="key", presentation_state=True,
                      key_objects=True, document=True, structure_set=True)
    context = replace(case.context, profile=profile, job_id="job")
    sources = load_sources(case.result, case.files)
    kinds = set()
    for kind, ds in assortment(case.result, sources, case.files, context):
        if syntax == "implicit" and ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian:
            ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        quick, plain = written(in_bulk(ds)), written(ds)
        assert quick == plain, kind
        kinds.add(kind)
    assert len(kinds) > 7


def test_what_depends_on_other_attributes_is_left_to_pydicom(make_case: Any) -> None:
    case = make_case()
    (made,) = encode_segmentations(case.result, load_sources(case.result, case.files), case.context)
    table = Dataset()
    table.add_new("LUTDescriptor", "US or SS", [4, 0, 16])
    made.seg.ModalityLUTSequence = [table]
    assert in_bulk(made.seg) is made.seg


def test_compressed_pixels_stay_so(make_case: Any) -> None:
    case = make_case()
    context = replace(case.context, profile=Profile(seg="labelmap", transfer_syntax="rle"))
    (made,) = encode_segmentations(case.result, load_sources(case.result, case.files), context)
    quick, plain = written(in_bulk(made.seg)), written(made.seg)
    assert quick == plain


def test_pixels_of_odd_length_become_even(make_case: Any) -> None:
    case = make_case()
    (made,) = encode_segmentations(case.result, load_sources(case.result, case.files), case.context)
    made.seg.PixelData = b"\1" * 1701  # as 21 x 27 pixels of three colours are
    assert written(in_bulk(made.seg)) == written(made.seg)


def test_it_leaves_the_data_set_alone(make_case: Any) -> None:
    case = make_case()
    (made,) = encode_segmentations(case.result, load_sources(case.result, case.files), case.context)
    pixels = made.seg.PixelData
    in_bulk(made.seg)
    assert made.seg.PixelData is pixels
    assert len(made.seg.PerFrameFunctionalGroupsSequence) == made.seg.NumberOfFrames
