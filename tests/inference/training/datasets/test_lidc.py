"""LIDC's outlines become the voxels on which readers agree, and a hostile file becomes a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from miniatures import distance, grid_of, lidc_xml, region, regions_around

from inference.errors import Unfit
from inference.training.datasets import lidc
from inference.training.datasets.lidc import agreed, alike, read_outlines, series_of
from inference.volume import Grid

SQUARE = [(3, 2), (4, 2), (5, 2), (6, 2), (6, 3), (6, 4), (6, 5), (5, 5), (4, 5), (3, 5), (3, 4), (3, 3)]


@pytest.fixture
def grid() -> Grid:
    return grid_of("axial")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def masks_of(path: Path, grid: Grid) -> list[np.ndarray]:
    """What readers agree on, nodule by nodule, as masks (z, y, x)."""
    found = []
    for nodule in agreed(read_outlines(path), grid):
        mask = np.zeros(grid.shape, dtype=bool)
        mask.reshape(-1)[nodule.voxels] = True
        found.append(mask)
    return found


def z(grid: Grid, k: int) -> float:
    return float(grid.to_lps((k, 0, 0))[2])


@pytest.mark.parametrize("directions", ["axial", "flipped", "oblique"])
def test_the_line_is_no_part_of_the_nodule_and_its_inside_is(directions: str, tmp_path: Path) -> None:
    """A ball outlined slice by slice comes back voxel for voxel, wherever the scan lies."""
    grid = grid_of(directions)
    ball = distance(grid, grid.to_lps((5.2, 11, 10))) < 7
    (mask,) = masks_of(write(tmp_path / "a.xml", lidc_xml("1.2", [[regions_around(ball, grid)]])), grid)
    np.testing.assert_array_equal(mask, ball)


def test_corners_are_joined_by_straight_lines(grid: Grid, tmp_path: Path) -> None:
    found = []
    for pixels in ([(3, 2), (6, 2), (6, 5), (3, 5)], SQUARE):
        text = lidc_xml("1.2", [[[region(z(grid, 3), pixels)]]])
        found += masks_of(write(tmp_path / "a.xml", text), grid)
    one, other = found
    assert np.argwhere(one).tolist() == [[3, 3, 4], [3, 3, 5], [3, 4, 4], [3, 4, 5]]
    np.testing.assert_array_equal(one, other)


def test_what_is_not_included_is_cut_out(grid: Grid, tmp_path: Path) -> None:
    outer = region(z(grid, 3), [(1, 1), (9, 1), (9, 9), (1, 9)])
    hole = region(z(grid, 3), [(4, 4), (6, 4), (6, 6), (4, 6)], included=False)
    (mask,) = masks_of(write(tmp_path / "a.xml", lidc_xml("1.2", [[[hole, outer]]])), grid)
    assert mask.sum() == 7 * 7 - 1
    assert not mask[3, 5, 5]


def test_a_single_point_is_a_nodule_below_3_mm_and_left_out(grid: Grid, tmp_path: Path) -> None:
    assert masks_of(write(tmp_path / "a.xml", lidc_xml("1.2", [[[region(z(grid, 3), [(5, 5)])]]])), grid) == []


@pytest.mark.parametrize(
    ("sizes", "agreed_on"),
    [([0], 0), ([0, 2], 2), ([0, 1, 2], 1), ([0, 1, 2, 3], 2), ([0, 0, 1, 1], 1), ([0, 0, 0, 1], 0)],
)
def test_half_of_a_nodules_readers_have_to_hold_a_voxel(
    sizes: list[int], agreed_on: int, grid: Grid, tmp_path: Path
) -> None:
    """A square from each reader around one pixel, reaching so many pixels from it."""

    def square(size: int) -> list[str]:
        low, high = 8 - size - 1, 8 + size + 1
        return [region(z(grid, 4), [(low, low), (high, low), (high, high), (low, high)])]

    (mask,) = masks_of(write(tmp_path / "a.xml", lidc_xml("1.2", [[square(n)] for n in sizes])), grid)
    rings = np.maximum(*np.abs(np.indices(grid.shape[1:]) - 8))
    np.testing.assert_array_equal(mask[4], rings <= agreed_on)


def test_outlines_that_share_a_voxel_are_of_one_nodule(grid: Grid, tmp_path: Path) -> None:
    """Two that meet through a third are one, two that only touch with their lines are two."""
    def square(column: int, width: int = 4) -> list[str]:
        return [region(z(grid, 4), [(column, 2), (column + width, 2), (column + width, 6), (column, 6)])]

    chain = lidc_xml("1.2", [[square(2)], [square(5)], [square(8)]])
    assert len(agreed(read_outlines(write(tmp_path / "a.xml", chain)), grid)) == 3, "their insides do not meet"
    chain = lidc_xml("1.2", [[square(2, 6)], [square(6, 6)], [square(10, 6)]])
    (one,) = agreed(read_outlines(write(tmp_path / "a.xml", chain)), grid)
    assert one.readers == 3
    apart = lidc_xml("1.2", [[square(2), square(12)], [square(2)]])
    assert sorted(nodule.readers for nodule in agreed(read_outlines(write(tmp_path / "a.xml", apart)), grid)) == [1, 2]


def test_one_reader_counts_once_however_often_he_outlines(grid: Grid, tmp_path: Path) -> None:
    square = [region(z(grid, 4), [(2, 2), (6, 2), (6, 6), (2, 6)])]
    wide = [region(z(grid, 4), [(1, 1), (8, 1), (8, 8), (1, 8)])]
    readers = [[square, square, square], [wide], [wide]]
    (mask,) = masks_of(write(tmp_path / "a.xml", lidc_xml("1.2", readers)), grid)
    assert mask.sum() == 36


def test_files_are_alike_where_they_outline_the_same(grid: Grid, tmp_path: Path) -> None:
    def told(uid: str, *regions: str):
        return read_outlines(write(tmp_path / "a.xml", lidc_xml("1.2", [[list(regions)]]).replace("1.3.6", uid)))

    one, other = region(z(grid, 3), SQUARE), region(z(grid, 4), SQUARE)
    assert alike(told("1.3.6", one, other), told("1.3.7", one, other))
    assert not alike(told("1.3.6", one, other), told("1.3.6", one))
    assert not alike(told("1.3.6", one), told("1.3.6", other))
    assert not alike(told("1.3.6", one), told("1.3.6", region(z(grid, 3), SQUARE, included=False)))
    assert not alike(told("1.3.6", one), told("1.3.6", region(z(grid, 3), SQUARE[1:])))


def test_the_series_is_found_in_the_header(tmp_path: Path) -> None:
    assert series_of(write(tmp_path / "a.xml", lidc_xml("1.2.840.7", []))) == "1.2.840.7"
    film = "<IdriReadMessage><CXRSeriesInstanceUid>1.2</CXRSeriesInstanceUid></IdriReadMessage>"
    assert series_of(write(tmp_path / "b.xml", film)) == ""
    assert series_of(write(tmp_path / "c.xml", "")) == ""


BOMB = ('<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "ha"><!ENTITY c "&a;&a;&a;&a;&a;&a;">]>'
        "<LidcReadMessage>&c;</LidcReadMessage>")
ELSEWHERE = ('<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
             "<LidcReadMessage>&a;</LidcReadMessage>")


@pytest.mark.parametrize("text", [BOMB, ELSEWHERE, "<!DOCTYPE b><LidcReadMessage/>", "", "<a", "\x00\x01", "no xml",
                                  '<?xml version="1.0" encoding="klingon"?><LidcReadMessage/>',
                                  "<html/>", "<IdriReadMessage/>"])  # fmt: skip
def test_a_file_that_is_no_lidc_file_is_unfit(text: str, tmp_path: Path) -> None:
    with pytest.raises(Unfit, match=r"^a\.xml "):
        read_outlines(write(tmp_path / "a.xml", text))


@pytest.mark.parametrize(
    "text",
    [region(float("nan"), SQUARE), region(0, [("x", 1), (2, 2)]), region(0, [(2**40, 1), (2, 2)]),
     "<roi><edgeMap/><edgeMap/></roi>"],
)  # fmt: skip
def test_a_region_without_a_place_is_unfit(text: str, tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="without a place"):
        read_outlines(write(tmp_path / "a.xml", lidc_xml("1.2", [[[text]]])))


@pytest.mark.parametrize("pixels", [[(-1, 2), (4, 2), (4, 5)], [(3, 2), (22, 2), (4, 5)], [(3, 2), (9, 24), (4, 5)],
                                    [(3, 2), (2**30, 2), (4, 2**30)]])  # fmt: skip
def test_an_outline_that_leaves_the_image_is_unfit(pixels: list[tuple[int, int]], grid: Grid, tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", lidc_xml("1.2", [[[region(z(grid, 3), pixels)]]]))
    with pytest.raises(Unfit, match="leaves the image"):
        agreed(read_outlines(path), grid)


def test_an_outline_between_no_slices_is_unfit(grid: Grid, tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", lidc_xml("1.2", [[[region(z(grid, 11) + 1.3, SQUARE)]]]))
    with pytest.raises(Unfit, match=r"lies on no slice, which run from -140 to -112\.5 mm"):
        agreed(read_outlines(path), grid)


def test_a_file_beyond_all_sizes_is_unfit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lidc, "MAX_BYTES", 100)
    with pytest.raises(Unfit, match="larger than"):
        read_outlines(write(tmp_path / "a.xml", lidc_xml("1.2", [])))
