"""Change and doubling time, by hand."""

from datetime import date

import pytest

from inference.followup.growth import Change, doubling_days, growth
from inference.trend import Size

MARCH, JUNE = date(2026, 3, 1), date(2026, 6, 1)


def test_change_in_units_and_per_cent():
    change = Change(4.0, 5.0)
    assert (change.difference, change.percent) == (1.0, 25.0)
    assert Change(4.0, 3.0).percent == -25.0
    assert Change(0.0, 3.0).percent is None


def test_growth_between_two_dates():
    found = growth(Size(1.0, 12.0, 10.0), MARCH, Size(4.0, 18.0, 15.0), JUNE)
    assert (found.volume.difference, found.volume.percent) == (3.0, 300.0)
    assert (found.long.difference, found.long.percent) == (6.0, 50.0)
    assert (found.short.difference, found.short.percent) == (5.0, 50.0)
    assert (found.days, found.doubling_days) == (92, pytest.approx(46.0))
    assert found.whole


@pytest.mark.parametrize(("before", "after", "days", "expected"), [
    (1.0, 2.0, 100, 100.0),
    (1.0, 8.0, 300, 100.0),
    (3.0, 3.0 * 2**0.5, 50, 100.0),
    (2.0, 2.0, 100, None),
    (2.0, 1.0, 100, None),
    (0.0, 1.0, 100, None),
    (1.0, 0.0, 100, None),
    (1.0, 2.0, 0, None),
])
def test_doubling_days(before, after, days, expected):
    assert doubling_days(before, after, days) == (None if expected is None else pytest.approx(expected))


def test_a_lesion_cut_off_at_either_date_is_not_to_be_relied_on():
    whole, cut = Size(1.0, 12.0, 10.0), Size(1.0, 12.0, 10.0, whole=False)
    assert not growth(cut, MARCH, whole, JUNE).whole
    assert not growth(whole, MARCH, cut, JUNE).whole


def test_two_studies_of_one_day_have_no_doubling_time():
    assert growth(Size(1.0, 12.0, 10.0), MARCH, Size(2.0, 14.0, 11.0), MARCH).doubling_days is None


def test_a_prior_comes_before():
    with pytest.raises(ValueError, match="no prior"):
        growth(Size(1.0, 12.0, 10.0), JUNE, Size(2.0, 14.0, 11.0), MARCH)
