"""What each process of a node runs until it is told to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from audit_collector import AuditCollector
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import build_context

from dicom_node.assembly import Parts, assemble, audit_spool, owner
from dicom_node.errors import NodeError, PeerError, Rejected
from dicom_node.network.client import echo, open_association
from dicom_node.network.embedded_archive import EmbeddedArchive
from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port
from dicom_node.network.proposals import Proposed
from dicom_node.running import clock as running_clock
from dicom_node.running import reload, roles, standing_by
from dicom_node.running.heartbeat import Heartbeat
from dicom_node.settings import load
from storage.database import Database
from storage.errors import Unavailable
from storage.lifecycle import StudyState
from storage.people.audit_records import AuditEntry, AuditSought

PATIENCE_S = 60.0


@pytest.fixture
def port(conf: Path) -> int:
    port = free_port()
    with (conf / "node.yaml").open("a") as file:
        file.write(f"port: {port}\n")
    return port


@pytest.fixture
def signals() -> Iterator[None]:
    """A role takes the process's signals; the tests get them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def until_answers(peer: Peer) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return echo(peer)
        except PeerError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_receive_listens_until_it_is_told_to_stop(conf: Path, port: int) -> None:
    parts, stop = assemble(load(conf)), threading.Event()
    role = threading.Thread(target=roles.receive, args=(parts, stop, Heartbeat(parts.database, "receive")))
    role.start()
    peer = Peer(ae_title="SEGNODE", host="127.0.0.1", port=port)
    until_answers(peer)
    stop.set()
    role.join(PATIENCE_S)
    with pytest.raises(PeerError):
        echo(peer)


def test_an_association_outlives_a_change_and_the_next_one_is_judged_by_it(
    conf: Path, port: int, ct_series: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "LOOK_EVERY_S", 0.02)
    parts, stop = assemble(load(conf)), threading.Event()
    heartbeat = Heartbeat(parts.database, "receive")
    role = threading.Thread(target=roles.receive, args=(parts, stop, heartbeat))
    role.start()
    peer = Peer(ae_title="SEGNODE", host="127.0.0.1", port=port)
    until_answers(peer)
    data = dcmread(ct_series[0])
    asked = Proposed([build_context(CTImageStorage, ExplicitVRLittleEndian)])
    with open_association(peer, "CT1", asked) as association:
        with (conf / "node.yaml").open("a") as file:
            file.write("admission:\n  - {ae_titles: [MR1], may: [store]}\n")
        deadline = time.monotonic() + PATIENCE_S
        while heartbeat._facts["revision"]() == parts.revision:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(Rejected):
            echo(peer, calling_aet="CT1")
        echo(peer, calling_aet="MR1")
        assert association is not None
        assert association.send_c_store(data).Status == 0x0000
    stop.set()
    role.join(PATIENCE_S)
    with parts.database.reading() as tx:
        assert tx.studies.get(data.StudyInstanceUID).images == 1
        refusals = [one.revision for one in tx.journal.recent(9) if one.event == "refused"]
    assert refusals == [parts.revision + 1], "and the journal names the revision that judged"


def test_a_taken_port_is_told_in_a_sentence(conf: Path, port: int, tmp_path: Path) -> None:
    parts = assemble(load(conf))
    with (
        EmbeddedArchive(tmp_path / "archive", port=port),
        pytest.raises(NodeError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"),
    ):
        roles.receive(parts, threading.Event(), Heartbeat(parts.database, "receive"))


def test_pipeline_tells_its_workers_and_ends_them(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    class Devices:
        slots = 1
        trouble = "no machine has room"
        running: bool | None = None

        def start(self) -> None:
            self.running = True

        def stop(self) -> None:
            self.running = False

        def pids(self) -> dict[str, int]:
            return {"cpu": 17}

    devices, stop = Devices(), threading.Event()
    heartbeat = Heartbeat(parts.database, "pipeline")
    monkeypatch.setattr(roles, "executor", lambda settings: devices)
    role = threading.Thread(target=roles.pipeline, args=(parts, stop, heartbeat))
    role.start()
    monkeypatch.setattr(reload, "LOOK_EVERY_S", 0.02)
    stages = {"complete", "dispatch", "infer-0", "deliver-share-0", "deliver-share-1", "give-up", "commit"}
    deadline = time.monotonic() + PATIENCE_S
    while not stages <= {thread.name for thread in threading.enumerate()}:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert devices.running
    with (parts.settings.folder / "node.yaml").open("a") as file:
        file.write("  backup: {kind: folder, path: backup}\n")
    while "deliver-backup-0" not in {thread.name for thread in threading.enumerate()}:
        assert time.monotonic() < deadline, "a new destination gets its senders while the others work on"
        time.sleep(0.01)
    assert heartbeat._facts["revision"]() == parts.revision + 1
    stop.set()
    role.join(PATIENCE_S)
    assert devices.running is False
    assert not {*stages, "deliver-backup-0"} & {thread.name for thread in threading.enumerate()}
    assert {name: fact() for name, fact in heartbeat._facts.items()} == {
        "gpus": [], "workers": {"cpu": 17}, "executor": {"trouble": "no machine has room"}, "tls": [],
        "revision": parts.revision + 1, "configuration": {"trouble": ""}
    }


def test_a_role_shows_itself_while_it_runs(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, signals: None
) -> None:
    seen = []

    def role(parts: Parts, stop: threading.Event, heartbeat: Heartbeat) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not seen and time.monotonic() < deadline:
            with parts.database.reading() as tx:
                seen.extend(tx.processes.list(time.time()))
        signal.raise_signal(signal.SIGTERM)
        assert stop.wait(PATIENCE_S), "SIGTERM is how a role is told to stop"

    monkeypatch.setitem(roles.ROLES, "clock", role)
    monkeypatch.setattr(roles, "setup", lambda settings: None)
    roles.run_role("clock", parts)
    assert (seen[0].role, seen[0].detail["revision"]) == ("clock", parts.revision)
    assert seen[0].detail["audit"]["lost"] == 0


def events(parts: Parts) -> list[tuple[str, str]]:
    """Type and outcome of what this node's audit trail tells."""
    told = []
    for message in audit_spool(parts.settings).waiting():
        event = ElementTree.fromstring(message.path.read_text()).find("EventIdentification")
        told.append((event.find("EventTypeCode").get("originalText"), event.get("EventOutcomeIndicator")))
    return told


def test_its_start_and_its_end_are_audited(parts: Parts, monkeypatch: pytest.MonkeyPatch, signals: None) -> None:
    monkeypatch.setitem(roles.ROLES, "clock", lambda *_: None)
    monkeypatch.setattr(roles, "setup", lambda settings: None)
    roles.run_role("clock", parts)
    assert events(parts) == [("Application Start", "0"), ("Application Stop", "0")]


def test_what_a_role_tells_is_sent_from_its_own_machine(
    conf: Path, monkeypatch: pytest.MonkeyPatch, signals: None
) -> None:
    """Where pods share no disk the clock sees none of it, and the last words would go with the pod."""
    monkeypatch.setitem(roles.ROLES, "receive", lambda *_: None)
    monkeypatch.setattr(roles, "setup", lambda settings: None)
    with AuditCollector() as collector:
        syslog = f"{{host: 127.0.0.1, port: {collector.port}, protocol: tcp}}"
        with (conf / "node.yaml").open("a") as file:
            file.write(f"audit: {{mode: syslog, syslog: {syslog}}}\n")
        settings = load(conf)
        roles.run_role("receive", assemble(settings))
    told = [ElementTree.fromstring(one.partition(b"\xef\xbb\xbf")[2]) for one in collector.messages]
    kinds = [message.find("EventIdentification/EventTypeCode").get("originalText") for message in told]
    assert kinds == ["Application Start", "Application Stop"]
    assert audit_spool(settings).waiting() == []


def test_an_end_by_a_failure_is_audited_as_such(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, signals: None
) -> None:
    def role(*_: object) -> None:
        raise NodeError("cannot listen")

    monkeypatch.setitem(roles.ROLES, "clock", role)
    monkeypatch.setattr(roles, "setup", lambda settings: None)
    with pytest.raises(NodeError):
        roles.run_role("clock", parts)
    assert events(parts) == [("Application Start", "0"), ("Application Stop", "12")]


def test_clock_recovers_and_ends(story: Parts) -> None:
    with story.database.transaction() as tx:
        assert tx.jobs.claim("a worker of last week", 200.0, 5.0)
    stop = threading.Event()
    stop.set()
    roles.clock(story, stop, Heartbeat(story.database, "clock"))
    with story.database.reading() as tx:
        assert tx.jobs.get("job-3").lease_owner is None


def test_clock_drops_what_the_console_lists_of_the_audit_trail_after_its_days(parts: Parts) -> None:
    now, days = time.time(), parts.settings.node.audit.listed_days
    with parts.database.transaction() as tx:
        for at in (now - (days + 1) * 86400, now - (days - 1) * 86400):
            tx.audit_records.add(AuditEntry(at, "110103", "", "ada", "1.2.3", "<AuditMessage/>"))

    def listed() -> int:
        with parts.database.reading() as tx:
            return len(tx.audit_records.page(AuditSought(words="ada")))

    stop = threading.Event()
    thread = threading.Thread(target=roles.clock, args=(parts, stop, Heartbeat(parts.database, "clock")))
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while listed() == 2 and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        stop.set()
        thread.join()
    assert listed() == 1


def test_clock_takes_away_nothing_that_is_old_by_a_leap_of_the_machines_clock(
    story: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The story is of 1970, and so is the clock that is believed."""
    with story.database.transaction() as tx:
        tx.audit_records.add(AuditEntry(100.0, "110103", "", "ada", "1.2.3", "<AuditMessage/>"))
    asked, stop = threading.Semaphore(0), threading.Event()

    def ages(_: float) -> float:
        asked.release()
        return 200.0

    monkeypatch.setattr(running_clock, "RETAIN_EVERY_S", 0.02)
    parts = replace(story, ages=ages)
    thread = threading.Thread(target=roles.clock, args=(parts, stop, Heartbeat(story.database, "clock")))
    thread.start()
    assert all(asked.acquire(timeout=PATIENCE_S) for _ in range(6))
    stop.set()
    thread.join(PATIENCE_S)
    with story.database.reading() as tx:
        assert tx.studies.get("1.2.4").state is StudyState.NOT_ROUTED
        assert tx.audit_records.page(AuditSought(words="ada"))


def test_a_second_clock_stands_by_and_takes_over(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing_by, "LOOK_EVERY_S", 0.02)
    clocks = []
    for database in (parts.database, Database.open(parts.settings.node.database)):
        one = replace(parts, database=database)
        stop, heartbeat = threading.Event(), Heartbeat(database, "clock")
        thread = threading.Thread(target=roles.clock, args=(one, stop, heartbeat))
        thread.start()
        clocks.append((heartbeat, stop, thread, database))
        deadline = time.monotonic() + PATIENCE_S
        while "active" not in heartbeat._facts or (len(clocks) == 1 and not heartbeat._facts["active"]()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    (first, stop_first, thread_first, _), (second, stop_second, thread_second, theirs) = clocks
    assert (first._facts["active"](), second._facts["active"]()) == (True, False)
    stop_first.set()
    thread_first.join(PATIENCE_S)
    while not second._facts["active"]():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    stop_second.set()
    thread_second.join(PATIENCE_S)
    theirs.close()


def test_a_pipeline_that_ends_hands_back_what_it_holds(story: Parts, caplog: pytest.LogCaptureFixture) -> None:
    with story.database.transaction() as tx:
        assert tx.jobs.claim(owner("infer-0"), time.time(), 600.0)
    with caplog.at_level("INFO"):
        roles.hand_back(story)
        roles.hand_back(story)
    assert [record.message for record in caplog.records] == ["leases handed back"], "and is silent where there is none"
    with story.database.transaction() as tx:
        assert tx.jobs.claim("another", time.time(), 600.0)


def test_leases_that_cannot_be_handed_back_run_out(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(self: Database) -> None:
        raise Unavailable("no answer")

    monkeypatch.setattr(Database, "transaction", away)
    roles.hand_back(parts)
    assert "run out by themselves" in caplog.text
