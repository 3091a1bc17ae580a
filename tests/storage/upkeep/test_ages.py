"""What goes by its age waits for a day where the clock has leapt: a wrong one is put right."""

import logging

import pytest

from storage.upkeep.ages import BELIEVED_S, LEAP_S, Ages

NOW = 1_790_000_000.0
YEAR = 365 * 86400.0


class Counter:
    """Seconds that no clock sets."""

    def __init__(self):
        self.seconds = 5000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def counter():
    return Counter()


@pytest.fixture
def ages(counter):
    return Ages(counter=counter)


def test_a_clock_that_goes_as_it_should_is_believed(ages, counter):
    for seconds in (0.0, 600.0, 30 * 86400.0):
        counter.seconds = 5000.0 + seconds
        assert ages(NOW + seconds) == NOW + seconds


def test_a_leap_is_not_believed_until_it_is_a_day_old(ages, counter, caplog):
    ages(NOW)
    for seconds in (60.0, 7200.0, BELIEVED_S - 1):
        counter.seconds = 5000.0 + seconds
        assert ages(NOW + YEAR + seconds) == NOW + seconds
    counter.seconds = 5000.0 + 60.0 + BELIEVED_S
    assert ages(NOW + YEAR + 60.0 + BELIEVED_S) == NOW + YEAR + 60.0 + BELIEVED_S
    assert [record.levelno for record in caplog.records] == [logging.WARNING], "told once"


def test_a_clock_that_was_put_right_is_believed_at_once_and_the_next_leap_waits_for_its_own_day(ages, counter):
    ages(NOW)
    ages(NOW + YEAR)
    counter.seconds += 60.0
    assert ages(NOW + 60.0) == NOW + 60.0
    counter.seconds += BELIEVED_S - 120.0
    ages(NOW + YEAR)
    counter.seconds += 120.0
    assert ages(NOW + YEAR) == NOW + 60.0 + BELIEVED_S


def test_a_clock_that_is_set_back_is_believed(ages):
    ages(NOW)
    assert ages(NOW - YEAR) == NOW - YEAR


def test_a_little_makes_nothing_older(ages, caplog):
    ages(NOW)
    assert ages(NOW + LEAP_S) == NOW + LEAP_S
    assert caplog.records == []


def test_a_clock_that_was_wrong_before_the_process_began_is_none_to_believe(counter):
    assert Ages(NOW, counter)(NOW + YEAR) == NOW


def test_a_node_that_is_switched_off_each_night_is_a_night_behind_and_no_more(counter):
    night = 12 * 3600.0
    for number in range(1, 9):
        known = NOW + number * 86400.0
        assert Ages(known, counter)(known + night) == known
