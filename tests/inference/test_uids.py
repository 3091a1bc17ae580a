"""UIDs that the same parts always give (PS3.5 B.2)."""

import re

from inference.uids import tracking_uid, uid_from


def test_a_uid_follows_from_its_parts():
    assert uid_from("a", "b") == uid_from("a", "b") != uid_from("b", "a")
    assert re.fullmatch(r"2\.25\.[1-9]\d{0,38}", uid_from("a"))


def test_a_track_is_known_by_the_job_that_first_saw_it():
    assert tracking_uid("job", "1") == uid_from("job", "tracking", "1")
