"""The plan asks for no less where there is more to do, and the page says what the simulation gives."""

from __future__ import annotations

import random
from itertools import islice, pairwise
from statistics import mean

import pytest
from scale import pages
from scale.curve import ALLOWED, points_of
from scale.plan import BUSY, SCANNERS, demand, devices_of, limits, planned, row
from scale.scanners import BUSIEST, MIX, arrivals
from scale.setups import SETUPS, outcome, quantile
from scale.steps import Steps, calibration, named, steps_of


@pytest.fixture(scope="module")
def steps() -> Steps:
    return steps_of(calibration())


def test_the_calibration_is_read_as_it_is_written(steps):
    kept = calibration()
    for kind in ("receiving", "walks", "accounts"):
        assert named(getattr(steps, kind)) == kept[kind]


def test_the_page_has_what_the_simulation_gives(steps):
    """After a change of the simulation or of what is assumed: make bench-scaling ARGS='--measure --write'."""
    kept = calibration()
    rows = [row(scanners, steps) for scanners in SCANNERS]
    page = pages.PAGE.read_text()
    assert pages.fill(page, pages.tables(kept, steps, points_of(kept), rows)) == page
    for small, large in pairwise(rows):
        assert large.plant.receivers >= small.plant.receivers
        assert large.plant.devices >= small.plant.devices
    assert all(busy < 1.3 * BUSY for one in rows for name, busy in one.busy.items() if name != "GPUs")


@pytest.mark.parametrize("point", points_of(calibration()), ids=lambda point: point.setup.name)
def test_the_simulation_agrees_with_what_was_measured(point):
    assert {name: error for name, error in point.errors().items() if abs(error) > ALLOWED} == {}


def test_every_set_up_was_measured():
    assert [point.setup for point in points_of(calibration())] == list(SETUPS)


def test_the_same_seed_gives_the_same_row(steps):
    assert row(100, steps, results=200) == row(100, steps, results=200)
    assert row(100, steps, results=200).result_s != row(100, steps, results=200, seed=2).result_s


def test_ten_times_the_scanners_ask_ten_times_as_much(steps):
    small, large = (vars(demand(number, steps)) for number in (100, 1000))
    assert large == pytest.approx({name: 10 * value for name, value in small.items()})


def test_arrivals_bring_what_is_asked_in_the_mean(steps):
    """Of all that comes by chance the demand is the mean; the cut of the largest studies takes a little."""
    studies = list(islice(arrivals(1000, steps, random.Random(5)), 60_000))
    lasted_s, asked = studies[-1][0], demand(1000, steps)
    assert len(studies) / lasted_s == pytest.approx(asked.studies_a_s, rel=0.03)
    routed = [case for _, _, case in studies if case.walk is not None]
    assert len(routed) / lasted_s == pytest.approx(asked.results_a_s, rel=0.03)
    assert sum(case.receiver_s for _, _, case in studies) / lasted_s == pytest.approx(asked.receivers, rel=0.05)
    used_s = sum(case.network_s for case in routed)
    assert used_s / lasted_s == pytest.approx(asked.devices, rel=0.05)
    assert {scanner for _, scanner, _ in studies} <= set(range(1000))


def test_the_mix_is_whole_and_the_busiest_hour_a_tenth_of_the_day_or_less():
    assert sum(kind.share for kind in MIX) == pytest.approx(1.0)
    assert 1 / 24 < BUSIEST < 0.1


def test_nothing_is_planned_busier_than_it_may_be(steps):
    for scanners in SCANNERS:
        asked, plant = demand(scanners, steps), planned(demand(scanners, steps), steps)
        assert asked.receivers / plant.receivers <= BUSY
        assert asked.encoders / plant.pipelines <= BUSY
        assert asked.devices < plant.devices
        assert asked.database_cores / plant.databases / plant.database_cores <= BUSY * 1.01


def test_a_limit_is_where_one_is_as_busy_as_it_may_be(steps):
    (receiver,) = (one for one in limits(steps) if one.what == "receiver process")
    assert demand(round(receiver.scanners), steps).receivers == pytest.approx(BUSY, rel=0.01)
    assert [one.scanners for one in limits(steps)] == sorted(one.scanners for one in limits(steps))


def test_slower_networks_want_more_devices(steps):
    wanted = [devices_of(1000, steps, times) for times in (0.25, 1, 4, 10)]
    assert wanted == sorted(set(wanted))


def test_quantiles_lie_between_neighbours():
    assert quantile([1.0, 2.0, 3.0], 0.5) == 2.0
    assert quantile([1.0, 2.0], 0.75) == 1.75
    assert quantile([4.0], 0.99) == 4.0
    assert outcome([3.0, 1.0, 2.0], 6.0).studies_a_s == 0.5


def test_a_page_without_a_place_for_a_table_is_refused():
    begin, end = pages.BEGIN.format("needs"), pages.END.format("needs")
    assert pages.fill(f"a\n{begin}\nold\n{end}\nb", {"needs": "new"}) == f"a\n{begin}\nnew\n{end}\nb"
    with pytest.raises(ValueError, match="no place for times"):
        pages.fill("a page", {"times": "new"})


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.012345, "0.012"), (3.14159, "3.1"), (42.2, "42"), (99.9, "100"), (173_145_165.6, "170,000,000")],
)
def test_figures_have_two_digits(value, told):
    assert pages.figures(value) == told


def test_the_mean_of_images_is_that_of_the_draw():
    draw = random.Random(1)
    for kind in MIX:
        drawn = mean(kind.median_images * draw.lognormvariate(0.0, kind.spread) for _ in range(100_000))
        assert drawn == pytest.approx(kind.mean_images, rel=0.02)
