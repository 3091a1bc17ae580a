"""How long somebody waits who guesses."""

from __future__ import annotations

from dicom_node.assembly import Parts
from dicom_node.web import throttle
from dicom_node.web.throttle import FREE, LONGEST_WAIT_S


def waits(tx, attempts: list[tuple[str, str]]) -> list[float]:
    found = []
    for name, address in attempts:
        found.append(throttle.wait_s(tx, name, address, 100.0))
        throttle.count(tx, name, address, 100.0)
    return found


def test_a_few_are_free_and_then_each_costs_twice_as_much_up_to_a_quarter_of_an_hour(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        found = waits(tx, [("anne", "10.0.0.1")] * 18)
    assert found[: FREE["both"]] == [0.0] * 5
    assert found[5:9] == [1.0, 2.0, 4.0, 8.0]
    assert found[-1] == LONGEST_WAIT_S


def test_others_do_not_wait_with_them(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        waits(tx, [("anne", "10.0.0.1")] * 10)
        assert throttle.wait_s(tx, "anne", "10.0.0.2", 100.0) == 0.0
        assert throttle.wait_s(tx, "bob", "10.0.0.1", 100.0) == 0.0


def test_many_names_from_one_machine_and_one_name_from_many_machines_wait_too(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        assert waits(tx, [(f"user{n}", "10.0.0.1") for n in range(22)])[-2:] == [1.0, 2.0]
        assert waits(tx, [("anne", f"10.0.1.{n}") for n in range(52)])[-2:] == [1.0, 2.0]


def test_success_forgives_the_name_and_not_the_address(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        waits(tx, [("anne", "10.0.0.1")] * 25)
        throttle.forgive(tx, "anne", "10.0.0.1")
        assert tx.sign_ins.failures("name anne", 100.0) == (0, 0.0)
        assert throttle.wait_s(tx, "anne", "10.0.0.1", 100.0) > 0


def test_right_passwords_from_one_address_cost_no_wait_and_hide_no_failures(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        waits(tx, [(f"user{n}", "10.0.0.1") for n in range(FREE["address"] - 1)])
        for n in range(60):
            assert throttle.wait_s(tx, f"good{n % 3}", "10.0.0.1", 100.0) == 0.0
            throttle.count(tx, f"good{n % 3}", "10.0.0.1", 100.0)
            throttle.succeeded(tx, f"good{n % 3}", "10.0.0.1")
        assert waits(tx, [("anne", "10.0.0.1"), ("bob", "10.0.0.1")]) == [0.0, 1.0]
