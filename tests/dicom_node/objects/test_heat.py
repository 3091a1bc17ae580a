"""Pictures of a map: warm where it is high, the anatomy where it is 0, an outline where the finding is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dicom_node.objects.heat import CAUTION, Heat, paint_heat, shown_slices, write_heat
from inference.findings import IntendedUse
from inference.volume import Grid, Spacing, regular_affine
from inference.writers.dicom_series import Encoding

GREEN = (90, 255, 120)


def heat_of(case, **more) -> Heat:
    values = np.zeros(case.labels.shape, np.float16)
    values[3, 9:14, 11:13] = 1.0
    return Heat("Grad-CAM of Liver tumour 2", values, case.result.sources["CT"], case.result.model, **more)


def test_colour_grows_with_the_map_and_grey_stays_where_it_is_0() -> None:
    grey = np.full((1, 5), 100, np.uint8)
    painted = paint_heat(grey, np.array([[0, 0.25, 0.5, 0.75, 1]]), np.zeros((1, 5), bool)).astype(int)[0]
    assert painted[0].tolist() == [100, 100, 100]
    warmth = painted[:, 0] - painted[:, 2]
    assert (np.diff(painted[1:, 0]) > 0).all()
    assert warmth[3] > 80
    outlined = paint_heat(grey, np.zeros((1, 5)), np.array([[0, 1, 0, 0, 0]], bool))
    assert outlined[0, 1].tolist() == list(GREEN)


def test_the_slices_shown_are_the_findings_largest_and_the_maps_strongest(make_case) -> None:
    case = make_case()
    assert shown_slices(heat_of(case)) == [3]
    assert shown_slices(heat_of(case, mask=case.labels == 3)) == [3, 5]
    assert shown_slices(heat_of(case, mask=np.zeros(case.labels.shape, bool))) == [3]


@pytest.mark.parametrize("encoding", [Encoding(), Encoding(enhanced=True)], ids=["single", "enhanced"])
def test_pictures_are_warm_where_the_map_is_on_the_right_slice(encoding, make_case, tmp_path: Path) -> None:
    case = make_case(encoding=encoding)
    heat = heat_of(case, mask=case.labels == 3, label="Liver tumour 2")
    first, second = write_heat(heat, case.files["CT"], tmp_path, "grad-cam-finding-3")
    assert [first.name, second.name] == ["grad-cam-finding-3-slice-004.png", "grad-cam-finding-3-slice-006.png"]
    pixels = np.asarray(Image.open(first)).astype(int)
    warm = pixels[..., 0] - pixels[..., 2] > 60
    warm[: len(warm) // 4] = False  # words in amber
    rows, columns = np.nonzero(warm)
    middle = (rows.mean() / pixels.shape[0] * 20, columns.mean() / pixels.shape[1] * 26)
    assert middle == pytest.approx((11.5, 12.0), abs=1.0)
    green = (np.asarray(Image.open(second)).astype(int) == GREEN).all(axis=2)
    assert green.sum() > 50
    assert not (pixels == GREEN).all(axis=2).any(), "the finding is not on that slice"


def test_pictures_keep_the_patients_proportions_and_carry_the_mark(make_case, tmp_path: Path) -> None:
    case = make_case(Grid((9, 20, 26), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(5.0, 2.0, 0.5))))
    marked = heat_of(case)
    (path,) = write_heat(marked, case.files["CT"], tmp_path, "marked")
    with Image.open(path) as picture:
        assert picture.width / picture.height == pytest.approx((26 * 0.5) / (20 * 2.0), rel=0.01)
    cleared = replace(marked, model=replace(marked.model, intended_use=IntendedUse.CLINICAL))
    (other,) = write_heat(cleared, case.files["CT"], tmp_path, "cleared")
    assert path.read_bytes() != other.read_bytes()
    assert "no proof" in CAUTION
