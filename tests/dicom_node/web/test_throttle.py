"""How long somebody waits who guesses."""

from __future__ import annotations

from dicom_node.assembly import Parts
from dicom_node.web import throttle
from dicom_node.web.throttle import FREE, LONGEST_WAIT_S


def waits(tx, attempts: list[tuple[str, str]], now: float = 100.0) -> list[float]:
    found = []
    for name, address in attempts:
        found.append(throttle.wait_s(tx, name, address, now))
        throttle.count(tx, name, address, now)
    return found


def test_a_few_are_free_and_then_each_costs_twice_as_much_up_to_a_quarter_of_an_hour(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        found = waits(tx, [("anne", "10.0.0.1")] * 18)
    assert found[: FREE["both"]] == [0.0] * 5
    assert found[5:9] == [1.0, 2.0, 4.0, 8.0]
    assert found[-1] == LONGEST_WAIT_S


def test_nobody_waits_for_a_clock_that_was_set_back_to_be_as_late_again(parts: Parts) -> None:
    """Everybody comes from one address where a proxy is in front, and one has come in an hour ahead of time."""
    with parts.database.transaction() as tx:
        throttle.count(tx, "anne", "10.0.0.1", 3700.0)
        throttle.forgive(tx, "anne", "10.0.0.1", 3700.0)
        assert throttle.wait_s(tx, "bob", "10.0.0.1", 100.0) == 0.0
        waits(tx, [("carl", "10.0.0.2")] * 7, 3700.0)
        assert throttle.wait_s(tx, "carl", "10.0.0.2", 100.0) == 4.0


def test_others_do_not_wait_with_them(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        waits(tx, [("anne", "10.0.0.1")] * 10)
        assert throttle.wait_s(tx, "anne", "10.0.0.2", 100.0) == 0.0
        assert throttle.wait_s(tx, "bob", "10.0.0.1", 100.0) == 0.0


def test_many_names_from_one_machine_and_one_name_from_many_machines_wait_too(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        assert waits(tx, [(f"user{n}", "10.0.0.1") for n in range(22)])[-2:] == [1.0, 2.0]
        assert waits(tx, [("anne", f"10.0.1.{n}") for n in range(52)])[-2:] == [1.0, 2.0]


def test_success_forgives_what_failed_for_that_name_and_nothing_for_others(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        waits(tx, [(f"user{n}", "10.0.0.1") for n in range(FREE["address"])] + [("anne", "10.0.0.1")] * 25)
        throttle.forgive(tx, "anne", "10.0.0.1", 100.0)
        assert tx.sign_ins.failures("name anne", 100.0) == (0, 0.0)
        assert waits(tx, [("anne", "10.0.0.1"), ("bob", "10.0.0.1")]) == [1.0, 2.0]


def test_right_passwords_from_one_address_cost_no_wait_and_hide_no_failures(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        waits(tx, [(f"user{n}", "10.0.0.1") for n in range(FREE["address"] - 1)])
        for n in range(60):
            assert throttle.wait_s(tx, f"good{n % 3}", "10.0.0.1", 100.0) == 0.0
            throttle.count(tx, f"good{n % 3}", "10.0.0.1", 100.0)
            throttle.forgive(tx, f"good{n % 3}", "10.0.0.1", 100.0)
        assert waits(tx, [("anne", "10.0.0.1"), ("bob", "10.0.0.1")]) == [0.0, 1.0]


def test_people_behind_one_address_who_mistype_and_come_in_cost_each_other_nothing(parts: Parts) -> None:
    """A terminal server: never is there a day without a mistake."""
    with parts.database.transaction() as tx:
        for n in range(200):
            assert waits(tx, [(f"user{n}", "10.0.0.1")] * 3) == [0.0] * 3
            throttle.forgive(tx, f"user{n}", "10.0.0.1", 100.0)


def test_nor_do_those_who_give_up_one_now_and_then(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        for n in range(200):
            assert waits(tx, [(f"user{n}", "10.0.0.1")] * 4, 100.0 + n * 3600.0) == [0.0] * 4


def test_who_guesses_on_gets_no_further_than_one_attempt_in_each_longest_wait(parts: Parts) -> None:
    made, now, day = 0, 100.0, 86400.0
    with parts.database.transaction() as tx:
        while now < 100.0 + 10 * day:
            wait = throttle.wait_s(tx, f"user{made}", "10.0.0.1", now)
            now += wait
            if not wait:
                throttle.count(tx, f"user{made}", "10.0.0.1", now)
                made += 1
    assert made <= FREE["address"] + 10 + 10 * day / LONGEST_WAIT_S
