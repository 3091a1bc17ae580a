"""Pictures read back from the SEG: the right slices, places, proportions and words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from dicom_node.objects.decode import masks
from dicom_node.objects.encode import encode
from dicom_node.objects.overlay import write_overlays
from dicom_node.objects.painting import sides
from dicom_node.objects.source import load_sources
from inference.volume import Grid, Spacing, regular_affine
from inference.writers.dicom_series import Encoding


def paint(case, folder: Path, count: int = 3) -> list[Path]:
    made = encode(case.result, "job", case.files, case.context)
    folder.mkdir(exist_ok=True)
    (folder / "seg.dcm").write_bytes(made[0].part10)
    return write_overlays(folder / "seg.dcm", case.files["CT"], folder, count)


@pytest.mark.parametrize("enhanced", [False, True])
def test_each_picture_shows_the_segments_colours(enhanced: bool, make_case, tmp_path: Path) -> None:
    pictures = paint(make_case(encoding=Encoding(enhanced=enhanced)), tmp_path / "out")
    assert [p.name for p in pictures] == [f"liver_tumour-{n}.png" for n in (1, 2, 3)]
    for path in pictures[:2]:
        pixels = np.asarray(Image.open(path)).reshape(-1, 3).astype(int)
        for colour in ((221, 130, 101), (255, 0, 200)):
            assert (np.abs(pixels - colour).max(axis=1) <= 3).sum() > 50


def test_pictures_keep_the_patients_proportions(make_case, tmp_path: Path) -> None:
    shape = (9, 20, 26)
    grid = Grid(shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(5.0, 2.0, 0.5)))
    with Image.open(paint(make_case(grid), tmp_path / "out")[0]) as picture:
        assert picture.width / picture.height == pytest.approx((26 * 0.5) / (20 * 2.0), rel=0.01)


def test_the_rim_lies_on_the_mask(make_case, tmp_path: Path) -> None:
    case = make_case()
    (path, *_) = paint(case, tmp_path / "out", 1)
    seg = dcmread(tmp_path / "out" / "seg.dcm")
    lesion = next(m[2] for m in masks(seg).values() if 2 in m)
    pixels = np.asarray(Image.open(path)).astype(int)
    tinted = np.abs(pixels - (255, 0, 200)).max(axis=2) <= 3
    tinted[-80:, :60] = False  # the legend
    rows, columns = np.nonzero(tinted)
    scale = np.array(tinted.shape) / lesion.shape
    box = np.argwhere(lesion)
    assert rows.min() / scale[0] == pytest.approx(box[:, 0].min(), abs=0.6)
    assert (columns.max() + 1) / scale[1] == pytest.approx(box[:, 1].max() + 1, abs=0.6)


def test_fewer_slices_with_findings_give_fewer_pictures(make_case, tmp_path: Path) -> None:
    assert len(paint(make_case(), tmp_path / "out", 99)) == 7


@pytest.mark.parametrize(("directions", "expected"), [
    (((0, 0, 1), (0, 1, 0), (1, 0, 0)), ("R", "L", "A", "P")),
    (((0, 1, 0), (0, 0, -1), (1, 0, 0)), ("R", "L", "H", "F")),
    (((-1, 0, 0), (0, 0, -1), (0, 1, 0)), ("A", "P", "H", "F")),
])
def test_sides_are_named_from_the_patient(directions: tuple, expected: tuple, make_case) -> None:
    grid = Grid((9, 20, 26), regular_affine((0, 0, 0), np.array(directions, float).T, Spacing(2, 1, 1)))
    case = make_case(grid)
    assert sides(load_sources(case.result, case.files).planes[0]) == expected
