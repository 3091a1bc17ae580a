import numpy as np
import pytest

from inference.fitness import check_ct_units, check_liver, lung_volume_ml
from inference.phantom.liver_tumour import make_liver_tumour
from inference.transforms.geometry import canonical


def test_the_case_passes_for_an_abdomen_and_for_no_chest(abdomen_case):
    volume = abdomen_case.volumes["CT"]
    check_ct_units(volume)
    check_liver(volume)
    assert lung_volume_ml(volume) < 1500


def test_truth_is_liver_with_tumours_inside(abdomen_case):
    assert set(np.unique(abdomen_case.truth)) == {0, 1, 2}
    tumour_ml = (abdomen_case.truth == 2).sum() * abdomen_case.grid.voxel_ml
    assert sum(lesion.volume_ml for lesion in abdomen_case.lesions) == pytest.approx(tumour_ml)
    assert max(lesion.diameter_mm for lesion in abdomen_case.lesions) >= 10


def test_tumours_differ_from_the_liver_less_than_noise_and_organs_do(abdomen_case):
    hu, truth = abdomen_case.volumes["CT"].array, abdomen_case.truth
    difference = np.median(hu[truth == 2]) - np.median(hu[truth == 1])
    assert -90 < difference < -20
    band = (hu < np.median(hu[truth == 1]) - 20) & (hu > 20)
    assert band[truth == 0].sum() > 20 * (truth == 2).sum()


def test_the_liver_is_on_the_patient_s_right(abdomen_case):
    places = abdomen_case.grid.to_lps(np.argwhere(abdomen_case.truth[::3, ::4, ::4]) * (3, 4, 4))
    assert places[:, 0].mean() < -20


def test_lesions_lie_where_they_are_said_to(abdomen_case):
    lesion = max(abdomen_case.lesions, key=lambda lesion: lesion.volume_ml)
    z, y, x = np.rint(abdomen_case.grid.to_index(lesion.centre)).astype(int)
    assert abdomen_case.truth[z, y, x] == 2


def test_the_study_has_a_series_that_no_model_may_take(abdomen_case):
    (decoy,) = abdomen_case.decoys
    assert decoy.acquisition.image_type[0] == "DERIVED"
    assert decoy.acquisition.series_instance_uid != abdomen_case.acquisitions["CT"].series_instance_uid
    assert np.abs(canonical(decoy.volume).grid.directions - np.eye(3)[::-1]).max() < 1e-9


def test_the_same_seed_is_the_same_patient(abdomen_case):
    again = make_liver_tumour(abdomen_case.seed)
    assert np.array_equal(abdomen_case.volumes["CT"].array, again.volumes["CT"].array)
    assert np.array_equal(abdomen_case.truth, again.truth)
