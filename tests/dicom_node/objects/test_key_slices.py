"""Which slices are shown where not all can be."""

from __future__ import annotations

from dicom_node.objects.key_slices import key_slices
from dicom_node.objects.painting import Segment

ORGAN = Segment(1, "Liver", (221, 130, 101), lesion=False, in_lung=False)
SMALL = Segment(2, "Liver tumour 1", (255, 0, 200), lesion=True, in_lung=False)
LARGE = Segment(3, "Liver tumour 2", (255, 0, 200), lesion=True, in_lung=False)
AREAS = {
    "a": {1: 500},
    "b": {1: 300, 2: 4},
    "c": {1: 300, 2: 9},
    "d": {1: 100, 3: 50},
    "e": {1: 100, 2: 1, 3: 40},
}


def chosen(count: int) -> list[str]:
    return key_slices(AREAS, (ORGAN, SMALL, LARGE), count)


def test_each_lesions_largest_slice_comes_first_and_the_largest_lesion_before_all() -> None:
    assert chosen(2) == ["d", "c"]


def test_then_the_organs_largest_then_those_richest_in_segments() -> None:
    assert chosen(5) == ["d", "c", "a", "e", "b"]


def test_a_slice_that_shows_two_at_their_largest_is_taken_once() -> None:
    assert key_slices({"a": {2: 9, 3: 50}, "b": {2: 1}}, (SMALL, LARGE), 9) == ["a", "b"]


def test_without_findings_there_is_none() -> None:
    assert key_slices({}, (), 12) == []
