"""dicom_node.pipeline.predecessors: the newest earlier results that somebody outside holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dicom_node.pipeline.predecessors import predecessors
from storage.database import Database
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState
from storage.records import Job, ResultObject, StoredFile

STUDY = "1.2.3"


@pytest.fixture
def chain(database: Database, queue: Callable[..., Job]) -> Callable[..., list[str]]:
    """`chain(sent, sent, …)` makes a generation each; the kinds that the next one would name."""

    def make(*sent: bool) -> list[str]:
        first = queue("g0")
        with database.transaction() as tx:
            for number, left in enumerate(sent):
                name = f"g{number}"
                tx.jobs.add(replace(first, job_id=name, parameters={"replaces": f"g{number - 1}"}))
                file = StoredFile(f"{name}.dcm", 1, name)
                tx.results.add(ResultObject(f"2.25.{number}", "1.2", f"2.25.9{number}", name, "sr", file))
                delivery = tx.deliveries.add(name, STUDY, "pacs", DeliveryState.PENDING, 1.0)
                if left:
                    tx.outbox.claim(Sender("pacs"), "me", 1.0, 60.0)
                    tx.deliveries.sent(delivery, "me", 2.0, {})
                else:
                    tx.deliveries.supersede_unsent(name, 1.0)
            last = replace(first, job_id="last", parameters={"replaces": f"g{len(sent) - 1}"})
            return [result.job_id for result in predecessors(tx, last)]

    return make


@pytest.mark.parametrize(
    ("sent", "named"),
    [((True,), ["g0"]), ((False,), []), ((True, True), ["g1"]), ((True, False), ["g0"]), ((False, False), [])],
)
def test_what_never_left_is_nobodys(chain: Callable[..., list[str]], sent: tuple[bool, ...], named: list[str]) -> None:
    assert chain(*sent) == named


def test_a_first_job_and_a_forgotten_one_have_none(database: Database, queue: Callable[..., Job]) -> None:
    job = queue()
    with database.reading() as tx:
        assert predecessors(tx, job) == []
        assert predecessors(tx, replace(job, parameters={"replaces": "gone"})) == []


def test_a_circle_ends(database: Database, queue: Callable[..., Job]) -> None:
    job = queue("g0", parameters={"replaces": "g0"})
    with database.reading() as tx:
        assert predecessors(tx, job) == []
