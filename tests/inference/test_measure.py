"""Findings: which voxels, which numbers, in which order."""

import numpy as np
import pytest

from inference import codes
from inference.measure import MAX_LESIONS, measure_findings, measure_totals, with_confidence
from inference.tasks import BRAIN_TUMOUR, LIVER_TUMOUR, LUNG_NODULE
from inference.trend import lesion_of
from inference.volume import Grid, Volume

GRID = Grid((20, 40, 40), np.array([[0, 0, 1, 0], [0, 1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1.0]]))


@pytest.fixture
def liver() -> tuple[np.ndarray, Volume]:
    """A liver with a large and a small tumour; every voxel's HU is its label times 50."""
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[2:18, 5:35, 5:35] = 1
    labels[4, 6:8, 6:8] = 2
    labels[8:12, 20:30, 20:26] = 2
    return labels, Volume(labels.astype(np.float32) * 50, GRID, "HU")


def values(finding) -> dict:
    return {(m.quantity, m.derivation): m.value for m in finding.measurements}


def test_lesions_are_split_and_numbered_from_the_largest(liver):
    labels, volume = liver
    measured = measure_findings(labels, LIVER_TUMOUR.structures, volume)
    assert [f.label for f in measured.findings] == ["Liver", "Liver tumour 1", "Liver tumour 2"]
    assert [f.number for f in measured.findings] == [1, 2, 3]
    assert [f.voxels for f in measured.findings] == [16 * 30 * 30 - 244, 240, 4]
    assert measured.labelmap.dtype == np.uint8
    assert measured.labelmap[10, 25, 22] == 2
    assert measured.labelmap[4, 6, 6] == 3


def test_every_voxel_of_the_label_map_belongs_to_one_finding(liver):
    labels, volume = liver
    measured = measure_findings(labels, LIVER_TUMOUR.structures, volume)
    assert np.array_equal(measured.labelmap > 0, labels > 0)
    for finding in measured.findings:
        mask = measured.labelmap == finding.number
        assert np.count_nonzero(mask) == finding.voxels
        assert (labels[mask] == finding.structure.label).all()


def test_quantities_are_right(liver):
    labels, volume = liver
    tumour = values(measure_findings(labels, LIVER_TUMOUR.structures, volume).findings[1])
    assert tumour[codes.VOLUME, None] == pytest.approx(0.48)
    assert tumour[codes.LONG_AXIS, None] == pytest.approx(np.hypot(10, 5), abs=0.5)
    assert tumour[codes.DIAMETER, codes.MAXIMUM] == pytest.approx(np.sqrt(10**2 + 5**2 + 7**2), abs=1)
    assert tumour[codes.ATTENUATION, codes.MEAN] == 100
    assert tumour[codes.ATTENUATION, codes.STANDARD_DEVIATION] == 0


def test_every_finding_has_the_same_quantities_in_the_same_order(liver):
    labels, volume = liver
    orders = {tuple((m.quantity, m.derivation, m.unit) for m in f.measurements)
              for f in measure_findings(labels, LIVER_TUMOUR.structures, volume).findings}
    assert len(orders) == 1
    assert next(iter(orders))[0] == (codes.VOLUME, None, codes.MILLILITRE)


def test_measurements_are_plain_finite_numbers(liver):
    labels, volume = liver
    for finding in measure_findings(labels, LIVER_TUMOUR.structures, volume).findings:
        assert all(type(m.value) is float and np.isfinite(m.value) for m in finding.measurements)


def test_absent_structures_give_no_finding_and_no_gap(liver):
    labels, volume = liver
    measured = measure_findings(np.where(labels == 2, 2, 0).astype(np.uint8), LIVER_TUMOUR.structures, volume)
    assert [(f.number, f.label) for f in measured.findings] == [(1, "Liver tumour 1"), (2, "Liver tumour 2")]


def test_nothing_found_is_a_result_without_findings(liver):
    labels, volume = liver
    measured = measure_findings(np.zeros_like(labels), LIVER_TUMOUR.structures, volume)
    assert measured.findings == ()
    assert not measured.labelmap.any()


def brain() -> np.ndarray:
    """Two tumours: a large one with all three regions, and a speck of oedema beside it."""
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[2:10, 2:20, 2:20] = 2
    labels[4:8, 6:14, 6:14] = 3
    labels[5:7, 8:12, 8:12] = 1
    labels[15:17, 30:33, 30:33] = 2
    return labels


def test_structures_that_are_not_per_lesion_stay_whole():
    labels = brain()
    volume = Volume(labels.astype(np.float32), GRID)
    core, oedema, _ = measure_findings(labels, BRAIN_TUMOUR.structures, volume).findings
    assert (oedema.label, oedema.voxels, oedema.lesion) == ("Oedema", np.count_nonzero(labels == 2), 0)
    assert (codes.MR_SIGNAL, codes.MEDIAN) in values(core)


def test_each_region_of_each_lesion_is_a_finding():
    labels = brain()
    volume = Volume(labels.astype(np.float32), GRID)
    measured = measure_findings(labels, BRAIN_TUMOUR.structures, volume, BRAIN_TUMOUR.regions)
    assert [(f.label, f.lesion, f.structure.label) for f in measured.findings] == [
        ("Lesion 1 necrotic core", 1, 1), ("Lesion 1 oedema", 1, 2), ("Lesion 1 enhancing tumour", 1, 3),
        ("Lesion 2 oedema", 2, 2),
    ]  # fmt: skip
    assert all(lesion_of(f.label) == f"Lesion {f.lesion}" for f in measured.findings), "who reads its name knows it"
    for finding in measured.findings:
        there = measured.labelmap == finding.number
        assert finding.voxels == np.count_nonzero(there)
        assert set(labels[there]) == {finding.structure.label}
    assert np.array_equal(measured.labelmap > 0, labels > 0)


def test_a_region_of_two_foci_says_that_its_long_axis_leads_from_one_to_the_other():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[4:12, 10:30, 4:36] = 2
    labels[6:9, 18:22, 6:10] = labels[6:9, 18:22, 30:34] = 3
    volume = Volume(np.zeros(GRID.shape, np.float32), GRID)
    oedema, enhancing = measure_findings(labels, BRAIN_TUMOUR.structures, volume, BRAIN_TUMOUR.regions).findings
    assert values(enhancing)[codes.LONG_AXIS, None] == pytest.approx(28.0, abs=0.5), "of foci of 4 mm"
    assert enhancing.flags == ("lies in several parts, and its long axis leads from one to another",)
    assert oedema.flags == ()


def test_an_organ_in_parts_has_no_such_flag():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[4:12, 10:30, 4:12] = labels[4:12, 10:30, 20:36] = 1
    (liver,) = measure_findings(labels, LIVER_TUMOUR.structures, Volume(np.zeros(GRID.shape), GRID, "HU")).findings
    assert liver.flags == ()


def test_beyond_the_limit_the_smallest_lesions_share_their_regions():
    labels = np.zeros((3, 60, 60), dtype=np.uint8)
    labels[1, ::3, ::5] = 2  # 240 single voxels
    labels[1, 0, 0] = 3
    measured = measure_findings(labels, BRAIN_TUMOUR.structures,
                                Volume(np.zeros(labels.shape, np.float32), Grid(labels.shape, np.eye(4))),
                                BRAIN_TUMOUR.regions)
    assert len(measured.findings) == MAX_LESIONS // 3
    assert measured.findings[-1].label == "Lesions 20 oedema"
    assert sum(f.voxels for f in measured.findings) == 240
    assert measured.notes == ("240 lesions were found; the 221 smallest are given as one.",)
    assert [f.count for f in measured.findings if f.lesion] == [1] * (len(measured.findings) - 1) + [221]


def test_beyond_the_limit_the_smallest_lesions_share_a_finding():
    labels = np.zeros((3, 60, 60), dtype=np.uint8)
    labels[1, ::3, ::5] = 2  # 240 single voxels
    volume = Volume(np.zeros(labels.shape, np.float32), Grid(labels.shape, np.eye(4)), "HU")
    measured = measure_findings(labels, LIVER_TUMOUR.structures, volume)
    assert len(measured.findings) == MAX_LESIONS
    assert measured.findings[-1].label == "Liver tumour, 181 small ones"
    assert sum(f.voxels for f in measured.findings) == 240
    assert measured.notes == ("240 lesions were found; the 181 smallest are given as one finding.",)
    assert [f.count for f in measured.findings] == [1] * (MAX_LESIONS - 1) + [181]


def lungs() -> tuple[np.ndarray, Grid]:
    """HU of a chest with both lungs."""
    shape = (60, 60, 80)
    grid = Grid(shape, np.array([[0, 0, 4, -158], [0, 4, 0, -118], [4, 0, 0, 0], [0, 0, 0, 1.0]]))
    z, y, x = np.indices(shape)
    hu = np.full(shape, -1000.0, dtype=np.float32)
    hu[((x - 40) / 38) ** 2 + ((y - 30) / 28) ** 2 < 1] = 40
    for middle in (24, 56):
        hu[((x - middle) / 12) ** 2 + ((y - 30) / 20) ** 2 + ((z - 30) / 28) ** 2 < 1] = -850
    return hu, grid


def test_nodules_know_their_side():
    hu, grid = lungs()
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[29:31, 29:31, 20:22] = labels[29:32, 29:32, 55:58] = 1
    hu[labels > 0] = 30
    findings = measure_findings(labels, LUNG_NODULE.structures, Volume(hu, grid, "HU")).findings
    assert [f.laterality for f in findings] == [codes.LEFT, codes.RIGHT]


def test_nodules_that_share_a_finding_are_on_no_side_together():
    hu, grid = lungs()
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[24:36:2, 24:36:2, 20:28:2] = labels[24:36:2, 24:36:2, 52:60:2] = 1
    *alone, shared = measure_findings(labels, LUNG_NODULE.structures, Volume(hu, grid, "HU")).findings
    assert {f.laterality for f in alone} == {codes.LEFT, codes.RIGHT}
    assert shared.count > 1
    assert shared.laterality is None


def test_without_lungs_in_the_picture_there_is_no_side():
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[5:8, 5:8, 5:8] = 1
    (nodule,) = measure_findings(labels, LUNG_NODULE.structures, Volume(labels.astype(np.float32), GRID, "HU")).findings
    assert nodule.laterality is None


def test_totals_are_unions_of_labels():
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[0, 0, :10], labels[0, 1, :20], labels[0, 2, :30] = 1, 2, 3
    totals = dict(measure_totals(labels, BRAIN_TUMOUR.totals, GRID))
    assert totals["Whole tumour"].value == pytest.approx(0.12)
    assert totals["Tumour core"].value == pytest.approx(0.08)
    assert totals["Whole tumour"].unit == codes.MILLILITRE


def test_labels_must_lie_on_the_volume(liver):
    _, volume = liver
    with pytest.raises(ValueError, match="do not lie"):
        measure_findings(np.zeros((2, 2, 2), np.uint8), LIVER_TUMOUR.structures, volume)


def test_each_lesion_knows_where_its_axes_and_its_centre_lie(liver):
    labels, volume = liver
    large, small = measure_findings(labels, LIVER_TUMOUR.structures, volume).findings[1:]
    assert large.axes.slice in range(8, 12)
    a, b = np.array(large.axes.long)
    for row, column in (a, b, np.mean(large.axes.short, axis=0)):
        assert 19.5 <= row <= 29.5
        assert 19.5 <= column <= 25.5
    assert np.linalg.norm(b - a) == pytest.approx(values(large)[codes.LONG_AXIS, None])  # pixels of 1 mm
    assert large.place.centre == pytest.approx((22.5, 24.5, 19.0))
    assert (large.place.first_slice, large.place.last_slice) == (8, 11)
    assert large.flags == ()
    assert small.flags == ("is smaller than 27 voxels", "is seen on one slice only")


def test_lesions_that_share_a_finding_have_no_length_and_no_axes():
    labels = np.zeros((3, 60, 60), dtype=np.uint8)
    labels[1, ::3, ::5] = 2
    volume = Volume(np.zeros(labels.shape, np.float32), Grid(labels.shape, np.eye(4)), "HU")
    *alone, shared = measure_findings(labels, LIVER_TUMOUR.structures, volume).findings
    assert all(f.axes is not None for f in alone)
    assert shared.axes is None
    assert {codes.LONG_AXIS, codes.SHORT_AXIS, codes.DIAMETER} <= {m.quantity for m in alone[0].measurements}
    assert {m.quantity for m in shared.measurements} == {codes.VOLUME, codes.ATTENUATION}, "from one to another is none"
    assert "is several small lesions together" in shared.flags


SLANT = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])[:, ::-1]


@pytest.mark.parametrize("axes", [np.eye(3)[:, ::-1] * [7.5, 0.4, 1.3], SLANT * [3, 0.9, 0.7]],
                         ids=["anisotropic", "oblique"])
def test_numbers_are_those_of_a_count_voxel_by_voxel(axes: np.ndarray) -> None:
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes, (-80.0, 12.5, -300.0)
    grid = Grid((12, 16, 18), affine)
    rng = np.random.default_rng(3)
    labels = np.zeros(grid.shape, np.uint8)
    labels[3:8, 4:9, 5:12] = 2
    labels[3, 4, 5:8] = labels[7, 8, 9:12] = 0
    volume = Volume(rng.normal(60, 20, grid.shape).astype(np.float32), grid, "HU")
    (tumour,) = measure_findings(labels, LIVER_TUMOUR.structures, volume).findings
    inside = [index for index in np.ndindex(grid.shape) if labels[index] == 2]
    hu = sorted(float(volume.array[index]) for index in inside)
    voxel_mm3 = abs(np.dot(np.cross(axes[:, 0], axes[:, 1]), axes[:, 2]))
    found = values(tumour)
    assert found[codes.VOLUME, None] == pytest.approx(len(inside) * voxel_mm3 / 1000)
    assert found[codes.ATTENUATION, codes.MEDIAN] == pytest.approx((hu[len(hu) // 2] + hu[(len(hu) - 1) // 2]) / 2)
    assert found[codes.ATTENUATION, codes.MINIMUM] == hu[0]
    assert found[codes.ATTENUATION, codes.MAXIMUM] == hu[-1]
    corners = [grid.to_lps(np.array(v) + d) for v in inside for d in (*np.eye(3) / 2, *-np.eye(3) / 2)]
    farthest = max(np.linalg.norm(np.array(corners) - corner, axis=1).max() for corner in corners)
    assert found[codes.DIAMETER, codes.MAXIMUM] == pytest.approx(farthest)
    assert tumour.place.centre == pytest.approx(tuple(np.mean([grid.to_lps(v) for v in inside], axis=0)))
    assert (tumour.place.first_slice, tumour.place.last_slice) == (3, 7)


def test_a_findings_confidence_is_the_mean_probability_of_its_voxels(liver):
    labels, volume = liver
    probability = np.where(labels == 2, 0.5, 0.25).astype(np.float16)
    probability[8:12, 20:30, 20:23] = 1.0  # one half of the larger tumour
    measured = measure_findings(labels, LIVER_TUMOUR.structures, volume)
    assert {f.confidence for f in measured.findings} == {None}
    assert [f.confidence for f in with_confidence(measured, probability).findings] == [0.25, 0.75, 0.5]
