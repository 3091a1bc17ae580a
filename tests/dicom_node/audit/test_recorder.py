"""How the program tells the audit trail, and that telling never hurts."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from audit_schema import code, decoded, read
from empty_sqlite import EmptySqlite

from dicom_node.audit import recorder as module
from dicom_node.audit.facts import Outcome, Participant, PersonAction, Reporter
from dicom_node.audit.recorder import Recorder, person, process
from dicom_node.audit.spool import Spool
from dicom_node.audit.writer import Writer
from storage.database import Database
from storage.errors import Unavailable
from storage.lifecycle import DeliveryState, JobState
from storage.records import Delivery, Instance, InstanceKind, Job, ResultObject, StoredFile
from storage.upkeep.cleaning import Gone

CT, SEG = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.66.4"
PACS = Participant("PACS@10.0.0.9:104", ae_title="PACS", address="10.0.0.9")
DELIVERY = Delivery(1, "job", "1.2.3", "pacs", DeliveryState.PENDING, 1, 0.0, 0.0)
JOB = Job("job", "1.2.3", 1, "liver", "liver_tumour", "liver", JobState.PENDING, 0, {}, {}, 0.0)


@pytest.fixture
def database(tmp_path: Path, empty_sqlite: EmptySqlite) -> Iterator[Database]:
    """One study of one patient, with one result."""
    database = Database.open(empty_sqlite(tmp_path / "node.sqlite"))
    file = StoredFile("a.dcm", 1, "a")
    header = {"PatientID": "P-17", "PatientName": "Doe^Jane"}
    with database.transaction() as tx:
        image = Instance("1.2.3.1.1", CT, "1.2.3.1", "1.2.3", "1.2.840.10008.1.2.1", InstanceKind.IMAGE, file, 0.0, "")
        tx.studies.add_instance(image, header)
        tx.jobs.add(JOB)
        tx.results.add(ResultObject("2.25.7", SEG, "2.25.8", "job", "seg", file))
    yield database
    database.close()


@pytest.fixture
def recorder(spool: Spool, database: Database, clock: Any) -> Recorder:
    ours = Participant("4711", ae_title="SEGNODE", name="segnode receive", address="host")
    return Recorder(
        Writer(spool),
        reporter=Reporter("SEGNODE@host"),
        ours=ours,
        peers={"pacs": PACS},
        database=database,
        clock=clock,
    )


@pytest.fixture
def told(recorder: Recorder, spool: Spool) -> Callable[[], list[Element]]:
    """Closes the recorder; every message, checked."""

    def read_all() -> list[Element]:
        recorder.close()
        return [read(message.path.read_bytes()) for message in spool.waiting()]

    return read_all


def event(root: Element) -> tuple[str, str | None, str | None, str]:
    """Event ID, action, outcome, reason."""
    found = root.find("EventIdentification")
    assert found is not None
    reason = found.findtext("EventOutcomeDescription") or ""
    return code(found.find("EventID"))[0], found.get("EventActionCode"), found.get("EventOutcomeIndicator"), reason


def patient(root: Element) -> str | None:
    return root.findall("ParticipantObjectIdentification")[-1].get("ParticipantObjectID")


def users(root: Element) -> list[tuple[str | None, str | None]]:
    return [(who.get("UserID"), who.get("UserIsRequestor")) for who in root.findall("ActiveParticipant")]


def classes(root: Element) -> dict[str | None, str | None]:
    return {item.get("UID"): item.get("NumberOfInstances") for item in root.iter("SOPClass")}


def test_start_and_end_name_the_process_and_who_started_it(
    recorder: Recorder, told: Callable[[], list[Element]]
) -> None:
    recorder.started()
    recorder.stopped()
    start, stop = told()
    assert [code(root.find("EventIdentification/EventTypeCode"))[0] for root in (start, stop)] == ["110120", "110121"]
    assert users(start) == [("4711", "false"), (person().user_id, "true")]


def test_an_association_is_told_when_it_begins_a_study_and_when_it_ends(
    recorder: Recorder, told: Callable[[], list[Element]]
) -> None:
    arrivals = recorder.arrivals("CT1", "10.0.0.7")
    for _ in range(3):
        arrivals.kept("1.2.3", {"PatientID": "P-17"}, CT, held=False)
    arrivals.refused("1.2.3", {"PatientID": "P-17"}, CT, reason="0xA700 no room", again=True)
    arrivals.ended()
    begin, kept, refused = told()
    assert event(begin) == ("110102", "E", "0", "")
    assert event(kept) == ("110104", "C", "0", "")
    assert event(refused) == ("110104", "C", "4", "0xA700 no room")
    assert [classes(root)[CT] for root in (begin, kept, refused)] == ["1", "3", "1"]
    assert users(kept) == [("CT1@10.0.0.7", "true"), ("4711", "false")]
    assert patient(kept) == "P-17"


@pytest.mark.parametrize("outcome", [Outcome.SUCCESS, Outcome.MINOR_FAILURE, Outcome.SERIOUS_FAILURE])
def test_a_delivery_is_told_with_its_true_outcome(
    recorder: Recorder, told: Callable[[], list[Element]], outcome: Outcome
) -> None:
    recorder.delivery_begins(DELIVERY)
    recorder.delivery_ended(DELIVERY, outcome, "as it was")
    begin, end = told()
    assert event(begin)[0] == "110102"
    assert event(end) == ("110104", "R", str(int(outcome)), "as it was")
    assert classes(end) == {SEG: "1"}
    assert users(end) == [("4711", "true"), ("PACS@10.0.0.9:104", "false")]
    assert patient(end) == "P-17"


def test_a_destination_that_is_gone_is_told_by_its_name(
    recorder: Recorder, told: Callable[[], list[Element]]
) -> None:
    recorder.delivery_ended(replace(DELIVERY, destination="gone"), Outcome.SERIOUS_FAILURE)
    (end,) = told()
    assert users(end)[1] == ("gone", "false")


def test_images_that_a_model_reads_are_accessed(recorder: Recorder, told: Callable[[], list[Element]]) -> None:
    recorder.inputs_read(JOB)
    (read_,) = told()
    assert event(read_)[:2] == ("110103", "R")
    assert patient(read_) == "P-17"


def test_what_a_person_asks_names_the_person(recorder: Recorder, told: Callable[[], list[Element]]) -> None:
    recorder.asked_by_a_person(PersonAction.RETRY, "1.2.3")
    recorder.log_read("file:///data/audit")
    asked, seen = told()
    assert event(asked)[:2] == ("110103", "U")
    assert code(asked.find("EventIdentification/EventTypeCode"))[0] == "retry"
    assert users(asked) == [(person().user_id, "true"), ("4711", "false")]
    assert event(seen)[:2] == ("110101", "R")


def test_what_somebody_does_in_the_console_names_who_signed_in(
    recorder: Recorder, told: Callable[[], list[Element]]
) -> None:
    bob = Participant("bob", requestor=True, name="bob", address="10.0.0.9")
    recorder.signed_in(bob, "name or password is wrong")
    recorder.signed_in(bob)
    recorder.asked_by_a_person(PersonAction.RETRY, "1.2.3", bob)
    recorder.looked_at("1.2.3", bob)
    recorder.user_changed("anne", "shut out", bob)
    recorder.signed_out(bob)
    messages = told()
    assert [event(message)[:3] for message in messages] == [
        ("110114", "E", "4"), ("110114", "E", "0"), ("110103", "U", "0"), ("110103", "R", "0"), ("110113", "E", "0"),
        ("110114", "E", "0"),
    ]  # fmt: skip
    assert {users(message)[0] for message in messages} == {("bob", "true")}


@pytest.mark.parametrize(("user", "told"), [(0, "anne"), (4711, "mallory")])
def test_who_works_by_sudo_is_named_and_not_root(monkeypatch: pytest.MonkeyPatch, user: int, told: str) -> None:
    """Anybody can set SUDO_USER for himself, but not for root."""
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("LOGNAME", "root" if user == 0 else "mallory")
    monkeypatch.setenv("SUDO_USER", "anne")
    assert (person().name, person().user_id.partition("@")[0]) == (told, told)


def test_root_without_sudo_is_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("LOGNAME", "root")
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert person().name == "root"


def test_a_deletion_names_whose_it_was(recorder: Recorder, told: Callable[[], list[Element]]) -> None:
    gone = Gone("1.2.9", {"PatientID": "P-18"})
    recorder.study_deleted(gone, by_person=False)
    recorder.study_deleted(gone, by_person=True)
    by_clock, by_hand = told()
    assert event(by_clock) == event(by_hand) == ("110105", "D", "0", "")
    assert users(by_clock) == [("4711", "true")]
    assert users(by_hand) == [(person().user_id, "true"), ("4711", "false")]
    assert patient(by_clock) == "P-18"


def test_a_deletion_that_left_files_for_the_sweep_is_a_minor_failure(
    recorder: Recorder, told: Callable[[], list[Element]]
) -> None:
    recorder.study_deleted(Gone("1.2.9", {"PatientID": "P-18"}, "the disk failed"), by_person=False)
    (half,) = told()
    assert event(half) == ("110105", "D", "4", "the disk failed")
    assert patient(half) == "P-18"


def test_a_query_is_told(recorder: Recorder, told: Callable[[], list[Element]]) -> None:
    recorder.queried(PACS, "1.2.840.10008.5.1.4.1.2.2.1", b"\x08\x00", "1.2.840.10008.1.2.1", Outcome.SUCCESS)
    (asked,) = told()
    assert event(asked)[:2] == ("110112", "E")


class TestAlerts:
    def refuse(self, recorder: Recorder, times: int, address: str = "10.6.6.6", calling: str = "EVIL") -> None:
        for _ in range(times):
            recorder.refused_association(calling, "SEGNODE", address, "calling ae title not recognised")

    def test_name_the_caller_and_the_reason(self, recorder: Recorder, told: Callable[[], list[Element]]) -> None:
        self.refuse(recorder, 1)
        (alert,) = told()
        assert event(alert)[:3] == ("110113", "E", "4")
        (node,) = alert.findall("ParticipantObjectIdentification")
        assert node.get("ParticipantObjectID") == "10.6.6.6"
        detail = node.find("ParticipantObjectDetail")
        assert detail is not None
        assert decoded(detail.get("value", "")) == (
            b"association of EVIL for SEGNODE refused: calling ae title not recognised"
        )

    def test_a_flood_is_one_message_a_minute_with_a_count(
        self, recorder: Recorder, told: Callable[[], list[Element]], clock: Any
    ) -> None:
        for second in range(120):
            self.refuse(recorder, 10, calling=f"EVIL{second}")
            clock.now += 1.0
        alerts = told()
        assert len(alerts) == 2
        assert event(alerts[1])[3].endswith("(599 more before it)")

    def test_another_node_is_another_alert(self, recorder: Recorder, told: Callable[[], list[Element]]) -> None:
        self.refuse(recorder, 1)
        self.refuse(recorder, 1, address="10.6.6.7")
        assert len(told()) == 2

    def test_a_flood_in_many_threads_is_counted_in_full(
        self, recorder: Recorder, told: Callable[[], list[Element]], clock: Any
    ) -> None:
        """Each connection has a thread of its own, and they take turns at the worst moment."""

        class Slow(OrderedDict[Any, Any]):
            def get(self, *arguments: Any) -> Any:
                found = super().get(*arguments)
                time.sleep(0.001)
                return found

        recorder._alerts.seen = Slow()
        flood = [threading.Thread(target=self.refuse, args=(recorder, 5)) for _ in range(8)]
        for thread in flood:
            thread.start()
        for thread in flood:
            thread.join()
        clock.now += 60.0
        self.refuse(recorder, 1)
        _, second = told()
        assert event(second)[3].endswith("(39 more before it)")

    def test_a_failed_handshake_is_one_of_a_node_without_a_name(
        self, recorder: Recorder, told: Callable[[], list[Element]]
    ) -> None:
        for _ in range(3):
            recorder.refused_handshake("10.6.6.6", "it shows no certificate")
        (alert,) = told()
        assert event(alert) == ("110113", "E", "4", "TLS handshake with 10.6.6.6 failed: it shows no certificate")
        assert code(alert.find("EventIdentification/EventTypeCode"))[2] == "Node Authentication"
        assert users(alert)[1] == ("unknown@10.6.6.6", "false")

    def test_many_nodes_take_no_endless_memory(self, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MOST_SUSPECTS", 10)
        for number in range(50):
            self.refuse(recorder, 1, address=f"10.6.6.{number}")
        assert len(recorder._alerts.seen) == 10


def test_a_database_that_does_not_answer_costs_the_patient_and_not_the_message(
    recorder: Recorder,
    told: Callable[[], list[Element]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def away(_: Database) -> None:
        raise Unavailable("the database does not answer")

    monkeypatch.setattr(Database, "reading", away)
    recorder.delivery_ended(DELIVERY, Outcome.SUCCESS)
    (end,) = told()
    assert patient(end) == "unknown"
    assert "names no patient" in caplog.text


def test_telling_takes_no_time(recorder: Recorder) -> None:
    started = time.monotonic()
    for _ in range(500):
        recorder.delivery_ended(DELIVERY, Outcome.SUCCESS)
    assert time.monotonic() - started < 0.5
    recorder.close()


def test_without_a_writer_nothing_happens() -> None:
    silent = Recorder()
    silent.started()
    silent.refused_association("EVIL", "SEGNODE", "10.6.6.6", "no")
    silent.arrivals("CT1", "10.0.0.7").kept("1.2.3", {}, CT, held=False)
    silent.delivery_ended(DELIVERY, Outcome.SUCCESS)
    silent.close()
    assert silent.state() == {}


def test_a_process_is_known_by_what_the_logs_show() -> None:
    me = process("receive", "SEGNODE")
    assert me.user_id.isdigit()
    assert (me.name, me.ae_title) == ("segnode receive", "SEGNODE")
