"""Every gate of matching, on balls whose truth is known; a wrong match is worse than none."""

from collections import Counter

import numpy as np
import pytest

from inference import codes
from inference.followup.match import Side, match
from inference.followup.register import NotRegistered
from inference.trend import Outcome
from inference.volume import Spacing

A, B, C = (30.0, 30.0, 50.0), (55.0, 30.0, 50.0), (110.0, 80.0, 40.0)


def moved(centre, *by):
    return tuple(np.add(centre, by))


@pytest.fixture
def follow(balls, ground, laid):
    """Matches two drawn time points; the answer, after looking that every lesion has exactly one link."""

    def run(prior, current, registration=None, prior_grid=None, current_grid=None):
        before, now = balls(prior, prior_grid or ground), balls(current, current_grid or ground)
        found = match(Side(before, prior_grid or ground), Side(now, current_grid or ground), registration or laid())
        assert Counter(uid for link in found.links for uid in link.prior) == Counter(lesion.uid for lesion in before)
        assert Counter(uid for link in found.links for uid in link.current) == Counter(lesion.uid for lesion in now)
        return found

    return run


def outcomes(found):
    return {(link.outcome, link.prior, link.current) for link in found.links}


def test_a_lesion_that_stayed_is_matched_and_keeps_its_identity(follow):
    found = follow({"A": (A, 8)}, {"1": (A, 8)})
    assert found.handed_on == {"1": "A"}
    (pair,) = found.links[0].pairs
    assert (pair.distance_mm, pair.overlap, pair.dice, pair.volume_ratio, pair.cost) == pytest.approx((0, 1, 1, 1, 0))
    assert pair.runner_up is None


def test_the_map_of_the_registration_is_followed(follow, laid):
    found = follow({"A": (A, 8), "C": (C, 8)}, {"1": (moved(A, 20, 10, -5), 8), "2": (moved(C, 20, 10, -5), 8)},
                   laid((20, 10, -5)))
    assert found.handed_on == {"1": "A", "2": "C"}
    assert all(link.pairs[0].distance_mm < 0.1 for link in found.links)


@pytest.mark.parametrize("radius", [4, 15.5])
def test_growth_and_shrinking_do_not_break_a_match(follow, radius):
    found = follow({"A": (A, 8)}, {"1": (moved(A, 2, 0, 1), radius)})
    assert found.handed_on == {"1": "A"}
    assert found.links[0].pairs[0].volume_ratio == pytest.approx((radius / 8) ** 3, rel=0.05)


def test_similar_neighbours_are_not_swapped(follow, laid):
    """Two equal lesions that nearly touch, the registration 5 mm off towards the wrong one."""
    near = moved(A, 17.5, 0, 0)
    found = follow({"A": (A, 8), "B": (near, 8)}, {"1": (near, 8), "2": (A, 8)}, laid((5, 0, 0)))
    assert found.handed_on == {"1": "B", "2": "A"}
    tempted = next(link.pairs[0] for link in found.links if link.prior == ("A",))
    assert tempted.cost < 0.6 * tempted.runner_up


def test_halfway_between_two_similar_lesions_nothing_is_matched(follow):
    found = follow({"A": (A, 6)}, {"1": (moved(A, -7, 0, 0), 6), "2": (moved(A, 7, 0, 0), 6)})
    assert outcomes(found) == {(Outcome.AMBIGUOUS, ("A",), ("1", "2"))}
    assert found.handed_on == {}
    assert [pair.current for pair in found.links[0].pairs] == ["1", "2"]
    assert "nearly as good" in found.links[0].reason


def test_two_prior_lesions_that_one_could_have_been_are_ambiguous_too(follow):
    found = follow({"A": (moved(A, -7, 0, 0), 6), "B": (moved(A, 7, 0, 0), 6)}, {"1": (A, 6)})
    assert outcomes(found) == {(Outcome.AMBIGUOUS, ("A", "B"), ("1",))}


def test_a_row_of_lesions_half_a_step_off_is_left_open(follow, laid):
    row = {uid: (moved(A, 16 * n, 0, 0), 6) for n, uid in enumerate("ABC")}
    found = follow(row, dict(zip("123", row.values(), strict=True)), laid((8, 0, 0)))
    assert found.handed_on == {}


def test_what_is_settled_is_no_rival(follow):
    """B is surely 2, so A can only be 1, though 2 lies as near to it."""
    settled = (moved(A, 8.5, 4, 0), 4)
    found = follow({"A": (A, 6), "B": settled}, {"1": (moved(A, -5, 0, 0), 6), "2": settled})
    assert found.handed_on == {"1": "A", "2": "B"}


def test_a_split_is_said_and_not_forced(follow):
    found = follow({"A": (A, 14), "C": (C, 8)},
                   {"1": (moved(A, -7, 0, 0), 5), "2": (moved(A, 7, 0, 0), 6), "3": (C, 8)})
    assert outcomes(found) == {(Outcome.SPLIT, ("A",), ("1", "2")), (Outcome.MATCHED, ("C",), ("3",))}
    assert found.handed_on == {"3": "C"}


def test_a_merge_is_said_and_not_forced(follow):
    found = follow({"A": (moved(A, -7, 0, 0), 5), "B": (moved(A, 7, 0, 0), 6)}, {"1": (A, 14)})
    assert outcomes(found) == {(Outcome.MERGED, ("A", "B"), ("1",))}


def test_several_over_several_are_ambiguous(follow):
    found = follow({"A": (A, 12), "B": (moved(A, 16, 0, 0), 5)},
                   {"1": (moved(A, 12, 0, 0), 12), "2": (moved(A, -5, 0, 0), 5)})
    assert outcomes(found) == {(Outcome.AMBIGUOUS, ("A", "B"), ("1", "2"))}


def test_new_and_vanished(follow):
    found = follow({"A": (A, 8), "B": (B, 8)}, {"1": (A, 8), "2": (C, 8)})
    assert outcomes(found) == {(Outcome.MATCHED, ("A",), ("1",)), (Outcome.VANISHED, ("B",), ()),
                               (Outcome.NEW, (), ("2",))}
    assert found.current(Outcome.NEW) == ("2",)
    assert found.prior(Outcome.VANISHED) == ("B",)


def test_a_new_lesion_beside_a_matched_one_is_new(follow):
    found = follow({"A": (A, 8)}, {"1": (A, 8), "2": (moved(A, 14, 0, 0), 4)})
    assert outcomes(found) == {(Outcome.MATCHED, ("A",), ("1",)), (Outcome.NEW, (), ("2",))}


def test_what_lies_beside_the_other_images_is_neither_new_nor_vanished(follow, make_grid):
    left = make_grid((0, 0, 0), (80.0, 120.0, 100.0), Spacing(1.0, 1.0, 1.0))
    assert outcomes(follow({"C": (C, 8)}, {}, current_grid=left)) == {(Outcome.OUTSIDE, ("C",), ())}
    assert outcomes(follow({}, {"1": (C, 8)}, prior_grid=left)) == {(Outcome.OUTSIDE, (), ("1",))}


def test_a_place_that_is_only_partly_shown_proves_nothing(follow, make_grid):
    cut = make_grid((0, 0, 0), (108.0, 120.0, 100.0), Spacing(1.0, 1.0, 1.0))
    assert outcomes(follow({"C": (C, 8)}, {}, current_grid=cut)) == {(Outcome.OUTSIDE, ("C",), ())}


def test_near_without_overlap_is_uncertain(follow):
    """One gone and one come 12 mm apart, or one that moved: nobody can tell."""
    found = follow({"A": (A, 5.5)}, {"1": (moved(A, 10, 0, 0), 5.5)})
    assert outcomes(found) == {(Outcome.UNCERTAIN, ("A",), ("1",))}
    assert "10 mm away" in found.links[0].reason


def test_small_lesions_may_miss_one_another_by_the_error_of_registration(follow):
    found = follow({"A": (A, 1.5)}, {"1": (moved(A, 3, 2, 0), 1.5)})
    assert found.links[0].pairs[0].overlap < 0.2
    assert found.handed_on == {"1": "A"}


def test_an_unlikely_growth_is_uncertain(follow):
    found = follow({"A": (A, 5)}, {"1": (A, 12)})
    assert outcomes(found) == {(Outcome.UNCERTAIN, ("A",), ("1",))}
    assert "times the volume" in found.links[0].reason


def test_where_the_images_do_not_agree_nothing_is_said(follow, laid):
    off = laid(residual_mm=9.0)
    assert outcomes(follow({"A": (A, 8)}, {"1": (A, 8)}, off)) == {(Outcome.UNCERTAIN, ("A",), ("1",))}
    assert outcomes(follow({"A": (A, 8)}, {}, off)) == {(Outcome.UNCERTAIN, ("A",), ())}
    assert outcomes(follow({}, {"1": (A, 8)}, off)) == {(Outcome.UNCERTAIN, (), ("1",))}
    split = follow({"A": (A, 14)}, {"1": (moved(A, -7, 0, 0), 5), "2": (moved(A, 7, 0, 0), 6)}, off)
    assert outcomes(split) == {(Outcome.UNCERTAIN, ("A",), ("1", "2"))}


def test_a_lesion_that_overlaps_anothers_match_is_not_new(follow):
    """A third of it lies within what A was: a part of it perhaps, perhaps not."""
    found = follow({"A": (A, 10)}, {"1": (A, 7), "2": (moved(A, 10.5, 0, 0), 3)})
    assert outcomes(found) == {(Outcome.MATCHED, ("A",), ("1",)), (Outcome.UNCERTAIN, (), ("2",))}


def test_types_that_differ_are_never_paired(balls, ground, laid):
    before, now = balls({"A": (A, 8)}), balls({"1": (A, 8)}, kind=codes.NEOPLASM)
    found = match(Side(before, ground), Side(now, ground), laid())
    assert outcomes(found) == {(Outcome.VANISHED, ("A",), ()), (Outcome.NEW, (), ("1",))}


def test_without_registration_nothing_is_matched(follow):
    found = follow({"A": (A, 8)}, {"1": (A, 8)}, NotRegistered("the images do not look alike"))
    assert outcomes(found) == {(Outcome.NOT_COMPARED, ("A",), ()), (Outcome.NOT_COMPARED, (), ("1",))}
    assert {link.reason for link in found.links} == {"the images do not look alike"}


def test_empty_sides(follow):
    assert follow({}, {}).links == ()
    assert outcomes(follow({"A": (A, 8)}, {})) == {(Outcome.VANISHED, ("A",), ())}
    assert outcomes(follow({}, {"1": (A, 8)})) == {(Outcome.NEW, (), ("1",))}


@pytest.mark.parametrize("seed", range(8))
def test_many_lesions_in_any_order_are_matched_right_or_not_at_all(follow, laid, seed):
    rng = np.random.default_rng(seed)
    spots = rng.uniform((20, 20, 20), (140, 100, 80), (14, 3))
    radii = rng.uniform(2, 5, 14)
    prior = {f"P{n}": (tuple(spots[n]), radii[n]) for n in range(12)}
    current = {f"C{n}": (tuple(spots[n] + rng.normal(0, 0.7, 3)), radii[n] * rng.uniform(0.8, 1.3))
               for n in rng.permutation(range(2, 14))}
    found = follow(prior, current, laid(tuple(rng.normal(0, 1.0, 3))))
    assert all(now[1:] == before[1:] for now, before in found.handed_on.items())
    assert set(found.prior(Outcome.VANISHED)) <= {"P0", "P1"}
    assert set(found.current(Outcome.NEW)) <= {"C12", "C13"}


@pytest.mark.parametrize("shared_by", ["prior", "current"])
def test_where_several_lesions_share_a_finding_none_is_new_and_none_is_gone(balls, ground, laid, shared_by):
    lone, crowd = balls({"A": (A, 8), "C": (C, 8)}), np.zeros(ground.shape, dtype=bool)
    z, y, x = (round(side) for side in C[::-1])
    crowd[z - 3:z + 3, y - 3:y + 3, x - 3:x + 3] = True
    shared = Side(balls({"1": (A, 8)}), ground, crowd)
    sides = (shared, Side(lone, ground)) if shared_by == "prior" else (Side(lone, ground), shared)
    (there,) = [link for link in match(*sides, laid()).links if link.outcome is not Outcome.MATCHED]
    assert (there.outcome, there.prior + there.current) == (Outcome.UNCERTAIN, ("C",))
    assert there.reason == "several small lesions that share a finding lie there"
