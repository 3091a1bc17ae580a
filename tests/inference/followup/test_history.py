"""What a job keeps of its patient's dates for the next one."""

import json
from dataclasses import replace
from datetime import date

from inference import codes
from inference.followup.history import from_plain, to_plain
from inference.trend import Seen, Size, TimePoint

LARGE = Seen(Size(1.5, 14.25, 9.5), codes.LIVER, "Liver tumour 1", codes.NEOPLASM)
POINTS = (
    TimePoint(date(2026, 1, 10), {"2.25.1": LARGE}),
    TimePoint(
        date(2026, 4, 10),
        {"2.25.2": Seen(Size(0.25, 8.0, 6.125, whole=False), None, "Liver tumour 2")},
        frozenset({"2.25.2"}),
        frozenset({"2.25.1"}),
        {"2.25.1": (-12.5, 30.0, 101.3)},
    ),
)


def test_dates_come_back_from_json_as_they_were():
    assert from_plain(json.loads(json.dumps(to_plain(POINTS)))) == POINTS


def test_dates_of_an_earlier_release_know_no_places():
    plain = [{name: value for name, value in one.items() if name != "lost"} for one in to_plain(POINTS)]
    assert from_plain(plain) == tuple(replace(point, lost={}) for point in POINTS)


def test_without_dates_there_are_none():
    assert from_plain(to_plain(())) == ()
