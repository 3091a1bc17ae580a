"""Who was not let in is told, and cannot fill the disk by coming again."""

import logging

from turned_clock import Clock

from dicom_node.network.refusals import AGAIN_S, REMEMBERED, Refusals


def journalled(database) -> list[str]:
    with database.reading() as tx:
        return [entry.text for entry in tx.journal.recent(5000) if entry.event == "refused"]


def test_each_refusal_is_logged_and_the_same_one_journalled_once_a_minute(database, caplog):
    clock = Clock()
    refusals = Refusals(database, clock=clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            refusals.tell("'X' from 10.1.2.3 was rejected")
    assert len(caplog.records) == 5
    assert journalled(database) == ["'X' from 10.1.2.3 was rejected"]
    clock.now += AGAIN_S
    refusals.tell("'X' from 10.1.2.3 was rejected")
    refusals.tell("'Y' from 10.1.2.3 was rejected")
    assert len(journalled(database)) == 3


def test_a_flood_of_different_ones_is_journalled_up_to_a_bound_and_then_again(database):
    clock = Clock()
    refusals = Refusals(database, clock=clock)
    for number in range(REMEMBERED + 50):
        refusals.tell(f"title {number}")
    assert len(journalled(database)) == REMEMBERED
    clock.now += AGAIN_S
    refusals.tell("a new one")
    assert len(journalled(database)) == REMEMBERED + 1


def test_a_database_that_is_away_stops_nobody(database, caplog):
    database.close()
    (refusals := Refusals(database)).tell("first")
    assert refusals is not None
    assert "first" in caplog.text
