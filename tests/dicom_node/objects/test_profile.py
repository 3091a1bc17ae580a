"""A profile is a preset and what a site says over it; equal profiles are one, however they were said."""

import pytest
from pydantic import ValidationError

from dicom_node.objects.profile import PRESETS, Profile


def test_a_name_alone_is_a_preset() -> None:
    assert Profile.model_validate("ohif") == Profile.model_validate({"preset": "ohif"})
    assert Profile.model_validate("ohif").diameters


def test_what_is_said_beside_a_preset_rules() -> None:
    profile = Profile.model_validate({"preset": "images", "captures": "key", "sr": "enhanced"})
    assert (profile.seg, profile.captures, profile.sr, profile.document) == ("none", "key", "enhanced", True)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_valid(preset: str) -> None:
    assert Profile.model_validate(preset).preset == preset


def test_objects_of_equal_profiles_are_the_same_objects() -> None:
    assert Profile().variant == ""
    assert Profile.model_validate("slicer").variant == "", "Slicer needs nothing but the standard"
    said = Profile.model_validate({"seg": "occupancy", "measurements": False, "diameters": True, "document": True})
    assert said.variant == Profile.model_validate("ohif").variant != ""


@pytest.mark.parametrize(("wrong", "told"), [
    ({"seg": "none", "sr": "none"}, "no object at all"),
    ({"seg": "none", "measurements": False}, "no object at all"),
    ({"seg": "labelmap", "seg_per": "segment"}, "a labelmap holds all segments"),
    ({"preset": "horos"}, "preset"),
    ({"segs": "binary"}, "segs"),
])  # fmt: skip
def test_a_profile_that_cannot_be_is_refused(wrong: dict, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Profile.model_validate(wrong)


def test_a_profile_knows_what_it_takes_of_a_route() -> None:
    assert Profile().takes(["sr"])
    assert not Profile(sr="none").takes(["sr"])
    assert not Profile(measurements=False).takes(["sr"])
    assert Profile(measurements=False, diameters=True).takes(["sr"])
    assert Profile.model_validate("images").takes(["seg"])
