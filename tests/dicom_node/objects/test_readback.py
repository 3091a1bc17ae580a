"""A delivered SEG read back onto its source grid is the label map that it was made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicom_node.objects.encode import encode
from dicom_node.objects.readback import read_labels
from inference.tasks import LIVER_TUMOUR
from inference.writers.dicom_series import Encoding


def seg_of(case: Any, folder: Path) -> Path:
    (seg,) = [item for item in encode(case.result, "a" * 64, case.files, case.context) if item.kind == "seg"]
    path = folder / "seg.dcm"
    path.write_bytes(seg.part10)
    return path


@pytest.mark.parametrize("encoding", [Encoding(), Encoding(reverse=True), Encoding(enhanced=True)])
def test_lesions_become_their_structure(make_case: Callable[..., Any], tmp_path: Path, encoding: Encoding) -> None:
    case = make_case(encoding=encoding)
    labels = read_labels(seg_of(case, tmp_path), case.result.grid, LIVER_TUMOUR.structures)
    np.testing.assert_array_equal(labels, np.minimum(case.labels, 2))


def test_frames_that_lie_elsewhere_are_told(make_case: Callable[..., Any], tmp_path: Path) -> None:
    case = make_case()
    moved = case.result.grid.affine.copy()
    moved[2, 3] += 1.0
    with pytest.raises(ValueError, match="no slice"):
        read_labels(seg_of(case, tmp_path), replace(case.result.grid, affine=moved), LIVER_TUMOUR.structures)
