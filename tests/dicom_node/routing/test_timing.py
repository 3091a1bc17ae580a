"""Acquisition times of series."""

import pytest

from dicom_node.routing.timing import started


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("113944.541817", 41984.541817), ("1139", 41940), ("11", 39600), ("11:39:44", 41984), ("", None), ("noon", None)],
)
def test_times_of_dicom(value, seconds):
    at = started([{"AcquisitionTime": value}])
    assert at.known is (seconds is not None)
    assert at.seconds == pytest.approx(-1.0 if seconds is None else seconds)


def test_the_earliest_image_counts_and_the_series_time_stands_in():
    assert started([{"AcquisitionTime": "1200"}, {"AcquisitionTime": "1100"}]).seconds == 39600
    assert started([{"SeriesTime": "1200"}]).seconds == 43200


@pytest.mark.parametrize("moment", ["20250401101700", "20250401101700.000000", "20250401101700+0200", "202504011017"])
def test_enhanced_images_say_when_they_were_acquired_as_date_and_time_in_one(moment):
    assert started([{"AcquisitionDateTime": moment, "SeriesTime": "1200"}]).seconds == 37020
    assert started([{"AcquisitionDateTime": moment, "AcquisitionTime": "1100"}]).seconds == 39600
    assert started([{"AcquisitionDateTime": moment[:8], "SeriesTime": "1200"}]).seconds == 43200


def test_a_series_that_goes_on_past_midnight_began_before_it():
    clocks = ("235830", "235940.5", "000050", "000200")
    late = started([{"SeriesDate": "20250401", "AcquisitionTime": clock} for clock in clocks])
    assert late.seconds == 23 * 3600 + 58 * 60 + 30
    assert started([{"SeriesDate": "20250401", "AcquisitionTime": "233000"}]) < late


def test_order_is_by_date_then_time_then_series_number():
    first = started([{"SeriesDate": "20250401", "AcquisitionTime": "235900"}])
    second = started([{"SeriesDate": "20250402", "AcquisitionTime": "000500"}])
    assert first < second
    assert started([{"SeriesNumber": 2}]) < started([{"SeriesNumber": "10"}])
