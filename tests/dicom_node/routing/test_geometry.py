"""Geometry from index headers."""

import pytest

from dicom_node.routing.geometry import Plane, geometry_of


def headers(series):
    return [{**i.header, "SOPInstanceUID": i.sop_instance_uid} for i in series]


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_planes(scanner, plane):
    assert geometry_of(headers(scanner.ct(slices=30, plane=plane))).plane == plane


def test_lengths_are_in_mm(scanner):
    geometry = geometry_of(headers(scanner.ct(slices=40, spacing=2.5, fov=384)))
    assert (geometry.slices, geometry.coverage_mm, geometry.spacing_mm) == (40, 100.0, 2.5)
    assert (geometry.fov_mm, geometry.in_plane_mm, geometry.voxel_mm) == (384.0, 1.5, 2.5)
    assert geometry.problem == ""


def test_instances_are_told_in_slice_order(scanner):
    series = scanner.ct(slices=5)
    mixed = [series[k] for k in (3, 0, 4, 1, 2)]
    assert geometry_of(headers(mixed)).sop_instance_uids == tuple(i.sop_instance_uid for i in series)


def test_a_head_tilted_along_the_skull_base_is_axial_and_beyond_30_degrees_oblique(scanner):
    leaning = [1, 0, 0, 0, 0.9063, 0.4226]  # 25 degrees
    steep = [1, 0, 0, 0, 0.7660, 0.6428]  # 40 degrees
    assert geometry_of(headers(scanner.mr(slices=9, ImageOrientationPatient=leaning))).plane is Plane.AXIAL
    assert geometry_of(headers(scanner.mr(slices=9, ImageOrientationPatient=steep))).plane is Plane.OBLIQUE


def test_a_three_plane_localizer_is_mixed_and_no_volume(scanner):
    planes = [headers(scanner.mr(slices=3, plane=plane)) for plane in ("axial", "coronal", "sagittal")]
    geometry = geometry_of([header for plane in planes for header in plane])
    assert geometry.plane is Plane.MIXED
    assert geometry.slices == 9
    assert "orientation" in geometry.problem


def test_missing_slices_are_named(scanner):
    geometry = geometry_of(headers(scanner.ct(slices=0, positions=[0, 1, 2, 5, 6, 7])))
    assert "image 3 and image 4" in geometry.problem
    assert len(geometry.sop_instance_uids) == 6, "whoever reads them says so again"
    assert geometry.coverage_mm is None
    assert geometry.slices == 6


def test_an_enhanced_image_is_as_many_slices_as_it_has_frames(scanner):
    shared = {"orientation": [1, 0, 0, 0, 1, 0], "spacing": [0.8, 0.8]}
    frames = [{"position": [0, 0, 2.0 * k]} | shared for k in range(60)]
    geometry = geometry_of(headers(scanner.ct(slices=1, Frames=frames, NumberOfFrames=60)))
    assert (geometry.slices, geometry.coverage_mm) == (60, 120.0)
    assert len(geometry.sop_instance_uids) == 1


@pytest.mark.parametrize(
    "header", [{}, {"ImagePositionPatient": ["a", "b"], "ImageOrientationPatient": "1"}, {"Rows": "many"}]
)
def test_headers_without_a_place_tell_so(header):
    geometry = geometry_of([header, header])
    assert geometry.plane is Plane.UNKNOWN
    assert geometry.problem


def test_no_images_no_geometry():
    assert geometry_of([]).problem


def test_time_points_at_the_same_places_are_one_volume(scanner):
    early = scanner.mr(slices=20, TemporalPositionIdentifier=1)
    late = scanner.mr(slices=20, TemporalPositionIdentifier=2)
    geometry = geometry_of(headers(early + late))
    assert geometry.slices == 20
    assert geometry.sop_instance_uids == tuple(i.sop_instance_uid for i in late)
    assert any("TemporalPositionIdentifier" in note for note in geometry.notes)
