"""Who stands in for whom, and which tables of alternatives are wrong."""

from __future__ import annotations

import pytest

from dicom_node.destinations.alternatives import chain, problems, stood_in_by
from dicom_node.destinations.folder import FolderDestination
from inference.findings import IntendedUse


def places(**alternatives: str | None) -> dict[str, FolderDestination]:
    return {
        name: FolderDestination(kind="folder", path="out", alternative=other, alternative_after_s=60.0 * (1 + number))
        for number, (name, other) in enumerate(alternatives.items())
    }


def test_a_chain_ends_with_who_has_no_alternative() -> None:
    assert list(chain("a", places(a="b", b="c", c=None))) == ["b", "c"]


@pytest.mark.parametrize("known", [places(a="b", b="a"), places(a="b", b="gone"), places(a="b", b="b")])
def test_a_chain_ends_before_what_is_unknown_or_comes_again(known: dict[str, FolderDestination]) -> None:
    assert list(chain("a", known)) == ["b"]


def test_all_before_it_must_be_down_for_their_time() -> None:
    known = places(a="b", b="c", c=None)
    assert stood_in_by("c", known) == {"a": {"a": 60.0, "b": 120.0}, "b": {"b": 120.0}}
    assert stood_in_by("b", known) == {"a": {"a": 60.0}}
    assert stood_in_by("a", known) == {}


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (places(a="b", b=None), []),
        (places(a="x"), [("a", "names alternative 'x'; known: a")]),
        (places(a="a"), [("a", "is in the end its own alternative, through a")]),
    ],
)
def test_what_is_wrong_is_told(known: dict[str, FolderDestination], told: list[tuple[str, str]]) -> None:
    assert list(problems(known)) == told


def test_everybody_in_a_circle_is_told() -> None:
    assert [name for name, _ in problems(places(a="b", b="a"))] == ["a", "b"]


def test_who_stands_in_accepts_at_least_the_same() -> None:
    known = places(a="b", b=None)
    wide = (IntendedUse.CLINICAL, IntendedUse.RESEARCH)
    known["a"] = known["a"].model_copy(update={"accepts": wide})
    assert list(problems(known)) == [("a", "accepts research, its alternative b does not")]
