"""How each destination fares: every process sees the same, and it survives them."""

import pytest

from storage.records import Circuit


@pytest.fixture
def do(db):
    """Take one step in a transaction of its own."""

    def step(name, *arguments):
        with db.transaction() as tx:
            return getattr(tx.circuits, name)(*arguments)

    return step


def test_nothing_known_is_well(do):
    assert do("get", "pacs") == do("locked", "pacs") == Circuit("pacs")
    assert not do("get", "pacs").open
    assert do("in_trouble") == []


def test_failures_in_a_row_are_counted_since_the_first(do):
    do("failed", "pacs", 100.0, "refused")
    found = do("failed", "pacs", 160.0, "no answer")
    assert found == do("get", "pacs") == Circuit("pacs", failures=2, down_since=100.0, reason="no answer")
    assert not found.open
    assert do("in_trouble") == [found]


def test_failures_count_where_it_was_locked_first(do):
    do("locked", "pacs")
    assert do("failed", "pacs", 100.0, "refused") == Circuit("pacs", 1, 100.0, None, "refused")


def test_an_open_circuit_stays_open_through_failures(do):
    do("failed", "pacs", 100.0, "refused")
    do("open", "pacs", 130.0)
    found = do("failed", "pacs", 131.0, "refused")
    assert (found.open, found.next_try_at) == (True, 130.0)
    do("open", "pacs", 190.0)
    assert do("get", "pacs").next_try_at == 190.0


def test_one_success_makes_it_well(do):
    do("failed", "pacs", 100.0, "refused")
    do("open", "pacs", 130.0)
    before = do("worked", "pacs")
    assert (before.failures, before.down_since, before.open) == (1, 100.0, True)
    assert do("get", "pacs") == Circuit("pacs")
    assert do("worked", "pacs") is None
    assert do("worked", "never heard of") is None


def test_a_person_may_end_the_pause(do):
    assert not do("try_now", "pacs", 100.0)
    do("failed", "pacs", 100.0, "refused")
    assert not do("try_now", "pacs", 110.0), "it is not open"
    do("open", "pacs", 900.0)
    assert do("try_now", "pacs", 110.0)
    assert do("get", "pacs").next_try_at == 110.0


def test_destinations_do_not_touch_one_another(do):
    do("failed", "pacs", 100.0, "refused")
    assert do("get", "share") == Circuit("share")


@pytest.mark.parametrize(
    ("circuit", "down"),
    [
        (Circuit("pacs"), False),
        (Circuit("pacs", 1, 100.0), False),  # it may have been chance
        (Circuit("pacs", 9, 100.0, 1010.0), True),
        (Circuit("pacs", 9, 950.0, 1010.0), False),  # not for so long
        (Circuit("pacs", 9, 100.0, 1000.0), False),  # it may be back: it is to be tried first
    ],
)
def test_down_is_for_how_long_and_confirmed(circuit, down):
    assert circuit.down_for(100.0, 1000.0) is down
