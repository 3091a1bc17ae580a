"""What a peer does not take is replaced by what comes nearest, and every difference is told."""

from __future__ import annotations

from typing import Any

import pytest

from dicom_node.destinations.proposal import differences, propose
from dicom_node.network.probe import STORED, Capabilities
from dicom_node.objects.profile import Profile

PLAIN = ("explicit", "implicit")


def peer(*names: str, syntaxes: tuple[str, ...] = PLAIN) -> Capabilities:
    return Capabilities(dict.fromkeys(names, syntaxes))


@pytest.mark.parametrize("wanted", ["standard", "ohif", "weasis", "images"])
def test_a_peer_that_takes_everything_gets_what_is_wanted(wanted: str) -> None:
    profile = Profile.model_validate(wanted)
    assert propose(profile, peer(*STORED)) == (profile, ())


@pytest.mark.parametrize(("wanted", "takes", "fields", "lacking"), [
    ({}, ["seg", "comprehensive"], {"sr": "comprehensive"}, ["Comprehensive 3D SR"]),
    ({}, ["seg", "enhanced"], {"sr": "enhanced"}, ["Comprehensive 3D SR"]),
    ({"seg": "labelmap"}, ["seg", "comprehensive3d"], {}, ["LABELMAP segmentations"]),
    ({}, ["capture", "document"], {"seg": "none", "sr": "none", "captures": "all", "document": True},
     ["segmentations", "Comprehensive 3D SR"]),
    ({"preset": "weasis"}, ["seg", "comprehensive3d", "document"], {"document": True},
     ["presentation states", "key object selections"]),
    ({"preset": "ohif"}, ["seg"], {"seg": "occupancy", "sr": "none", "measurements": False},
     ["Comprehensive 3D SR", "encapsulated PDF"]),
    ({"seg": "occupancy"}, ["capture", "comprehensive3d"], {"seg": "none", "captures": "all"}, ["segmentations"]),
    ({"measurements": False}, ["seg"], {"measurements": False}, []),
    ({"probability_map": True, "uncertainty_map": True}, ["seg", "comprehensive3d"], {}, ["parametric maps"]),
    ({"uncertainty_map": True}, ["seg", "comprehensive3d", "probability_map", "uncertainty_map"],
     {"uncertainty_map": True}, []),
])  # fmt: skip
def test_the_nearest_is_proposed(wanted: dict, takes: list[str], fields: dict[str, Any], lacking: list[str]) -> None:
    profile, told = propose(Profile.model_validate(wanted), peer(*takes))
    assert profile is not None
    assert differences(profile) == fields
    assert sorted(told) == sorted(lacking)


@pytest.mark.parametrize("wanted", [
    {"seg": "labelmap"}, {"seg": "occupancy"}, {"fractional": True}, {"seg": "labelmap", "fractional": True},
])  # fmt: skip
def test_what_is_sent_compressed_must_be_taken_compressed(wanted: dict[str, Any]) -> None:
    profile = Profile.model_validate(wanted | {"transfer_syntax": "rle"})
    assert propose(profile, peer(*STORED)) == (Profile.model_validate(wanted), ("segmentations in RLE Lossless",))
    assert propose(profile, peer(*STORED, syntaxes=(*PLAIN, "rle"))) == (profile, ())


@pytest.mark.parametrize("seg", ["binary", "none"])
def test_a_binary_segmentation_is_not_compressed(seg: str) -> None:
    profile = Profile.model_validate({"seg": seg, "transfer_syntax": "rle"})
    assert propose(profile, peer(*STORED)) == (profile, ())


def test_a_peer_of_one_syntax_gets_that() -> None:
    profile, told = propose(Profile(), peer(*STORED, syntaxes=("implicit",)))
    assert profile is not None
    assert profile.transfer_syntax == "implicit"
    assert told == ("explicit little endian",)


def test_a_peer_that_takes_nothing_of_ours_gets_no_profile() -> None:
    assert propose(Profile(), peer("presentation_state", syntaxes=("jpeg2000",))).profile is None
    assert propose(Profile(), peer()) == (None, ("segmentations", "Comprehensive 3D SR"))
