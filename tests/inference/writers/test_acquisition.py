"""UIDs and presets. The other parts (inference.writers.modules, inference.writers.single_frame,
inference.writers.enhanced, inference.writers.enhanced_technique) are tested by the series they write."""

import re

import pytest

from inference.writers.acquisition import MR_TECHNIQUES, Acquisition, StudyDetails, uid_of


def test_the_same_parts_give_the_same_uid_and_others_another():
    assert uid_of("a", 1) == uid_of("a", 1)
    assert len({uid_of("a", n) for n in range(100)}) == 100


def test_a_uid_is_well_formed():
    for n in range(200):
        uid = uid_of(n)
        assert len(uid) <= 64
        assert re.fullmatch(r"2\.25\.(0|[1-9][0-9]*)", uid)


def test_series_of_a_study_share_study_and_frame_of_reference():
    study = StudyDetails.of("x")
    ct, mr = Acquisition.ct(study), Acquisition.mr(study, "T2")
    assert ct.study is mr.study
    assert ct.frame_of_reference_uid == mr.frame_of_reference_uid
    assert ct.series_instance_uid != mr.series_instance_uid


@pytest.mark.parametrize("weighting", MR_TECHNIQUES)
def test_only_the_contrast_series_has_contrast(weighting):
    agent = Acquisition.mr(StudyDetails.of("x"), weighting).contrast_agent
    assert bool(agent) == (weighting == "T1ce")


def test_presets_can_be_changed():
    assert Acquisition.ct(StudyDetails.of("x"), series_description="Thorax 1.0").series_description == "Thorax 1.0"
