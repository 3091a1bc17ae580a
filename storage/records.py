"""Frozen facts that leave this package; no ORM object does. Times are seconds since the epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from storage.lifecycle import CommitmentState, DeliveryState, FetchState, JobMark, JobState, PromiseState, StudyState


class InstanceKind(StrEnum):
    """What an instance means for a study's completeness."""

    IMAGE = "image"  # may be a job's input; a new one re-opens its study
    RESULT = "result"  # our own, come back; re-opens nothing
    OTHER = "other"  # PR, PDF, RT, dose reports…; indexed, re-opens nothing
    SEGMENTATION = "segmentation"  # a SEG of somebody else: may be a correction of ours, and is read for that
    REPORT = "report"  # an SR of somebody else that may hold measurements: may correct ours, and is read for that
    NOTE = "note"  # a Key Object Selection: may reject other instances (IHE IOCM), and is read for that


REVIEWS = (InstanceKind.SEGMENTATION, InstanceKind.REPORT)  # what may review a result; no job's input hangs on it


class FetchPurpose(StrEnum):
    """Why images are pulled from a peer."""

    MISSING = "missing"  # a study arrived, and its source is asked whether that is all
    PROCESS = "process"  # a person wants a study of an archive to be processed
    PRIOR = "prior"  # another study is compared with it; it is kept and not processed


class Arrival(StrEnum):
    """What `add_instance` found."""

    NEW = "new"
    DUPLICATE = "duplicate"  # same UID, same content: nothing was stored twice
    CONFLICT = "conflict"  # same UID, other content: both kept, flagged
    REPLACED = "replaced"  # same UID, a content that a correction has replaced: the correction stands


@dataclass(frozen=True)
class StoredFile:
    """A Part 10 file that is durable: path below the archive's root, size in bytes, SHA-256 of the data set."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Instance:
    """One SOP instance as it arrived. `header` holds what routing and the reader's checks need, as JSON.

    Of the contents under one UID, that one counts which is no `conflict`.
    """

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    kind: InstanceKind
    file: StoredFile
    received_at: float
    association_id: str
    header: dict[str, Any] = field(default_factory=dict, repr=False)
    conflict: bool = False
    replaced: bool = False  # a conflict because a correction took its place
    correction: str = ""  # SHA-256 of the last correction that changed what results copy; "" where none did
    fetched: bool = False  # it answers a C-MOVE or C-GET of ours


@dataclass(frozen=True)
class Series:
    """One series: its common header (of its first instance) and how many instances arrived."""

    series_instance_uid: str
    study_instance_uid: str
    modality: str
    images: int
    others: int
    header: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Study:
    """One study. `header` holds patient and study attributes; it is never logged.

    `incomplete` says what it lacked when it was given up waiting for, "" where nothing is known to be missing.
    `by_hand`: a person brought it, so what is made of it goes nowhere until somebody asks for that.
    """

    study_instance_uid: str
    state: StudyState
    generation: int
    received_at: float  # first instance
    changed_at: float  # last new image
    calling_aets: tuple[str, ...]
    images: int
    header: dict[str, Any] = field(default_factory=dict, repr=False)
    incomplete: str = ""
    by_hand: bool = False
    wanted_task: str = ""  # the only one to be solved, whatever the routes' conditions say; "": theirs


@dataclass(frozen=True)
class Job:
    """One piece of inference; `job_id` is the hash of inputs, task, model version and parameters."""

    job_id: str
    study_instance_uid: str
    generation: int
    route: str
    task: str
    model: str
    state: JobState
    priority: int  # higher is claimed first
    inputs: dict[str, Any]  # by role: {"series": uid, "instances": [uids in order]}
    parameters: dict[str, Any]  # frozen at dispatch: model settings, destinations, outputs
    created_at: float
    reason: str = ""
    attempts: int = 0
    crashes: int = 0
    progress: float = 0.0
    step: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    lease_owner: str | None = None
    lease_until: float | None = None
    summary: dict[str, Any] = field(default_factory=dict)  # seconds by step, device, volumes
    mark: JobMark = JobMark.NONE
    rejects: str = ""  # the job whose results this one's rejection note rejects

    @property
    def outdated(self) -> bool:
        """Whether a later generation, a correction or a rejection has overtaken what it made: that leaves no more."""
        return self.state is JobState.SUPERSEDED or self.mark is not JobMark.NONE


@dataclass(frozen=True)
class ResultObject:
    """One object that a job made: SEG, SR…"""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    job_id: str
    kind: str  # "seg", "sr"
    file: StoredFile
    removed_at: float | None = None  # retention took the file then
    variant: str = ""  # form in which some destinations want it; "" is the standard


@dataclass(frozen=True)
class Delivery:
    """One job's result to one destination."""

    delivery_id: int
    job_id: str
    study_instance_uid: str
    destination: str
    state: DeliveryState
    attempts: int
    next_attempt_at: float
    created_at: float
    sent_at: float | None = None
    reason: str = ""
    statuses: dict[str, str] = field(default_factory=dict)  # by SOP instance UID: "0x0000", "0xB000 …"
    lease_owner: str | None = None
    lease_until: float | None = None
    priority: int = 0  # its job's; higher is sent first
    queued_at: float = 0.0  # since when it waits: made, or sent off again by a person
    tried_at: float | None = None  # start of the last attempt
    faults: int = 0  # attempts that failed while the destination was well
    via: str = ""  # destination that sends it now, or that holds it or a part of it; "" where none does
    variant: str = ""  # the job's objects of this variant are what is sent

    @property
    def holder(self) -> str:
        """Who has what was sent: the destination that took it, which may have stood in for the one it was meant for."""
        return self.via or self.destination


@dataclass(frozen=True)
class Circuit:
    """How a destination fares. Open: nothing is tried there before `next_try_at`, and then one delivery alone."""

    destination: str
    failures: int = 0  # in a row
    down_since: float | None = None  # when the first of them was
    next_try_at: float | None = None  # None while it is closed
    reason: str = ""  # the last failure's sentence

    @property
    def open(self) -> bool:
        return self.next_try_at is not None

    def down_for(self, seconds: float, now: float) -> bool:
        """Whether it has been down for so long, and the last try confirmed it: no other is due yet."""
        if self.down_since is None or self.next_try_at is None:
            return False
        return self.down_since <= now - seconds and now < self.next_try_at


@dataclass(frozen=True)
class Reference:
    """One instance that a storage commitment is about (PS3.4 J.3.2.1)."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class CommitmentReport:
    """Who takes responsibility for what: instances kept, and the others with the reason (PS3.3 C.14; 0: not said)."""

    committed: tuple[str, ...] = ()
    failed: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Commitment:
    """A storage commitment that we ask of a destination, for a delivery or on behalf of a peer (`promise_id`)."""

    commitment_id: int
    transaction_uid: str
    destination: str
    study_instance_uid: str
    instances: tuple[Reference, ...]
    state: CommitmentState
    attempts: int  # claims since it was last asked for
    asked: int  # how often the destination took such a request for these instances
    next_attempt_at: float
    created_at: float
    asked_at: float | None = None  # when it took this one
    delivery_id: int | None = None
    promise_id: int | None = None
    report: CommitmentReport | None = None
    reason: str = ""
    lease_owner: str | None = None
    lease_until: float | None = None


@dataclass(frozen=True)
class Promise:
    """A storage commitment that the peer `peer_aet` asks of us, whom it called `called_aet`."""

    promise_id: int
    peer_aet: str
    called_aet: str
    transaction_uid: str
    instances: tuple[Reference, ...]
    state: PromiseState
    attempts: int
    next_attempt_at: float
    received_at: float
    report: CommitmentReport | None = None
    reason: str = ""
    lease_owner: str | None = None
    lease_until: float | None = None


@dataclass(frozen=True)
class Wanted:
    """A study that is to be asked for: from which configured peer, why, and for how long.

    `policy` is the caller's and kept as it is. The time of `patience_s` seconds begins with the first attempt,
    which is not made before `not_before`.
    """

    study_instance_uid: str
    peer: str
    purpose: FetchPurpose
    patience_s: float
    not_before: float
    policy: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tally:
    """What a peer said of a study, in images: how many it holds, how many of them are not here; None: not known."""

    expected: int | None = None
    missing: int | None = None
    fetched: int = 0


@dataclass(frozen=True)
class Fetch:
    """One study's fetch; `deadline` is set by its first attempt."""

    study_instance_uid: str
    peer: str
    purpose: FetchPurpose
    state: FetchState
    policy: dict[str, Any]
    patience_s: float
    created_at: float
    next_attempt_at: float
    tally: Tally = field(default_factory=Tally)
    attempts: int = 0
    deadline: float | None = None
    ended_at: float | None = None
    reason: str = ""
    lease_owner: str | None = None
    lease_until: float | None = None


@dataclass(frozen=True)
class JournalEntry:
    """What happened, when, to whom, and under which configuration revision."""

    entry_id: int
    at: float
    event: str  # "received", "complete", "verdict", "job made", "delivered", …
    text: str  # one plain sentence
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    job_id: str = ""
    revision: int = 0
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ProcessRow:
    """A role that runs: told by its heartbeat."""

    role: str
    pid: int
    host: str
    started_at: float
    seen_at: float
    modules: tuple[str, ...]  # which heavy libraries it has loaded
    detail: dict[str, Any] = field(default_factory=dict)

