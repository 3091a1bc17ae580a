"""Two days without a PACS: results keep being made, none dies, and all arrive afterwards, in order, without a storm."""

from __future__ import annotations

import io
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian
from turned_clock import Clock

from dicom_node.destinations import Destination, DimseDestination, FolderDestination
from dicom_node.network.embedded_archive import EmbeddedArchive
from dicom_node.network.ports import free_port
from dicom_node.network.statuses import Status, Told
from dicom_node.objects.encode import Encoded
from dicom_node.pipeline.backoff import Backoff
from dicom_node.pipeline.deliver import Deliver
from dicom_node.pipeline.give_up import DAY_S, GiveUp
from dicom_node.pipeline.infer import Infer, InferLimits
from dicom_node.pipeline.loop import Stage, start_stage
from dicom_node.pipeline.patience import Patience
from dicom_node.settings import DeliverySettings
from inference.findings import IntendedUse, ModelIdentity, Result
from inference.request import Request
from inference.volume import Grid
from storage.database import Database
from storage.files.folder_archive import FolderArchive
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobState, StudyState
from storage.records import Delivery, Instance, InstanceKind, Job, StoredFile

pytestmark = pytest.mark.filterwarnings(
    # pynetdicom leaves the socket of a connection that was refused to the garbage collector.
    "ignore::pytest.PytestUnraisableExceptionWarning"
)

STUDY = "1.2.3"
HOUR_S = 3600.0
RESULT_EVERY_S = HOUR_S / 2
LIMIT_S = 120.0
TERM_S = 30.0
DEFAULT = DeliverySettings()
MODEL = ModelIdentity("liver", "1", "ab", "us", IntendedUse.CLINICAL)


@dataclass
class Watched:
    """A destination with somebody beside it who notes every call, and how many there are at a time."""

    inner: Destination
    clock: Clock
    calls: list[float] = field(default_factory=list)
    most_at_a_time: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def deliver(self, files: Sequence[Path], told: Told) -> Mapping[str, Status]:
        with self._lock:
            self.calls.append(self.clock.now)
            self._now += 1
            self.most_at_a_time = max(self.most_at_a_time, self._now)
        try:
            return self.inner.deliver(files, told)
        finally:
            with self._lock:
                self._now -= 1


class Device:
    """An executor that is done at once."""

    def run(self, request: Request, report: Callable[[float, str], None]) -> Result:
        return Result("liver_tumour", MODEL, Grid((1, 1, 1), np.eye(4)), "CT", request.scratch / "mask.npy", ())


def encode(job: Job, result: Result, files: Mapping[str, Sequence[Path]]) -> tuple[Encoded, ...]:
    """A report with nothing in it; its UID tells the job's number."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = ComprehensiveSRStorage, f"2.25.{int(job.job_id)}"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = STUDY, "2.25.1000000", "SR"
    written = io.BytesIO()
    dcmwrite(written, data, enforce_file_format=True)
    return (Encoded("sr", data.SOPClassUID, data.SOPInstanceUID, data.SeriesInstanceUID, written.getvalue()),)


class Hospital:
    """A node's stages on a real database, a PACS that is switched on and off, and a folder that is always there."""

    def __init__(self, place: Path, concurrency: int) -> None:
        self.clock = Clock(1_000_000.0)
        self.database = Database.open(f"sqlite:///{place / 'node.db'}")
        self.archive = FolderArchive(place / "archive")
        self.pacs = EmbeddedArchive(place / "pacs", port=free_port())
        self.to_pacs = Watched(
            DimseDestination(ae_title="ARCHIVE", host="127.0.0.1", port=self.pacs.port, concurrency=concurrency),
            self.clock,
        )
        self.to_share = Watched(FolderDestination(path=place / "share"), self.clock)
        self.senders = [
            *(self._deliver("pacs", number, self.to_pacs, concurrency) for number in range(concurrency)),
            self._deliver("share", 0, self.to_share, 1),
        ]
        self.infer = Infer(
            database=self.database,
            archive=self.archive,
            executor=Device(),  # type: ignore[arg-type]
            encode=encode,
            destinations=dict.fromkeys(("pacs", "share"), FolderDestination(path=place)),
            limits=InferLimits(lease_term_s=TERM_S, time_limit_s=60, max_crashes=2),
            scratch=place / "scratch",
            owner="infer",
            clock=self.clock,
        )
        give_up = GiveUp(self.database, {"pacs", "share"}, DEFAULT.give_up_after_days * DAY_S)
        self.stages: list[Stage] = [self.infer, *self.senders, give_up]
        self._numbers = itertools.count(1)
        self._admit()

    def _deliver(self, name: str, number: int, place: Watched, concurrency: int) -> Deliver:
        return Deliver(
            database=self.database,
            archive=self.archive,
            sender=Sender(name, concurrency),
            destination=place,  # type: ignore[arg-type]
            patience=Patience(
                retry=Backoff(DEFAULT.backoff_base_s, DEFAULT.backoff_max_s, DEFAULT.attempts),
                pause=Backoff(DEFAULT.pause_base_s, DEFAULT.pause_max_s, DEFAULT.attempts),
                down_after=DEFAULT.down_after,
            ),
            owner=f"deliver-{name}-{number}",
            lease_term_s=TERM_S,
            clock=self.clock,
            name=f"deliver-{name}-{number}",
        )

    def _admit(self) -> None:
        uid, now = f"{STUDY}.1.1", self.clock.now
        file: StoredFile = self.archive.write(STUDY, uid, [b"pixels"])
        image = Instance(uid, "1.2.840.10008.5.1.4.1.1.2", f"{STUDY}.1", STUDY, "1.2.840.10008.1.2.1",
                         InstanceKind.IMAGE, file, now, "")  # fmt: skip
        with self.database.transaction() as tx:
            tx.studies.add_instance(image)
            tx.studies.move(STUDY, StudyState.COMPLETE, now)
            tx.studies.move(STUDY, StudyState.DISPATCHED, now)

    def order(self) -> None:
        """One more job comes."""
        parameters = {"model": {}, "destinations": ["pacs", "share"], "outputs": ["sr"]}
        inputs = {"CT": {"series": f"{STUDY}.1", "instances": [f"{STUDY}.1.1"]}}
        number = next(self._numbers)
        with self.database.transaction() as tx:
            tx.jobs.add(Job(f"{number:064}", STUDY, 1, "liver", "liver_tumour", "liver", JobState.PENDING, 0,
                            inputs, parameters, self.clock.now))  # fmt: skip

    def pass_time(self, seconds: float, results_every_s: float) -> None:
        """Turn the clock from one event to the next; every stage works until it has nothing to do."""
        end, next_result = self.clock.now + seconds, self.clock.now
        while self.clock.now < end:
            if self.clock.now >= next_result:
                self.order()
                next_result += results_every_s
            for stage in self.stages:
                while stage.step(self.clock.now):
                    pass
            self.clock.now = min(end, next_result, *self._appointments())

    def _appointments(self) -> list[float]:
        """When somebody wants to be woken."""
        with self.database.reading() as tx:
            times = [tx.circuits.get("pacs").next_try_at or 0.0]
            times += [one.next_attempt_at for one in tx.deliveries.list(states=[DeliveryState.PENDING])]
        return [at for at in times if at > self.clock.now]

    def run_free(self) -> None:
        """Every sender in its own thread, as the node runs them, until nothing waits."""
        stop = threading.Event()
        threads = [start_stage(sender, stop, self.clock) for sender in self.senders]
        deadline = time.monotonic() + LIMIT_S
        try:
            while self.waiting():
                assert time.monotonic() < deadline, f"{self.waiting()} still wait"
                time.sleep(0.05)
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def waiting(self) -> dict[str, int]:
        with self.database.reading() as tx:
            return tx.outbox.waiting()

    def deliveries(self, destination: str) -> list[Delivery]:
        with self.database.reading() as tx:
            return [one for one in tx.deliveries.of_study(STUDY) if one.destination == destination]

    def arrived(self) -> list[int]:
        """Numbers of the jobs whose reports the PACS holds, in the order of arrival."""
        return [int(kept.sop_instance_uid.removeprefix("2.25.")) for kept in self.pacs.kept()]

    def told(self) -> list[str]:
        with self.database.reading() as tx:
            return [entry.event for entry in reversed(tx.journal.recent(10_000))]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[[int], Hospital]]:
    """`build(concurrency)` makes a hospital whose PACS takes so many results at a time."""
    built: list[Hospital] = []

    def make(concurrency: int) -> Hospital:
        built.append(Hospital(tmp_path, concurrency))
        return built[-1]

    yield make
    for hospital in built:
        hospital.database.close()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("concurrency", "hours"), [(1, 48), (3, 12)])
def test_a_long_time_without_a_pacs(
    build: Callable[[int], Hospital], concurrency: int, hours: int, record_property: Callable[..., None]
) -> None:
    hospital, down_s, missed = build(concurrency), hours * HOUR_S, 2 * hours
    with hospital.pacs:
        hospital.pass_time(HOUR_S, RESULT_EVERY_S)
        assert hospital.arrived() == [1, 2]
    before = len(hospital.to_pacs.calls)

    hospital.pass_time(down_s, RESULT_EVERY_S)

    attempts = len(hospital.to_pacs.calls) - before
    made = hospital.deliveries("pacs")
    assert len(made) == 2 + missed, "results keep being made"
    assert {one.state for one in hospital.deliveries("share")} == {DeliveryState.SENT}
    assert max(one.sent_at - one.created_at for one in hospital.deliveries("share")) == 0, "nobody else notices"
    assert {one.state for one in made[2:]} == {DeliveryState.PENDING}
    assert {one.faults for one in made} == {0}
    assert hospital.told().count("destination down") == 1
    # Three to see that it is down, then one a pause of ten minutes, a quarter more or less by chance.
    assert down_s / (1.25 * DEFAULT.pause_max_s) <= attempts <= 8 + down_s / (0.75 * DEFAULT.pause_max_s)
    with hospital.database.reading() as tx:
        circuit = tx.circuits.get("pacs")
    assert circuit.down_since is not None
    assert hospital.clock.now - circuit.down_since == down_s, "the first result after the outage began told it"

    with hospital.pacs:
        assert circuit.next_try_at is not None
        assert hospital.clock.now <= circuit.next_try_at <= hospital.clock.now + 1.25 * DEFAULT.pause_max_s
        hospital.clock.now = circuit.next_try_at
        calls = len(hospital.to_pacs.calls)
        hospital.to_pacs.most_at_a_time = 0
        hospital.run_free()
        arrived = hospital.arrived()

    assert sorted(arrived) == list(range(1, 3 + missed)), "all of them"
    assert hospital.pacs.received == 2 + missed, "each of them once"
    assert len(hospital.to_pacs.calls) - calls == missed, "at the first try each"
    assert hospital.to_pacs.most_at_a_time <= concurrency, "without a storm"
    if concurrency == 1:
        assert arrived == sorted(arrived), "in order"
    started = sorted(hospital.deliveries("pacs"), key=lambda one: (one.sent_at, one.delivery_id))
    assert [one.delivery_id for one in started] == sorted(one.delivery_id for one in started)
    assert {one.state for one in hospital.deliveries("pacs")} == {DeliveryState.SENT}
    assert "delivery dead" not in hospital.told()
    assert hospital.told().count("destination back") == 1
    record_property("attempts", attempts)
    record_property("most at a time", hospital.to_pacs.most_at_a_time)
