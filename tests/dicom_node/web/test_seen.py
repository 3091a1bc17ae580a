"""A page that renews itself is one look."""

from dicom_node.web.seen import MOST, ONE_LOOK_S, Seen


def test_a_look_is_told_once_in_ten_minutes_for_each_person_and_study():
    seen = Seen()
    assert [seen.is_new(1, "1.2", at) for at in (0.0, 5.0, ONE_LOOK_S - 1, ONE_LOOK_S)] == [True, False, False, True]
    assert seen.is_new(2, "1.2", 5.0)
    assert seen.is_new(1, "1.3", 5.0)


def test_it_takes_no_endless_memory():
    seen = Seen()
    for number in range(MOST + 5):
        seen.is_new(1, str(number), 0.0)
    assert len(seen._last) == MOST
