import numpy as np
import pytest

from inference.phantom import make_case
from inference.phantom.brain import make_brain_case
from inference.phantom.brain_tumour import NECROSIS, OEDEMA, plan_foci

ROLES = ["T1", "T1ce", "T2", "FLAIR"]


def test_the_four_contrasts_lie_on_their_own_grids_in_one_frame_of_reference(brain_case):
    assert list(brain_case.volumes) == ROLES
    assert list(brain_case.acquisitions) == ROLES
    grids = [v.grid for v in brain_case.volumes.values()]
    assert len({g.shape for g in grids}) == 4
    assert len({g.frame_of_reference_uid for g in grids}) == 1


def test_grids_are_right_handed(brain_case):
    for volume in brain_case.volumes.values():
        slices, rows, columns = volume.grid.directions.T
        assert np.dot(np.cross(columns, rows), slices) == pytest.approx(1)


def test_truth_lies_on_the_primary_grid_and_names_its_lesions(brain_case):
    assert brain_case.primary == "T1ce"
    assert brain_case.truth.dtype == np.uint8
    assert set(np.unique(brain_case.truth)) <= {0, 1, 2, 3}
    core = np.isin(brain_case.truth, (1, 3)).sum() * brain_case.grid.voxel_ml
    assert sum(lesion.volume_ml for lesion in brain_case.lesions) == pytest.approx(core)
    largest = max(brain_case.lesions, key=lambda lesion: lesion.volume_ml)
    assert 5 < largest.diameter_mm < 120


def test_tumour_parts_look_as_they_do_in_each_contrast(brain_case):
    enhanced = brain_case.volumes["T1ce"].array
    assert np.median(enhanced[brain_case.truth == 3]) > 1.2 * np.median(enhanced[brain_case.truth == 2])


def test_the_patient_moves_between_series_by_a_few_millimetres_at_most(brain_case):
    assert sorted(brain_case.motion) == ["FLAIR", "T1", "T2"]
    for moved in brain_case.motion.values():
        assert np.allclose(moved[:3, :3] @ moved[:3, :3].T, np.eye(3))
        points = np.array([[60.0, 0, 0, 1], [0, 80, 0, 1], [0, 0, 60, 1]])
        shift = np.linalg.norm((points @ moved.T - points)[:, :3], axis=1)
        assert 0 < shift.max() < 20


def test_the_same_seed_is_the_same_case(brain_case):
    again = make_brain_case(3)
    assert np.array_equal(again.truth, brain_case.truth)
    assert np.array_equal(again.volumes["FLAIR"].array, brain_case.volumes["FLAIR"].array)
    assert again.acquisitions["T2"] == brain_case.acquisitions["T2"]


def test_acquisitions_say_what_tells_the_contrasts_apart(brain_case):
    by_role = brain_case.acquisitions
    assert by_role["T1ce"].contrast_agent
    assert not by_role["T1"].contrast_agent
    assert by_role["FLAIR"].technique.inversion_time > 1550
    assert by_role["T2"].technique.echo_time > 60
    assert by_role["T2"].technique.inversion_time is None
    assert len({a.series_number for a in by_role.values()}) == 4


def test_decoys_are_derived_series_of_the_same_study(brain_case):
    study = brain_case.acquisitions["T1ce"].study
    assert brain_case.decoys
    for decoy in brain_case.decoys:
        assert decoy.acquisition.study == study
        assert decoy.acquisition.image_type[0] == "DERIVED"


def test_patients_have_none_one_or_several_tumours_small_and_large_and_some_do_not_enhance():
    plans = [plan_foci(np.random.default_rng(seed)) for seed in range(400)]
    counts = np.bincount([len(foci) for foci in plans])
    assert counts[0] > 12
    assert counts[1] > 250
    assert counts[2:].sum() > 30
    first = [foci[0] for foci in plans if foci]
    assert min(f.radius for f in first) < 10
    assert max(f.radius for f in first) > 28
    assert 0.12 < np.mean([not f.enhances for f in first]) < 0.3


def test_a_task_without_phantom_is_unknown():
    with pytest.raises(KeyError):
        make_case("knee", 1)


def test_a_faint_glioma_is_another_patient_of_the_same_task(drawn_case, brain_case):
    faint = drawn_case("faint_glioma", 3)
    assert (faint.task, list(faint.volumes)) == ("brain_tumour", ROLES)
    assert faint.acquisitions["T1"].study.patient.patient_id == "PHANTOM-faint_glioma3"
    assert faint.truth.any()
    assert faint.truth.shape != brain_case.truth.shape or (faint.truth != brain_case.truth).any()


def test_nothing_enhances_in_a_silent_glioma_and_oedema_lies_around_it(drawn_case):
    silent = drawn_case("silent_glioma", 3)
    assert silent.acquisitions["T1"].study.patient.patient_id == "PHANTOM-silent_glioma3"
    assert set(np.unique(silent.truth)) == {0, NECROSIS, OEDEMA}
