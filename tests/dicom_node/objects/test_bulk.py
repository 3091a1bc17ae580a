"""What is encoded in bulk gives the bytes that pydicom gives of it."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.objects.bulk import in_bulk
from dicom_node.objects.profile import Profile
from dicom_node.objects.seg import encode_segmentations
from dicom_node.objects.source import load_sources
from inference.writers.dicom_series import Encoding


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


def test_compressed_pixels_stay_so(make_case: Any) -> None:
    case = make_case()
    context = replace(case.context, profile=Profile(seg="labelmap", transfer_syntax="rle"))
    (made,) = encode_segmentations(case.result, load_sources(case.result, case.files), context)
    quick, plain = written(in_bulk(made.seg)), written(made.seg)
    assert quick == plain


def test_it_leaves_the_data_set_alone(make_case: Any) -> None:
    case = make_case()
    (made,) = encode_segmentations(case.result, load_sources(case.result, case.files), case.context)
    pixels = made.seg.PixelData
    in_bulk(made.seg)
    assert made.seg.PixelData is pixels
    assert len(made.seg.PerFrameFunctionalGroupsSequence) == made.seg.NumberOfFrames
