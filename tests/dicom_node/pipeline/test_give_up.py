"""Deliveries that have waited too long become dead letters; whom they wait for is in tests/walks/test_outage.py."""

from __future__ import annotations

from collections.abc import Callable

from dicom_node.pipeline.give_up import DAY_S, GiveUp
from storage.database import Database
from storage.lifecycle import DeliveryState
from storage.records import Delivery


def test_what_has_waited_too_long_is_given_up(
    database: Database, result: Callable[..., int], look: Callable[..., Delivery]
) -> None:
    result(now=30.0)
    assert not GiveUp(database, {"pacs"}, 7 * DAY_S).step(7 * DAY_S + 30.0)
    assert GiveUp(database, {"pacs"}, 7 * DAY_S).step(7 * DAY_S + 31.0)
    assert look().state is DeliveryState.DEAD
    assert look().reason == "given up after 7.0 days: it was never tried"


def test_nobody_has_waited_long_by_a_clock_that_has_just_leapt(
    database: Database, result: Callable[..., int], look: Callable[..., Delivery]
) -> None:
    """A machine starts in 1970, until NTP has put it right."""
    result(now=30.0)
    assert not GiveUp(database, {"pacs"}, 7 * DAY_S, ages=lambda _: 40.0).step(20_000 * DAY_S)
    assert look().state is DeliveryState.PENDING
