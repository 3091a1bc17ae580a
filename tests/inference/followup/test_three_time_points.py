"""A drawn patient at three dates: moved, turned, scanned otherwise; lesions grow, shrink, come and go."""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from drawn_patient import DATES, LESIONS, SCANS, THRESHOLD_HU, Visit, drawn_at, true_ml, visit_of

from inference import codes
from inference.backends.threshold import Threshold
from inference.findings import Structure
from inference.followup.criteria import RECIST, Category, sums_of
from inference.followup.lesion import Identity, lesions_of
from inference.followup.match import Matching, Side, match
from inference.followup.register import Registration, register_prior
from inference.followup.timeline import first, following, growth_of
from inference.measure import measure_findings
from inference.tasks import TASKS
from inference.trend import Outcome, TimePoint

TUMOUR = Structure(1, "Tumour", codes.ABNORMAL_STRUCTURE, codes.NEOPLASM, codes.LIVER, (255, 0, 0), per_lesion=True)


class Followed(NamedTuple):
    visits: list[Visit]
    registrations: list[Registration]
    matchings: list[Matching]
    points: list[TimePoint]
    names: dict[str, str]  # tracking UID → drawn lesion


@pytest.fixture(scope="module")
def visits(abdomen):
    return [visit_of(number, abdomen) for number in range(len(DATES))]


@pytest.fixture(scope="module")
def followed(visits):
    """As the node does it: threshold backend, findings, then each study beside the one before."""
    backend = Threshold(lower=THRESHOLD_HU, upper=3000.0, label=1).load("cpu")
    sides, points, matchings, registrations = [], [], [], []
    named: dict[str, str] = {}
    for number, (taken, visit) in enumerate(zip(DATES, visits, strict=True)):
        labels = backend.segment({"CT": visit.volume}, TASKS["liver_tumour"], lambda *_: None).labels
        measured = measure_findings(labels, (TUMOUR,), visit.volume)
        keep = {f.number: Identity(f"{number}.{f.number}", f.structure.type, f.structure.region)
                for f in measured.findings if f.volume_ml > 1.0}
        lesions = lesions_of(measured.labelmap, visit.volume.grid, keep)
        if number == 0:
            points.append(first(taken, lesions))
        else:
            registrations.append(register_prior(visits[number - 1].volume, visit.volume))
            matchings.append(match(sides[-1], Side(lesions, visit.volume.grid), registrations[-1]))
            points.append(following(taken, lesions, matchings[-1]))
            # From here on the archive knows them by the UIDs that were handed on.
            keep = {n: who._replace(uid=matchings[-1].handed_on.get(who.uid, who.uid)) for n, who in keep.items()}
            lesions = lesions_of(measured.labelmap, visit.volume.grid, keep)
        sides.append(Side(lesions, visit.volume.grid))
        named.update({lesion.uid: drawn_at(lesion.centre, visit.motion) for lesion in lesions
                      if lesion.uid not in named})
    return Followed(visits, registrations, matchings, points, named), sides


def test_every_lesion_is_large_enough_to_be_judged():
    for *_, spacing in SCANS:
        assert all(2 * r * 0.96 / max(spacing) >= 19.9 for _, radii in LESIONS.values() for r in radii if r)


def test_the_motion_is_found(followed):
    found, _ = followed
    for registration, (before, now) in zip(found.registrations, pairwise(found.visits), strict=True):
        assert isinstance(registration, Registration)
        truth = now.motion @ np.linalg.inv(before.motion)
        places = np.array([centre for centre, _ in LESIONS.values()]) @ before.motion[:3, :3].T + before.motion[:3, 3]
        errors = np.linalg.norm(registration.to_current(places) - places @ truth[:3, :3].T - truth[:3, 3], axis=1)
        assert errors.max() < 1.0


def test_all_matches_are_right_and_tracking_uids_constant(followed):
    found, sides = followed
    for side, visit in zip(sides, found.visits, strict=True):
        for lesion in side.lesions:
            assert drawn_at(lesion.centre, visit.motion) == found.names[lesion.uid]
    assert len(found.names) == len(set(found.names.values())) == len(LESIONS)
    matched = [[found.names[before] for before in matching.handed_on.values()] for matching in found.matchings]
    assert sorted(matched[0]) == sorted(set(LESIONS) - {"appears"})
    assert sorted(matched[1]) == sorted(set(LESIONS) - {"vanishes"})


def test_new_and_vanished_are_seen_and_nothing_else(followed):
    found, _ = followed
    assert [{found.names[uid] for uid in point.new} for point in found.points] == [set(), {"appears"}, set()]
    assert [{found.names[uid] for uid in point.vanished} for point in found.points] == [set(), set(), {"vanishes"}]
    kinds = {link.outcome for matching in found.matchings for link in matching.links}
    assert kinds == {Outcome.MATCHED, Outcome.NEW, Outcome.VANISHED}


def test_without_registration_the_twins_would_have_been_swapped(visits):
    """The second visit's left twin lies nearer to where the right one was: only the map tells them apart."""
    left, right = (np.array(LESIONS[name][0]) for name in ("left twin", "right twin"))
    step = visits[2].motion @ np.linalg.inv(visits[1].motion)
    before = {name: visits[1].motion[:3, :3] @ place + visits[1].motion[:3, 3]
              for name, place in (("left", left), ("right", right))}
    now = step[:3, :3] @ before["right"] + step[:3, 3]
    assert np.linalg.norm(now - before["left"]) < np.linalg.norm(now - before["right"])


def test_volumes_are_within_three_per_cent(followed):
    found, _ = followed
    for visit, point in enumerate(found.points):
        for uid, seen in point.seen.items():
            assert seen.size.volume_ml == pytest.approx(true_ml(found.names[uid], visit), rel=0.03)


def test_growth_is_told_as_it_was_drawn(followed):
    found, _ = followed
    uid = next(uid for uid, name in found.names.items() if name == "grows")
    steps = growth_of(uid, found.points)
    radii = LESIONS["grows"][1]
    for step, (before, after) in zip(steps, pairwise(radii), strict=True):
        assert step.days == 90
        assert step.volume.percent == pytest.approx(100 * ((after / before) ** 3 - 1), abs=5)
        assert step.doubling_days == pytest.approx(90 * math.log(2) / (3 * math.log(after / before)), rel=0.1)
        assert step.long.difference == pytest.approx(2 * 1.06 * (after - before), abs=1.2)


def test_the_sum_of_diameters(followed):
    found, _ = followed
    sums = sums_of(found.points, RECIST)
    assert [found.names[uid] for uid in sums.targets] == ["shrinks", "vanishes"]
    drawn = [2 * 1.06 * (LESIONS["shrinks"][1][n] + LESIONS["vanishes"][1][n]) for n in range(3)]
    assert [s.value for s in sums.sums] == pytest.approx(drawn, abs=2.5)
    assert [s.category for s in sums.sums] == [None, Category.PD, Category.PD]  # for the new lesion
