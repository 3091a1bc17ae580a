"""Bits back to masks, as PS3.5 packs them."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_node.objects.decode import frames, masks
from dicom_node.objects.encode import encode
from inference.writers.dicom_series import Encoding


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (5, 7), (3, 3), (1, 1)])
def test_frames_are_found_where_bits_run_on_across_them(rows: int, columns: int) -> None:
    truth = np.random.default_rng(1).random((5, rows, columns)) < 0.4
    seg = Dataset()
    seg.Rows, seg.Columns, seg.NumberOfFrames = rows, columns, 5
    seg.PixelData = np.packbits(truth.ravel(), bitorder="little").tobytes()
    assert np.array_equal(np.stack(list(frames(seg))), truth)


@pytest.mark.parametrize("enhanced", [False, True])
def test_masks_are_given_by_source_and_segment(enhanced: bool, make_case) -> None:
    case = make_case(encoding=Encoding(enhanced=enhanced))
    made = encode(case.result, "job", case.files, case.context)
    found = masks(dcmread(BytesIO(made[0].part10)))
    slices = {(s.sop_instance_uid, s.frame): z for z, s in enumerate(case.result.sources["CT"])}
    decoded = np.zeros_like(case.labels)
    for reference, by_segment in found.items():
        for number, mask in by_segment.items():
            decoded[slices[reference.sop_instance_uid, reference.frame]][mask] = number
    assert np.array_equal(decoded, case.labels)
