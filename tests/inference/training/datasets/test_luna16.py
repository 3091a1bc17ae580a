"""LUNA16: nodules lie where the table says, as spheres, as LIDC's readers outlined them, or as a mask has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from miniatures import (
    Miniature,
    distance,
    draw,
    grid_of,
    lidc_xml,
    regions_around,
    series_uid,
    write_image,
    write_luna16,
    write_marks,
)

from inference.errors import BadCase, DataError, WrongFolder
from inference.tasks import LUNG_NODULE
from inference.training.datasets.base import Mark
from inference.training.datasets.luna16 import ALL_RELEVANT, SPHERES, Luna16
from inference.writers.training_layout import write_case


def read_only(data: Luna16):
    (ref,) = data.cases()
    return data.read(ref)


def place(grid, index, diameter_mm: float) -> Mark:
    return Mark(tuple(float(v) for v in grid.to_lps(index)), diameter_mm)


@pytest.mark.parametrize("directions", ["axial", "flipped", "oblique"])
def test_a_sphere_lies_where_the_table_says_in_lps(directions: str, tmp_path: Path) -> None:
    drawn = draw(LUNG_NODULE, 1, grid_of(directions))
    write_luna16(tmp_path, {3: drawn})
    case = read_only(Luna16(tmp_path))
    (mark,) = case.lesions
    np.testing.assert_array_equal(case.truth, distance(case.grid, mark.centre) <= mark.diameter_mm / 2)
    np.testing.assert_array_equal(case.truth, drawn.truth)
    np.testing.assert_array_equal(case.volumes["CT"].array, drawn.volumes["CT"].array)
    inside = case.grid.to_lps(np.argwhere(case.truth)).mean(axis=0)
    assert np.abs(inside - mark.centre).max() < 0.5
    assert case.notes == (SPHERES,)


@pytest.mark.parametrize("index", [(0, 0, 0), (11.4, 23.4, 21.4), (-0.4, 12, 10), (5.5, 11.5, 9.5)])
def test_a_sphere_smaller_than_a_voxel_is_a_voxel(index, tmp_path: Path) -> None:
    grid = grid_of()
    drawn = Miniature(draw(LUNG_NODULE, 1, grid).volumes, np.zeros(grid.shape, np.uint8), (place(grid, index, 0.2),))
    write_luna16(tmp_path, {0: drawn})
    (voxel,) = np.argwhere(read_only(Luna16(tmp_path)).truth)
    assert np.abs(voxel - index).max() <= 0.5 + 1e-6


def test_a_sphere_at_the_edge_is_cut_by_it(tmp_path: Path) -> None:
    grid = grid_of()
    mark = place(grid, (0, 1, 21), 14)
    drawn = Miniature(draw(LUNG_NODULE, 1, grid).volumes, np.zeros(grid.shape, np.uint8), (mark,))
    write_luna16(tmp_path, {0: drawn})
    np.testing.assert_array_equal(read_only(Luna16(tmp_path)).truth, distance(grid, mark.centre) <= 7)


def test_the_fold_is_the_subset(tmp_path: Path) -> None:
    write_luna16(tmp_path / "data", {n: draw(LUNG_NODULE, n) for n in (0, 4, 9)})
    data = Luna16(tmp_path)
    assert {ref.case_id: ref.fold for ref in data.cases()} == {series_uid(n): n for n in (0, 4, 9)}


def test_a_scan_without_nodules_is_a_case(tmp_path: Path) -> None:
    drawn = Miniature(draw(LUNG_NODULE, 1).volumes, np.zeros(grid_of().shape, np.uint8))
    write_luna16(tmp_path, {0: drawn})
    case = read_only(Luna16(tmp_path))
    assert not case.truth.any()
    assert case.notes == ()


def test_irrelevant_findings_are_neither_truth_nor_forgotten(tmp_path: Path) -> None:
    drawn, far = draw(LUNG_NODULE, 1), place(grid_of(), (2, 3, 3), 4.0)
    write_luna16(tmp_path, {0: drawn}, {0: [far, far._replace(diameter_mm=-1)]})
    case = read_only(Luna16(tmp_path))
    assert case.irrelevant == (far, far._replace(diameter_mm=0))
    np.testing.assert_array_equal(case.truth, drawn.truth)
    (tmp_path / "annotations_excluded.csv").unlink()
    assert read_only(Luna16(tmp_path)).notes == (SPHERES, ALL_RELEVANT)


def test_the_tables_of_the_evaluation_script_do_not_get_in_the_way(tmp_path: Path) -> None:
    write_luna16(tmp_path, {0: draw(LUNG_NODULE, 1)})
    script = tmp_path / "evaluationScript" / "annotations"
    script.mkdir(parents=True)
    (script / "annotations.csv").write_text("another table")
    (tmp_path / "annotations_excluded.csv").rename(script / "annotations_excluded.csv")
    lungs = tmp_path / "seg-lungs-LUNA16" / f"{series_uid(0)}.mhd"
    write_image(np.ones(grid_of().shape, np.uint8), grid_of(), lungs)
    case = read_only(Luna16(tmp_path))
    assert case.notes == (SPHERES,)
    assert len(case.lesions) == 1


def test_two_tables_of_which_neither_is_nearer_are_refused(tmp_path: Path) -> None:
    write_luna16(tmp_path, {0: draw(LUNG_NODULE, 1)})
    text = (tmp_path / "annotations.csv").read_text()
    (tmp_path / "annotations.csv").unlink()
    for folder in ("CSVFILES", "corrected"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "annotations.csv").write_text(text)
    assert len(read_only(Luna16(tmp_path)).lesions) == 1, "a copy says nothing new"
    (tmp_path / "corrected" / "annotations.csv").write_text(text.splitlines()[0])
    with pytest.raises(WrongFolder, match=r"twice: CSVFILES/annotations\.csv and corrected/annotations\.csv"):
        Luna16(tmp_path).cases()


@pytest.mark.parametrize("directions", ["axial", "flipped", "oblique"])
def test_outlines_take_the_place_of_spheres(directions: str, tmp_path: Path) -> None:
    grid = grid_of(directions)
    drawn = draw(LUNG_NODULE, 1, grid)
    smaller = distance(grid, drawn.nodules[0].centre) < 6
    write_luna16(tmp_path / "luna", {0: drawn})
    folder = tmp_path / "xml" / "LIDC-IDRI-0001" / "study" / "series"
    folder.mkdir(parents=True)
    (folder / "069.xml").write_text(lidc_xml(series_uid(0), [[regions_around(smaller, grid)]] * 3))
    (folder / "068.xml").write_text(lidc_xml("1.2.3", []))
    case = read_only(Luna16(tmp_path / "luna", tmp_path / "xml"))
    np.testing.assert_array_equal(case.truth, smaller)
    assert case.notes == ("The truth is what at least half of a nodule's readers outlined.",)


def test_the_table_says_which_nodules_count(tmp_path: Path) -> None:
    """An outline that meets no listed nodule is no truth; a listed nodule without an outline stays a sphere."""
    grid = grid_of(shape=(12, 24, 60))
    one, two, unlisted = (place(grid, (5, 11, x), 8) for x in (10, 30, 50))
    drawn = Miniature(draw(LUNG_NODULE, 1, grid).volumes, np.zeros(grid.shape, np.uint8), (one, two))
    write_luna16(tmp_path, {0: drawn})
    nodules = [regions_around(distance(grid, mark.centre) < 5, grid) for mark in (one, unlisted)]
    (tmp_path / "a.xml").write_text(lidc_xml(series_uid(0), [nodules] * 4))
    case = read_only(Luna16(tmp_path, tmp_path))
    expected = (distance(grid, one.centre) < 5) | (distance(grid, two.centre) <= 4)
    np.testing.assert_array_equal(case.truth, expected)
    assert case.notes[1:] == (
        "1 of 2 nodules meet no outline: spheres of the annotated diameter stand for them.",
        "1 outlined nodules are not listed in annotations.csv, and no truth.",
    )


def test_our_own_export_is_read_by_its_masks(tmp_path: Path) -> None:
    drawn = draw(LUNG_NODULE, 2)
    odd = drawn.truth.copy()
    odd[2, 3, 4] = 1
    write_case(LUNG_NODULE, 3, drawn.volumes, odd, tmp_path)
    data = Luna16(tmp_path)
    case = read_only(data)
    assert case.case_id == "0003"
    np.testing.assert_array_equal(case.truth, odd)
    assert case.notes == (ALL_RELEVANT,)
    write_case(LUNG_NODULE, 4, drawn.volumes, odd, tmp_path)
    (tmp_path / "masks" / "0004.mhd").unlink()
    data = Luna16(tmp_path)
    with pytest.raises(BadCase, match=r"no masks/0004\.mhd, and there is no annotations\.csv"):
        data.read(data.cases()[1])


def test_scans_of_one_patient_are_told_by_nbias_table(tmp_path: Path) -> None:
    write_luna16(tmp_path, {n: draw(LUNG_NODULE, n) for n in range(2)})
    assert [ref.patient_id for ref in Luna16(tmp_path).cases()] == [series_uid(0), series_uid(1)]
    table = tmp_path / "metadata.csv"
    table.write_text(f"Series UID,Subject ID\n{series_uid(0)},LIDC-IDRI-0132\n{series_uid(1)},LIDC-IDRI-0132\n")
    assert [ref.patient_id for ref in Luna16(tmp_path, patients=table).cases()] == ["LIDC-IDRI-0132"] * 2
    table.write_text(f"Series UID,Subject ID\n{series_uid(0)},LIDC-IDRI-0132\n")
    with pytest.raises(DataError, match=r"metadata\.csv does not say whose 1 of 2 scans are"):
        Luna16(tmp_path, patients=table).cases()


def test_a_case_changes_with_its_rows_and_its_outlines(tmp_path: Path) -> None:
    drawn = draw(LUNG_NODULE, 1)
    write_luna16(tmp_path, {0: drawn})

    def fingerprint(xml: Path | None = None) -> str:
        data = Luna16(tmp_path, xml)
        return data.fingerprint(data.cases()[0])

    before = fingerprint()
    assert fingerprint() == before
    write_marks(tmp_path / "annotations.csv", {series_uid(0): [drawn.nodules[0]._replace(diameter_mm=9)]})
    assert fingerprint() != before
    write_marks(tmp_path / "annotations.csv", {series_uid(0): drawn.nodules, series_uid(9): drawn.nodules})
    assert fingerprint() == before, "another scan's row is no change of this one"
    write_marks(tmp_path / "annotations_excluded.csv", {series_uid(0): drawn.nodules})
    assert fingerprint() != before
    (tmp_path / "a.xml").write_text(lidc_xml(series_uid(0), []))
    outlined = fingerprint(tmp_path)
    (tmp_path / "a.xml").write_text(lidc_xml(series_uid(0), [[]]))
    assert fingerprint(tmp_path) != outlined


def test_what_is_wrong_with_a_case_is_named(tmp_path: Path) -> None:
    drawn = draw(LUNG_NODULE, 1)
    outside = place(drawn.grid, (5, 11, 30), 6)
    write_luna16(tmp_path, {0: Miniature(drawn.volumes, drawn.truth, (outside,))})
    with pytest.raises(BadCase, match=r"a nodule at x -?[\d.]+, y -?[\d.]+, z -?[\d.]+ mm, outside the scan"):
        read_only(Luna16(tmp_path))
    write_luna16(tmp_path, {0: drawn})
    (tmp_path / "a.xml").write_text("<LidcReadMessage><SeriesInstanceUid>" + series_uid(0) + "</SeriesInstanceUid>")
    with pytest.raises(BadCase, match=r"a\.xml cannot be read as XML"):
        read_only(Luna16(tmp_path, tmp_path))
    (tmp_path / "subset0" / f"{series_uid(0)}.raw").unlink()
    with pytest.raises(BadCase, match=r"\.mhd cannot be read"):
        read_only(Luna16(tmp_path))


def test_wrong_folders_are_told_apart(tmp_path: Path) -> None:
    write_luna16(tmp_path, {0: draw(LUNG_NODULE, 1)})
    with pytest.raises(WrongFolder, match=r"holds no case of LIDC-IDRI: looked for \*\.xml"):
        Luna16(tmp_path, tmp_path / "subset0").cases()
    (tmp_path / "annotations.csv").unlink()
    with pytest.raises(WrongFolder, match=r"holds 1 scans of LUNA16 and no annotations\.csv"):
        Luna16(tmp_path).cases()
    (tmp_path / "subset0").rename(tmp_path / "scans")
    with pytest.raises(WrongFolder, match=r"looked for subsetN/SERIES\.mhd with SERIES\.raw; found 3 files, of which"):
        Luna16(tmp_path).cases()


def test_a_scan_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """The same scan in two subsets would be learnt from and scored."""
    drawn = draw(LUNG_NODULE, 1)
    write_luna16(tmp_path, {0: drawn})
    write_image(drawn.truth, drawn.grid, tmp_path / "subset7" / f"{series_uid(0)}.mhd")
    with pytest.raises(WrongFolder, match="twice"):
        Luna16(tmp_path).cases()


def write_submissions(folder: Path, drawn: Miniature, *radii: int) -> None:
    """LIDC files of one series as TCIA publishes them again: the same name in another folder, a uid of its own."""
    for n, radius in enumerate(radii):
        nodule = regions_around(distance(drawn.grid, drawn.nodules[0].centre) < radius, drawn.grid)
        text = lidc_xml(series_uid(0), [[nodule]] * 3).replace('uid="1.3.6"', f'uid="1.3.6.{n}"')
        (folder / f"{157 + n}").mkdir(parents=True, exist_ok=True)
        (folder / f"{157 + n}" / "158.xml").write_text(text)


def test_an_lidc_file_that_was_submitted_twice_is_read_once(tmp_path: Path) -> None:
    """LIDC-XML-only.zip holds 1036 files of 1018 CT series; all but one repeat the same outlines in another header."""
    drawn = draw(LUNG_NODULE, 1)
    write_luna16(tmp_path / "luna", {0: drawn})
    write_submissions(tmp_path / "xml", drawn, 6, 6)
    data = Luna16(tmp_path / "luna", tmp_path / "xml")
    np.testing.assert_array_equal(read_only(data).truth, distance(drawn.grid, drawn.nodules[0].centre) < 6)
    (tmp_path / "xml" / "copy.xml").write_bytes((tmp_path / "xml" / "157" / "158.xml").read_bytes())
    (ref,) = data.cases()
    assert Luna16(tmp_path / "luna", tmp_path / "xml").fingerprint(ref) == data.fingerprint(ref), "a copy says nothing"


def test_two_lidc_files_that_outline_other_nodules_cost_their_case_alone(tmp_path: Path) -> None:
    drawn = draw(LUNG_NODULE, 1)
    write_luna16(tmp_path / "luna", {0: drawn, 1: drawn})
    write_submissions(tmp_path / "xml", drawn, 6, 6, 5)
    data = Luna16(tmp_path / "luna", tmp_path / "xml")
    contested, other = data.cases()
    assert data.read(other).truth.any()
    with pytest.raises(BadCase, match=r"157/158\.xml and 159/158\.xml outline it differently"):
        data.read(contested)
    before = data.fingerprint(contested)
    write_submissions(tmp_path / "xml", drawn, 6, 6, 6)
    assert Luna16(tmp_path / "luna", tmp_path / "xml").fingerprint(contested) != before, "kept cases are made anew"
