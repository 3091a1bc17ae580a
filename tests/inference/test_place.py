"""Where findings lie, against a count voxel by voxel, and what is said against their sizes."""

import numpy as np
import pytest

from inference.diameters import in_plane_axes
from inference.place import FEW_VOXELS, flags_of, leads_across_a_gap, place_of
from inference.volume import Grid, Spacing, regular_affine

SHAPE = (7, 9, 11)
SLANT = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])[:, ::-1]
GRIDS = {
    "plain": Grid(SHAPE, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(1, 1, 1))),
    "anisotropic": Grid(SHAPE, regular_affine((-80, 12.5, -300), np.eye(3)[:, ::-1], Spacing(7.5, 0.4, 1.3))),
    "oblique": Grid(SHAPE, regular_affine((-31.5, 12.25, 140), SLANT, Spacing(3, 0.9, 0.7))),
}


@pytest.mark.parametrize("name", GRIDS)
def test_centre_and_slices_are_those_of_a_count_voxel_by_voxel(name: str) -> None:
    grid = GRIDS[name]
    whole = np.zeros(SHAPE, bool)
    whole[2:5, 3:6, 4:8] = np.random.default_rng(1).random((3, 3, 4)) > 0.4
    voxels = [index for index in np.ndindex(SHAPE) if whole[index]]
    place = place_of(whole[1:6, 2:8, 4:9], (1, 2, 4), grid)
    assert place.centre == pytest.approx(tuple(np.mean([grid.to_lps(v) for v in voxels], axis=0)))
    assert (place.first_slice, place.last_slice) == (min(v[0] for v in voxels), max(v[0] for v in voxels))


def test_a_large_finding_amid_the_images_has_no_flag() -> None:
    assert flags_of(np.ones((3, 3, 3), bool), (2, 3, 4), SHAPE, several=False) == ()


@pytest.mark.parametrize("corner", [(0, 3, 4), (4, 3, 4), (2, 0, 4), (2, 6, 4), (2, 3, 0), (2, 3, 8)])
def test_a_finding_at_any_edge_may_be_cut_off(corner: tuple[int, int, int]) -> None:
    (flag,) = flags_of(np.ones((3, 3, 3), bool), corner, SHAPE, several=False)
    assert flag == "reaches the edge of the images and may go on beyond it"


def test_few_voxels_and_an_only_slice_are_told() -> None:
    few = np.ones((1, 5, 5), bool)
    assert flags_of(few, (2, 2, 3), SHAPE, several=False) == (
        f"is smaller than {FEW_VOXELS} voxels", "is seen on one slice only")


def test_lesions_that_share_a_finding_are_told() -> None:
    assert flags_of(np.ones((3, 3, 3), bool), (2, 3, 4), SHAPE, several=True) == ("is several small lesions together",)


def test_an_image_of_one_slice_has_neither_end_nor_neighbours() -> None:
    assert flags_of(np.ones((1, 6, 6), bool), (0, 2, 3), (1, 9, 11), several=False) == ()


def drawn(*rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows])


@pytest.mark.parametrize(("plane", "gap"), [
    (drawn("##...##", "##...##"), True),
    (drawn("##...##", "#######"), False),
    (drawn("##.....", "..#####"), False),  # over a corner they hang together, as in a lesion
    (drawn("############", "............", "......#....."), False),  # both ends lie in one of the two
    (drawn("#"), False),
])
@pytest.mark.parametrize("spacing", [Spacing(1, 1, 1), Spacing(5, 0.7, 0.3), Spacing(1, 1 / 3, 0.977)])
def test_a_line_from_one_part_to_another_is_told(plane: np.ndarray, gap: bool, spacing: Spacing) -> None:
    axes = in_plane_axes(plane[None], spacing).axes
    assert leads_across_a_gap(plane, axes.long) is gap
