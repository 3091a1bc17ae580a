"""Each object that a profile can want is described, and each code of our own is listed."""

from __future__ import annotations

from pathlib import Path

from dicom_node.conformance.created import MADE, created_objects, own_codes
from dicom_node.network.probe import STORED
from dicom_node.objects import codes
from dicom_node.settings import load


def test_every_sop_class_of_ours_is_described() -> None:
    assert {STORED[one.of] for one in MADE} == set(STORED.values())


def test_the_codes_of_our_own_are_listed_once() -> None:
    listed = [code for code, _, _ in own_codes()]
    assert {codes.ENTROPY.value, *(code.value for code in codes.OUTCOMES.values())} <= set(listed)
    assert len(listed) == len(set(listed))


def test_each_destination_is_told_with_what_it_gets(conf: Path) -> None:
    section = created_objects(load(conf))
    (table,) = [block for block in section.blocks if getattr(block, "caption", "") == "Objects by destination"]
    assert ("share", "Segmentation Storage", "Explicit VR Little Endian") in table.rows
