"""Whether a peer takes what a profile wants to send it, and the nearest profile that it does take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from dicom_node.network.probe import Capabilities
from dicom_node.objects.profile import Profile

_REPORTS = ("comprehensive3d", "comprehensive", "enhanced")  # what says most first
_WORDS = {
    "seg": "segmentations",
    "labelmap": "LABELMAP segmentations",
    "comprehensive3d": "Comprehensive 3D SR",
    "comprehensive": "Comprehensive SR",
    "enhanced": "Enhanced SR",
    "capture": "secondary captures",
    "document": "encapsulated PDF",
    "key_objects": "key object selections",
    "presentation_state": "presentation states",
    "structure_set": "RT structure sets",
    "probability_map": "parametric maps",
    "uncertainty_map": "parametric maps",
}
_SWITCHES = ("presentation_state", "key_objects", "document", "structure_set", "probability_map", "uncertainty_map")


class Proposal(NamedTuple):
    """The nearest profile that a peer takes, None where it takes nothing of ours; and what it had to give up."""

    profile: Profile | None
    lacking: tuple[str, ...]


def propose(wanted: Profile, peer: Capabilities) -> Proposal:
    """`wanted` where the peer takes all of it; else what comes nearest, and a word for everything that differs."""
    plain = wanted.transfer_syntax if wanted.transfer_syntax == "implicit" else "explicit"
    usable = {name for name in _WORDS if peer.takes(name)}
    lacking = list(dict.fromkeys(_WORDS[name] for name in asked_of(wanted) if name not in usable))
    fields: dict[str, Any] = wanted.model_dump()
    if wanted.seg != "none":
        fields["seg"] = _first([wanted.seg, "binary"], usable, binary="seg", occupancy="seg")
    if fields["seg"] == "none":
        fields["fractional"] = False
    if wanted.reports:
        fields["sr"] = _first([wanted.sr, *_REPORTS], usable)
    if fields["sr"] == "none":
        fields["diameters"] = False
    for name in _SWITCHES:
        fields[name] = fields[name] and name in usable
    if wanted.captures != "none" and "capture" not in usable:
        fields["captures"] = "none"
    if fields["seg"] == "none" and wanted.seg != "none" and fields["captures"] == "none" and "capture" in usable:
        fields["captures"] = "all"  # a result that nobody could see otherwise
    if fields["sr"] == "none" and wanted.reports and "document" in usable:
        fields["document"] = True
    if any(name in usable and not peer.takes(name, ["rle"]) for name in _compressed_of(wanted)):
        lacking.append("segmentations in RLE Lossless")  # which are not decompressed on their way
        fields["transfer_syntax"] = "explicit"
    if usable and not any(peer.takes(name, [plain]) for name in usable):
        lacking.append(f"{plain} little endian")
        fields["transfer_syntax"] = "implicit" if plain == "explicit" else "explicit"
    if not Profile.model_construct(**fields).takes(("seg", "sr")):
        return Proposal(None, tuple(lacking))
    return Proposal(Profile.model_validate(fields), tuple(lacking))


def differences(profile: Profile) -> dict[str, Any]:
    """What a site writes to have this profile: what differs from the standard."""
    standard = Profile().model_dump()
    return {name: value for name, value in profile.model_dump().items()
            if name != "preset" and value != standard[name]}


def asked_of(profile: Profile) -> Iterator[str]:
    """The names of what a profile sends."""
    if profile.seg != "none":
        yield "labelmap" if profile.seg == "labelmap" else "seg"
        if profile.fractional and profile.seg == "labelmap":
            yield "seg"
    if profile.reports:
        yield profile.sr
    if profile.captures != "none":
        yield "capture"
    yield from (name for name in _SWITCHES if getattr(profile, name))


def _compressed_of(profile: Profile) -> Iterator[str]:
    """Those of them that it sends in RLE Lossless alone."""
    if profile.compressed and profile.seg != "none":
        yield "labelmap" if profile.seg == "labelmap" else "seg"
    if profile.fractional and profile.transfer_syntax == "rle":
        yield "seg"


def _first(candidates: list[str], usable: set[str], **names: str) -> str:
    """The first that the peer takes; `names` says by which name it is known there."""
    return next((one for one in candidates if names.get(one, one) in usable), "none")
