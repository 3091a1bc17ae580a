"""Studies as the console and the API show them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from listening import asked
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, SegmentationStorage

from dicom_node.assembly import Parts
from dicom_node.views.study_views import (
    BadCursor,
    Looking,
    Wished,
    deliveries_page,
    read_cursor,
    studies_page,
    whole_study,
)
from storage.database import Transaction
from storage.deliveries import Setback
from storage.finding.search import Sought
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobState
from storage.records import Instance, InstanceKind, Job, ResultObject, StoredFile

SHOWN, MASKED = Looking(1000.0, names=True), Looking(1000.0)
WHO = ("Doe", "Jane", "P-17", "19700101")


def test_a_page_says_where_the_next_begins(story: Parts) -> None:
    with story.database.reading() as tx:
        first = studies_page(tx, Sought(limit=1), SHOWN)
        second = studies_page(tx, Sought(limit=1, after=read_cursor(first["next"])), SHOWN)
    assert [one["study"] for one in (*first["studies"], *second["studies"])] == ["1.2.4", "1.2.3"]
    assert second["next"] is None


@pytest.mark.parametrize("cursor", ["", "x", "~1.2", "1.0.0~1.2"])
def test_a_cursor_that_is_none_of_ours_is_told(cursor: str) -> None:
    with pytest.raises(BadCursor, match="begin at the first page"):
        read_cursor(cursor)


def test_who_may_is_shown_whose_they_are_and_finds_by_it(story: Parts) -> None:
    with story.database.reading() as tx:
        (one, _) = studies_page(tx, Sought(words="jane"), SHOWN)["studies"]
        view = whole_study(tx, "1.2.3", SHOWN)
    assert one["patient"]["name"] == view["patient"]["name"] == "Doe, Jane"
    assert (one["modalities"], one["series"], one["time_to_result_s"]) == (["[CT]"], 1, None)
    assert [step["step"] for step in view["timeline"]][:3] == ["received", "complete", "routed"]


def test_who_may_not_is_told_nothing_of_it_and_finds_nothing_by_it(story: Parts) -> None:
    with story.database.transaction() as tx:
        tx.journal.add(131.0, "note", "the PACS says: unknown patient Doe^Jane (P-17)", study="1.2.3")
    with story.database.reading() as tx:
        assert studies_page(tx, Sought(words="jane"), MASKED)["studies"] == []
        views = [studies_page(tx, Sought(), MASKED), whole_study(tx, "1.2.3", MASKED),
                 deliveries_page(tx, Wished(), MASKED)]
        assert "Doe" in json.dumps(whole_study(tx, "1.2.3", SHOWN))
    for view in views:
        assert not [word for word in WHO if word in json.dumps(view)]


def test_nor_by_what_a_step_of_the_timeline_quotes_of_a_peer(story: Parts) -> None:
    with story.database.transaction() as tx:
        number = tx.deliveries.add("job-1", "1.2.3", "pacs", DeliveryState.PENDING, 130.0)
        tx.outbox.claim(Sender("pacs"), "deliver", 131.0, 5.0)
        tx.deliveries.dead(number, "deliver", 132.0, Setback("pacs answers 0xA900 (no order for P-17)"))
    with story.database.reading() as tx:
        view = whole_study(tx, "1.2.3", MASKED)
    (note,) = [step["note"] for step in view["timeline"] if step["of"] == "pacs"]
    assert note == "pacs answers 0xA900 (no order for hidden)"


def test_nor_whom_it_named_before_its_header_was_corrected(story: Parts) -> None:
    with story.database.transaction() as tx:
        tx.journal.add(131.0, "note", "series 'Jane, Doe, born 1970-01-01' is a localizer", study="1.2.3")
        old = tx.studies.instances(study_uid="1.2.3")[0]
        for number, name in enumerate(("Roe^Mary", "Poe^Ann")):
            new = replace(old, file=StoredFile(f"{number}.dcm", 10, f"{number}"), received_at=132.0)
            tx.studies.add_instance(new)
            tx.versions.correct(old, new, {"PatientName": name, "PatientID": "P-18"}, copied=True)
            tx.journal.add(133.0, "note", f"series '{name}' is a localizer", study="1.2.3")
            old = new
    with story.database.reading() as tx:
        view = whole_study(tx, "1.2.3", MASKED)
        assert "Doe" in json.dumps(whole_study(tx, "1.2.3", SHOWN))
        lists = [studies_page(tx, Sought(), MASKED), deliveries_page(tx, Wished(), MASKED)]
    said = json.dumps([view, *lists])
    assert "series 'hidden, hidden, born hidden' is a localizer" in said
    assert not [word for word in (*WHO, "1970-01-01", "Roe", "Mary", "Poe", "Ann") if word in said]


def test_deliveries_come_a_page_at_a_time_too(story: Parts) -> None:
    with story.database.reading() as tx:
        first = deliveries_page(tx, Wished(limit=2), SHOWN)
        rest = deliveries_page(tx, Wished(before=first["next"]), SHOWN)
        dead = deliveries_page(tx, Wished((DeliveryState.DEAD,)), SHOWN)
    assert [one["destination"] for one in (*first["deliveries"], *rest["deliveries"])] == ["sent", "dead", "held"]
    assert rest["next"] is None
    assert [one["destination"] for one in dead["deliveries"]] == ["dead"]


def crowd(parts: Parts, studies: int) -> None:
    """So many studies, each with a series, a job and a delivery."""
    with parts.database.transaction() as tx:
        for number in range(studies):
            uid = f"1.9.{number}"
            file = StoredFile(f"{uid}.dcm", 10, uid)
            image = Instance(f"{uid}.1.1", CTImageStorage, f"{uid}.1", uid, ExplicitVRLittleEndian, InstanceKind.IMAGE,
                             file, 100.0 + number, "a", {"Modality": "CT"})
            tx.studies.add_instance(image, {"PatientName": "Doe^Jane"})
            job = Job(f"job-{number}", uid, 1, "r", "liver_tumour", "m", JobState.PENDING, 0, {}, {}, 100.0)
            tx.jobs.add(job)
            tx.deliveries.add(job.job_id, uid, "pacs", DeliveryState.HELD, 100.0)


@pytest.mark.parametrize("looking", [SHOWN, MASKED], ids=["shown", "masked"])
@pytest.mark.parametrize("page", [
    lambda tx, looking, limit: studies_page(tx, Sought(limit=limit), looking)["studies"],
    lambda tx, looking, limit: deliveries_page(tx, Wished(limit=limit), looking)["deliveries"],
], ids=["studies", "deliveries"])
def test_a_page_of_fifty_asks_the_database_as_often_as_one_of_five(
    parts: Parts, page: Callable[[Transaction, Looking, int], list[Any]], looking: Looking
) -> None:
    crowd(parts, 51)
    numbers = []
    for limit in (5, 50):
        with parts.database.reading() as tx, asked(parts.database) as statements:
            assert len(page(tx, looking, limit)) == limit
        numbers.append(len(statements))
    assert numbers[0] == numbers[1] <= 6


def test_a_study_of_many_results_asks_as_often_as_one_of_one(parts: Parts) -> None:
    crowd(parts, 2)
    with parts.database.transaction() as tx:
        for number in range(5):
            tx.jobs.add(Job(f"more-{number}", "1.9.1", 1, "r", "liver_tumour", "m", JobState.DONE, 0, {}, {}, 100.0))
            tx.results.add(ResultObject(f"2.25.{number}", SegmentationStorage, "2.25.9", f"more-{number}", "seg",
                                        StoredFile(f"{number}.dcm", 10, f"{number}")))
    numbers = []
    for uid in ("1.9.0", "1.9.1"):
        with parts.database.reading() as tx, asked(parts.database) as statements:
            whole_study(tx, uid, SHOWN)
        numbers.append(len(statements))
    assert numbers[0] == numbers[1] <= 25
