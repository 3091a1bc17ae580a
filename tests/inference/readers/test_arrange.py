"""Which headers make one volume, which are told apart, which are refused and why."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from inference.errors import BadGeometry
from inference.readers.arrange import MAX_VOXELS, TOLERANCE_MM, arrange
from inference.readers.headers import SliceHeader

Stack = Callable[..., list[SliceHeader]]


@pytest.fixture
def stack() -> Stack:
    """Makes `count` axial slices from `z`, `step` mm apart; keywords change every header."""

    def make(count: int = 10, z: float = 0.0, step: float = 2.0, first: int = 1, **changes) -> list[SliceHeader]:
        return [replace(SliceHeader(f"1.2.{first + i}", number=first + i, series_instance_uid="1.2",
                                    frame_of_reference_uid="1.3", rows=8, columns=9,
                                    position=(0.0, 0.0, z + i * step), orientation=(1, 0, 0, 0, 1, 0),
                                    spacing=(0.5, 0.7)), **changes) for i in range(count)]

    return make


def uids(headers) -> list[str]:
    return [header.sop_instance_uid for header in headers]


def moved(header: SliceHeader, by: tuple[float, float, float]) -> SliceHeader:
    return replace(header, position=tuple(np.add(header.position, by)))


def test_sorts_along_the_normal_whatever_the_numbering(stack):
    slices = stack()
    shuffled = [slices[i] for i in (3, 0, 9, 5, 1, 2, 8, 4, 7, 6)]
    arrangement = arrange(shuffled)
    assert uids(arrangement.slices) == uids(slices)
    assert arrangement.notes == ()


def test_the_grid_is_the_one_that_the_headers_describe(stack):
    grid = arrange(stack()).grid
    assert grid.shape == (10, 8, 9)
    assert grid.spacing == pytest.approx((2.0, 0.5, 0.7))
    assert grid.to_lps((4, 2, 3)) == pytest.approx((2.1, 1.0, 8.0))
    assert grid.frame_of_reference_uid == "1.3"


def test_the_slice_axis_points_along_row_cross_column(stack):
    coronal = [replace(s, position=(0, float(i), 0), orientation=(1, 0, 0, 0, 0, -1)) for i, s in enumerate(stack())]
    grid = arrange(coronal[::-1]).grid
    row, column, slices = grid.directions[:, 2], grid.directions[:, 1], grid.directions[:, 0]
    assert np.cross(row, column) == pytest.approx(slices)


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_regular(stack):
    slices = [replace(s, position=(0, 0, round(s.position[2], 1))) for s in stack(count=80, step=0.625)]
    assert arrange(slices).grid.spacing.z == pytest.approx(0.625, abs=2e-3)


def test_missing_slices_are_named(stack):
    slices = stack()
    with pytest.raises(BadGeometry, match=r"missing: between image 4 and image 7 \(6\.00 mm\)"):
        arrange(slices[:4] + slices[6:])


def test_uneven_spacing_is_named(stack):
    slices = stack()
    slices[5] = moved(slices[5], (0, 0, 0.4))
    with pytest.raises(BadGeometry, match="unevenly spaced: between image 5 and image 6"):
        arrange(slices)


def test_a_displacement_within_tolerance_is_accepted(stack):
    slices = stack()
    slices[5] = moved(slices[5], (0, 0, TOLERANCE_MM / 2))
    assert arrange(slices).grid.spacing.z == pytest.approx(2.0)


def test_slices_that_wander_sideways_are_refused(stack):
    slices = stack()
    slices[5] = moved(slices[5], (0, 3.0, 0))
    with pytest.raises(BadGeometry, match="straight row"):
        arrange(slices)


def test_gantry_tilt_becomes_a_sheared_grid(stack):
    slices = [moved(s, (0, 0.5 * i, 0)) for i, s in enumerate(stack())]
    arrangement = arrange(slices)
    for k, header in enumerate(arrangement.slices):
        assert arrangement.grid.to_lps((k, 0, 0)) == pytest.approx(header.position)
    assert "lean by 14.0 degrees" in arrangement.notes[0]


def test_time_points_are_separated_and_the_last_complete_one_is_used(stack):
    points = [stack(first=1 + 100 * t, moments={"TemporalPositionIdentifier": t}) for t in (1, 2, 3)]
    arrangement = arrange(points[1] + points[2][:7] + points[0])
    assert uids(arrangement.slices) == uids(points[1])
    assert "TemporalPositionIdentifier" in arrangement.notes[0]


def test_acquisitions_on_other_extents_are_separated(stack):
    chest, abdomen = stack(20, moments={"AcquisitionNumber": 1}), stack(12, 30.0, first=50,
                                                                       moments={"AcquisitionNumber": 2})
    assert uids(arrange(chest + abdomen).slices) == uids(chest)


def test_one_acquisition_number_more_does_not_split_a_helix(stack):
    slices = stack(6, moments={"AcquisitionNumber": 1}) + stack(6, 12.0, first=7, moments={"AcquisitionNumber": 2})
    assert len(arrange(slices).slices) == 12


def test_a_gap_between_acquisitions_is_no_reason_to_take_half(stack):
    slices = stack(6, moments={"AcquisitionNumber": 1}) + stack(6, 30.0, first=7, moments={"AcquisitionNumber": 2})
    with pytest.raises(BadGeometry, match="missing"):
        arrange(slices)


@pytest.mark.parametrize("keyword", ["AcquisitionNumber", "AcquisitionTime", "ContentTime", "TriggerTime"])
@pytest.mark.parametrize("moment", [41, 999])
def test_one_image_is_no_set_although_each_has_a_moment_of_its_own(stack, keyword, moment):
    slices = [replace(header, moments={keyword: header.number}) for header in stack(100)]
    again = replace(slices[40], sop_instance_uid="1.2.999", number=999, moments={keyword: moment})
    arrangement = arrange([*slices, again])
    assert len(arrangement.slices) == 100
    assert arrangement.repeats == ((slices[40], again),)  # told apart by their pixels, or refused for them


def test_two_breath_holds_that_share_a_slice_are_not_cut_to_one(stack):
    upper = stack(60, moments={"AcquisitionNumber": 1})
    lower = stack(60, z=118.0, first=100, moments={"AcquisitionNumber": 2})
    arrangement = arrange([*upper, *lower])
    assert len(arrangement.slices) == 119
    assert arrangement.repeats == ((upper[-1], lower[0]),)


def test_simultaneous_slices_are_no_volume(stack):
    """Multi-band slices share their time; a set of every fifth slice must not pass as the series."""
    twice = [replace(s, moments={"AcquisitionTime": f"{i % 5}{r}"}, sop_instance_uid=f"{s.sop_instance_uid}.{r}")
             for r in (0, 1) for i, s in enumerate(stack(20))]
    arrangement = arrange(twice)
    assert len(arrangement.slices) == 20
    assert len(arrangement.repeats) == 20


def test_different_kinds_of_image_at_the_same_places_are_refused(stack):
    slices = stack(moments={"ImageType": "W"}) + stack(first=20, moments={"ImageType": "F"})
    with pytest.raises(BadGeometry, match="2 different kinds of image"):
        arrange(slices)


def test_repeats_that_nothing_tells_apart_are_left_to_who_has_the_pixels(stack):
    slices = stack()
    other = replace(slices[4], sop_instance_uid="9.9", number=99)
    arrangement = arrange([*slices, other])
    assert uids(arrangement.slices) == uids(slices)
    assert [(kept.sop_instance_uid, extra.sop_instance_uid) for kept, extra in arrangement.repeats] == [
        (slices[4].sop_instance_uid, "9.9")]


def test_one_uid_twice_counts_once(stack):
    arrangement = arrange(stack() + stack()[:3])
    assert len(arrangement.slices) == 10
    assert "came twice" in arrangement.notes[0]


def test_a_scout_in_the_series_is_left_out_with_a_note(stack):
    scout = replace(stack(1, first=77)[0], orientation=(0, 1, 0, 0, 0, -1))
    arrangement = arrange([scout, *stack()])
    assert len(arrangement.slices) == 10
    assert arrangement.notes == ("1 images of another orientation or size were left out.",)


def test_a_three_plane_localizer_is_refused(stack):
    planes = [(1, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, -1), (0, 1, 0, 0, 0, -1)]
    slices = [s for i, plane in enumerate(planes) for s in stack(3, first=10 * i, orientation=plane)]
    with pytest.raises(BadGeometry, match="3 orientations"):
        arrange(slices)


@pytest.mark.parametrize("broken", [{"position": None}, {"orientation": None}, {"spacing": None},
                                    {"orientation": (1, 0, 0, 1, 0, 0)}, {"spacing": (0.0, 1.0)}, {"rows": 0}])
def test_images_without_a_place_are_refused(stack, broken):
    with pytest.raises(BadGeometry, match="where it lies"):
        arrange(stack(**broken))


def test_no_slices_are_refused():
    with pytest.raises(BadGeometry):
        arrange([])


def test_a_single_slice_takes_its_thickness_from_the_header(stack):
    arrangement = arrange(stack(1, thickness=5.0))
    assert arrangement.grid.spacing.z == pytest.approx(5.0)
    assert "single slice" in arrangement.notes[0]


def test_voxels_in_metres_are_refused_with_their_size(stack):
    with pytest.raises(BadGeometry, match=r"0\.001 x 0\.0005 x 0\.0005 mm"):
        arrange(stack(1, spacing=(0.0005, 0.0005), thickness=0.001))


def test_a_series_too_large_for_memory_is_refused_by_its_headers(stack):
    side = int(np.sqrt(MAX_VOXELS // 9)) + 1
    with pytest.raises(BadGeometry, match="too large"):
        arrange(stack(10, rows=side, columns=side))


def test_many_frames_are_arranged(stack):
    frames = [replace(s, sop_instance_uid="1.5", frame=i) for i, s in enumerate(stack(2000, step=0.5), start=1)]
    assert [s.frame for s in arrange(frames[::-1]).slices] == list(range(1, 2001))
