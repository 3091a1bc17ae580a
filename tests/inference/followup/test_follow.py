"""A result beside its prior: what is handed on, what is told, and what a prior that cannot be compared changes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from inference.errors import Unfit
from inference.followup import follow as beside
from inference.followup.follow import follow
from inference.followup.history import to_plain
from inference.followup.register import Agreement, NotRegistered
from inference.measure import MAX_LESIONS, Measured, measure_findings
from inference.request import SHARED, KnownLesion, Prior, SeriesFiles
from inference.tasks import TASKS
from inference.tasks.card import TaskCard
from inference.trend import Outcome, Seen, Size, TimePoint, Trend
from inference.uids import tracking_uid
from inference.volume import Grid, Volume

JOB = "c" * 64
LIVER, BRAIN = TASKS["liver_tumour"], TASKS["brain_tumour"]
BEFORE, NOW = date(2026, 1, 10), date(2026, 4, 10)
# Balls by centre (x, y, z) and radius in mm.
STAYS, GOES, COMES = ((40.0, 40.0, 40.0), 9.0), ((110.0, 40.0, 40.0), 8.0), ((40.0, 90.0, 60.0), 10.0)


@pytest.fixture
def drawn(ground: Grid) -> Callable[..., np.ndarray]:
    """A label map with balls of a label."""

    def draw(*balls: tuple, label: int = 2) -> np.ndarray:
        labels = np.zeros(ground.shape, np.uint8)
        points = ground.to_lps(np.moveaxis(np.indices(ground.shape), 0, -1))
        for centre, radius in balls:
            labels[np.linalg.norm(points - centre, axis=-1) <= radius] = label
        return labels

    return draw


@pytest.fixture
def followed(
    ground: Grid, drawn: Any, laid: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Measured, Trend]]:
    """`followed(now, before)` follows a label map beside a prior one, numbered, whose images lie exactly on it."""

    def run(
        now: np.ndarray,
        before: np.ndarray,
        lesions: dict[int, KnownLesion],
        card: TaskCard = LIVER,
        registration: Any = None,
        history: list[dict[str, Any]] | None = None,
        unreadable: Unfit | None = None,
    ) -> tuple[Measured, Trend]:
        image = Volume(np.zeros(ground.shape, np.float32), ground, card.roles[0].units)
        np.save(tmp_path / "prior.npy", before)

        def read(_: SeriesFiles) -> SimpleNamespace:
            if unreadable:
                raise unreadable
            return SimpleNamespace(volume=image)

        monkeypatch.setattr(beside, "read_report", read)
        monkeypatch.setattr(beside, "register_prior", lambda *_: registration or laid())
        series = SeriesFiles("1.2", (), ())
        prior = Prior("1.1", BEFORE, NOW, series, tmp_path / "prior.npy", lesions, tuple(history or ()))
        return follow(measure_findings(now, card.structures, image, card.regions), image, card, prior, JOB)

    return run


def numbered(drawn: Any, *balls: tuple) -> np.ndarray:
    return sum(drawn(ball, label=number) for number, ball in enumerate(balls, start=1))


KNOWN = {1: KnownLesion("Liver tumour 3", "2.25.3", 2), 2: KnownLesion("Liver tumour 5", "2.25.5", 2)}


def test_a_match_keeps_number_and_tracking_uid_and_a_new_lesion_gets_its_own(followed: Any, drawn: Any) -> None:
    measured, trend = followed(drawn(STAYS, COMES), numbered(drawn, STAYS, GOES), KNOWN)
    new, stays = measured.findings  # the larger first, as without a prior
    assert (stays.label, stays.tracking_uid, stays.number) == ("Liver tumour 3", "2.25.3", 2)
    assert (new.label, new.tracking_uid) == ("Liver tumour 6", ""), "its own tracking UID is its job's to give"
    assert [(one.outcome, one.label, one.tracking_uid) for one in trend.lesions] == [
        (Outcome.NEW, "Liver tumour 6", tracking_uid(JOB, "1")),
        (Outcome.MATCHED, "Liver tumour 3", "2.25.3"),
        (Outcome.VANISHED, "Liver tumour 5", "2.25.5"),
    ]
    assert (trend.prior_study_uid, trend.days, trend.registration, trend.refusal) == ("1.1", 90, "rigid", "")


def test_a_lesion_that_somebody_renamed_is_called_by_its_structure(followed: Any, drawn: Any) -> None:
    renamed = {number: one._replace(label="") for number, one in KNOWN.items()}  # no name of ours
    measured, trend = followed(drawn(STAYS), numbered(drawn, STAYS, GOES), renamed)
    assert [(one.label, one.outcome) for one in trend.lesions] == [
        ("Liver tumour 1", Outcome.MATCHED), ("Liver tumour", Outcome.VANISHED)]
    assert [finding.label for finding in measured.findings] == ["Liver tumour 1"]


def test_growth_comes_with_the_numbers_that_decided_the_match(followed: Any, drawn: Any) -> None:
    larger = (STAYS[0], STAYS[1] * 2 ** (1 / 3))
    _, trend = followed(drawn(larger), numbered(drawn, STAYS), {1: KNOWN[1]})
    (one,) = trend.lesions
    assert one.after.volume_ml / one.before.volume_ml == pytest.approx(2, rel=0.02)
    assert one.doubling_days == pytest.approx(90, rel=0.03)
    assert one.evidence["distance_mm"] < 0.1
    assert one.evidence["overlap"] == pytest.approx(1, abs=0.02)


def test_the_dates_go_on_where_the_prior_kept_them(followed: Any, drawn: Any) -> None:
    first = TimePoint(date(2025, 10, 1), {"2.25.3": Seen(Size(2.0, 16, 15), label="Liver tumour 3"),
                                          "2.25.9": Seen(Size(1.0, 12, 11), label="Liver tumour 9")})  # fmt: skip
    second = TimePoint(BEFORE, {"2.25.3": Seen(Size(3.0, 18, 17), label="Liver tumour 3")}, vanished={"2.25.9"})
    measured, trend = followed(
        drawn(STAYS, COMES), numbered(drawn, STAYS), {1: KNOWN[1]}, history=to_plain([first, second])
    )
    assert [point.taken for point in trend.points] == [date(2025, 10, 1), BEFORE, NOW]
    assert sorted(f.label for f in measured.findings) == ["Liver tumour 10", "Liver tumour 3"], "9 was somebody"
    assert trend.points[-1].seen["2.25.3"].label == "Liver tumour 3"
    assert trend.sums[0].baseline == pytest.approx(28.0), "of the first date: those of 10 mm and more"


def test_a_lesion_that_the_prior_missed_is_no_new_one(followed: Any, drawn: Any) -> None:
    """Seen, missed, seen again: by the criteria nothing has changed, and it is known by its old name."""
    _, missed = followed(drawn(STAYS), numbered(drawn, STAYS, GOES), KNOWN)
    assert missed.sums[0].category == "partial response"
    measured, trend = followed(
        drawn(STAYS, GOES, COMES), numbered(drawn, STAYS), {1: KNOWN[1]}, history=to_plain(_earlier(missed.points))
    )
    again = measured.findings[2]
    assert (again.label, again.tracking_uid) == ("Liver tumour 5", "2.25.5")
    assert [(one.outcome, one.label, one.before) for one in trend.lesions if one.outcome is not Outcome.MATCHED] == [
        (Outcome.NEW, "Liver tumour 6", None), (Outcome.RETURNED, "Liver tumour 5", None)]
    assert sorted(trend.points[-1].seen) == sorted(["2.25.3", "2.25.5", tracking_uid(JOB, "1")])
    assert not any(point.vanished for point in trend.points)

    _, trend = followed(
        drawn(STAYS, GOES), numbered(drawn, STAYS), {1: KNOWN[1]}, history=to_plain(_earlier(missed.points))
    )
    (total,) = trend.sums
    assert (total.category, total.new, total.from_nadir) == ("stable disease", 0, pytest.approx(0.0, abs=0.01))


def test_what_two_dates_did_not_show_was_gone_and_has_come_back_under_its_name(followed: Any, drawn: Any) -> None:
    points = followed(drawn(STAYS), numbered(drawn, STAYS, GOES), KNOWN)[1].points
    for now in ((STAYS,), (STAYS, GOES)):
        _, trend = followed(
            drawn(*now), numbered(drawn, STAYS), {1: KNOWN[1]}, history=to_plain(_earlier(points))
        )
        points = trend.points
    assert [sorted(point.seen) for point in points] == [["2.25.3", "2.25.5"], *[["2.25.3"]] * 2, ["2.25.3", "2.25.5"]]
    assert [sorted(point.vanished) for point in points] == [[], ["2.25.5"], [], []]
    assert not points[-1].lost
    (total,) = trend.sums
    assert (total.category, total.new) == ("progressive disease", 0), "beside the smallest sum, that without it"


def _earlier(points: Sequence[TimePoint]) -> list[TimePoint]:
    """The same dates, moved back so that the last is the prior's."""
    return [replace(point, taken=point.taken + (BEFORE - NOW)) for point in points]


def test_dates_that_do_not_end_with_the_prior_are_left_out(followed: Any, drawn: Any) -> None:
    other = TimePoint(date(2025, 10, 1), {"2.25.3": Seen(Size(2.0, 16, 15))})
    _, trend = followed(drawn(STAYS), numbered(drawn, STAYS), {1: KNOWN[1]}, history=to_plain([other]))
    assert [point.taken for point in trend.points] == [BEFORE, NOW]


def test_liver_and_lung_are_summed_by_recist(followed: Any, drawn: Any) -> None:
    _, trend = followed(drawn(STAYS), numbered(drawn, STAYS, GOES), KNOWN)
    (total,) = trend.sums
    assert (total.criterion, total.unit, total.targets, total.category) == ("RECIST 1.1", "mm", 2, "partial response")
    assert total.value == pytest.approx(18, abs=1.5)
    assert total.baseline == pytest.approx(34, abs=3)


def test_the_brain_is_summed_by_rano_over_what_enhances(followed: Any, drawn: Any) -> None:
    now = np.maximum(drawn((STAYS[0], 14.0), label=2), drawn(STAYS, label=3))  # oedema around what enhances
    before = np.maximum(drawn((STAYS[0], 14.0), label=1), drawn(STAYS, label=2))
    known = {1: KnownLesion("Lesion 4 oedema", "2.25.1", 2), 2: KnownLesion("Lesion 4 enhancing tumour", "2.25.2", 3)}
    measured, trend = followed(now, before, known, card=BRAIN)
    assert [f.label for f in measured.findings] == ["Lesion 4 oedema", "Lesion 4 enhancing tumour"]
    assert [f.tracking_uid for f in measured.findings] == ["2.25.1", "2.25.2"], "a type is matched with its own only"
    (total,) = trend.sums
    assert (total.criterion, total.targets) == ("RANO", 1)
    assert total.value == pytest.approx(19 * 19, rel=0.05), "a ball of 18 mm covers 19 voxels of 1 mm"


AGREEMENT = Agreement(similarity=0.3, overlap=0.9, residual_mm=9.0, rotation_deg=2.0)


def test_a_prior_that_does_not_lie_on_the_images_hands_nothing_on(followed: Any, drawn: Any) -> None:
    refused = NotRegistered("the images do not look alike", AGREEMENT)
    measured, trend = followed(drawn(STAYS), numbered(drawn, STAYS, GOES), KNOWN, registration=refused)
    (finding,) = measured.findings
    assert (finding.label, finding.tracking_uid) == ("Liver tumour 6", ""), "nobody's old number is given again"
    assert (trend.refusal, trend.registration, trend.sums) == ("the images do not look alike", "", ())
    assert trend.agreement["similarity"] == 0.3
    assert {one.outcome for one in trend.lesions} == {Outcome.NOT_COMPARED}


def test_a_prior_whose_images_cannot_be_read_is_said(followed: Any, drawn: Any) -> None:
    gap = Unfit("The series has a gap.")
    measured, trend = followed(drawn(STAYS), numbered(drawn, STAYS), {1: KNOWN[1]}, unreadable=gap)
    assert trend.refusal == "the prior's images cannot be read: The series has a gap."
    assert [f.label for f in measured.findings] == ["Liver tumour 4"]


def test_a_mask_that_does_not_fit_its_images_is_said(followed: Any, drawn: Any) -> None:
    _, trend = followed(drawn(STAYS), numbered(drawn, STAYS)[1:], {1: KNOWN[1]})
    assert trend.refusal == "the prior's mask does not lie on its images"


def test_the_liver_itself_is_no_lesion(followed: Any, drawn: Any) -> None:
    liver = drawn(((70.0, 60.0, 50.0), 45.0), label=1)
    measured, trend = followed(np.where(drawn(STAYS) > 0, 2, liver), numbered(drawn, STAYS), {1: KNOWN[1]})
    assert [f.label for f in measured.findings] == ["Liver", "Liver tumour 3"]
    assert len(trend.lesions) == 1


def test_small_lesions_that_share_a_finding_are_not_told_as_new_or_gone(followed: Any, ground: Grid) -> None:
    numbers = np.zeros(ground.shape, np.uint16)  # of more lesions than are told one by one
    for number, (z, y, x) in enumerate(itertools.product((10, 40, 70), range(8, 112, 16), range(8, 152, 16)), start=1):
        numbers[z:z + 8, y:y + 8, x:x + 8] = number
    known = {n: KnownLesion(f"Liver tumour {n}", f"2.25.{n}", 2) for n in range(1, MAX_LESIONS + 1)}
    now = (2 * (numbers > 0)).astype(np.uint8)
    _, trend = followed(now, np.where(numbers <= MAX_LESIONS, numbers, 0).astype(np.uint8), known)
    assert Outcome.MATCHED in (outcomes := {one.outcome for one in trend.lesions})
    assert Outcome.VANISHED not in outcomes

    before = np.where(numbers < MAX_LESIONS, numbers, SHARED).astype(np.uint8) * (numbers > 0)
    left = now * (numbers > 150)
    _, trend = followed(left, before, {n: known[n] for n in range(1, MAX_LESIONS)})
    assert {one.outcome for one in trend.lesions} == {Outcome.UNCERTAIN, Outcome.VANISHED}
    assert not trend.sums[0].new
