"""How the rest of the program tells the audit trail: small methods that never block and never fail their caller.

Facts are noted at once; messages are made of them, patients looked up and files written in the writer's thread.
"""

from __future__ import annotations

import getpass
import logging
import os
import socket
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from dicom_node.audit import facts, messages
from dicom_node.audit.arrivals import Arrivals, Arrived
from dicom_node.audit.facts import Code, Happened, Images, Outcome, Participant, Reporter
from dicom_node.audit.writer import Writer
from storage.database import Database
from storage.errors import StorageError
from storage.records import Delivery, Job
from storage.upkeep.cleaning import Gone

log = logging.getLogger(__name__)

ALERT_EVERY_S = 60.0  # one alert of the same node and reason in so long; the others are counted in the next
MOST_SUSPECTS = 1000


def process(role: str, ae_title: str) -> Participant:
    """This process; its id is what the logs show (PS3.15 A.5.2.1)."""
    return Participant(str(os.getpid()), ae_title=ae_title, name=f"segnode {role}", address=socket.gethostname())


def person() -> Participant:
    """Who runs this process, as login@host (PS3.15 A.5.2.1); of root, who became root by sudo."""
    try:
        by_sudo = os.environ.get("SUDO_USER") if os.geteuid() == 0 else None  # others could say what they like
        login = by_sudo or getpass.getuser()
    except (KeyError, OSError):  # an account that the system has no name for
        login = str(os.getuid())
    host = socket.gethostname()
    return Participant(f"{login}@{host}", requestor=True, name=login, address=host)


@dataclass
class _Alerts:
    """Keeps a flood of refusals, each in a thread of its own, from becoming a flood of messages."""

    seen: OrderedDict[tuple[str, str], tuple[float, int]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def worth_telling(self, key: tuple[str, str], now: float) -> int | None:
        """How many like it were kept back before this one; None where this one is kept back too."""
        with self._lock:
            last, kept_back = self.seen.get(key, (float("-inf"), 0))
            if now - last < ALERT_EVERY_S:
                self.seen[key] = (last, kept_back + 1)
                return None
            self.seen[key] = (now, 0)
            self.seen.move_to_end(key)
            if len(self.seen) > MOST_SUSPECTS:
                self.seen.popitem(last=False)
            return kept_back


class Recorder:
    """The audit trail as one process sees it; without a `writer` nothing is recorded.

    `ours` is this process; `peers` are the destinations by name; `database` knows the patients.
    """

    def __init__(
        self,
        writer: Writer | None = None,
        *,
        reporter: Reporter = Reporter(facts.UNKNOWN),  # noqa: B008 (frozen)
        ours: Participant = Participant(facts.UNKNOWN),  # noqa: B008 (frozen)
        peers: Mapping[str, Participant] | None = None,
        database: Database | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._writer = writer
        self._reporter = reporter
        self._ours = ours
        self._peers = peers or {}
        self._database = database
        self._clock = clock
        self._alerts = _Alerts()

    def state(self) -> dict[str, object]:
        """What waits in memory and what was lost, for the heartbeat; empty where nothing is recorded."""
        return self._writer.state() if self._writer else {}

    def know(self, peers: Mapping[str, Participant]) -> None:
        """Destinations by name, where they have changed."""
        self._peers = peers

    def close(self) -> None:
        """Write what waits."""
        if self._writer is not None:
            self._writer.close()

    def started(self) -> None:
        """This process works from now on."""
        event, launcher = self._now(), person()
        self._tell(
            lambda: messages.application_activity(self._reporter, event, self._ours, launcher, start=True)
        )

    def stopped(self, failure: str = "") -> None:
        """This process ends; `failure` where it could not go on."""
        event, launcher = self._now(Outcome.MAJOR_FAILURE if failure else Outcome.SUCCESS, failure), person()
        self._tell(
            lambda: messages.application_activity(self._reporter, event, self._ours, launcher, start=False)
        )

    def arrivals(self, calling_aet: str, address: str) -> Arrivals:
        """The count of a new association's instances."""
        if self._writer is None:
            return Arrivals()
        sender = Participant(f"{calling_aet}@{address}", requestor=True, ae_title=calling_aet, address=address)
        return Arrivals(lambda images: self._begins(sender, self._ours, images), lambda a: self._arrived(sender, a))

    def refused_association(self, calling_aet: str, called_aet: str, address: str, reason: str) -> None:
        """Somebody called who may not, or by a name that is not ours."""
        self.alert(calling_aet, address, f"association of {calling_aet} for {called_aet} refused: {reason}", reason)

    def refused_handshake(self, address: str, reason: str) -> None:
        """A TLS handshake has failed, so that nobody knows by which AE title the other would have called."""
        self.alert("", address, f"TLS handshake with {address} failed: {reason}", reason)

    def alert(self, who: str, address: str, text: str, reason: str, kind: Code = facts.NODE_AUTHENTICATION) -> None:
        """A security alert: `text` tells it, `reason` is what alerts that are alike share."""
        now = self._clock()
        before = self._alerts.worth_telling((address, reason), now) if self._writer else None
        if before is None:
            return
        event = Happened(now, Outcome.MINOR_FAILURE, f"{text} ({before} more before it)" if before else text)
        suspect = Participant(f"{who or facts.UNKNOWN}@{address}", ae_title=who, address=address)
        self._tell(lambda: messages.security_alert(self._reporter, event, self._ours, suspect, kind=kind))

    def inputs_read(self, job: Job) -> None:
        """A model reads a job's images."""
        event = self._now()
        self._tell(
            lambda: messages.instances_accessed(
                self._reporter, event, [self._ours], self._study(job.study_instance_uid), action="R"
            )
        )

    def delivery_begins(self, delivery: Delivery) -> None:
        """A job's result is about to be sent."""
        event, receiver = self._now(), self._peer(delivery.destination)
        self._tell(
            lambda: messages.begin_transferring(
                self._reporter, event, self._sender(), receiver, self._result(delivery)
            )
        )

    def delivery_ended(self, delivery: Delivery, outcome: Outcome, reason: str = "") -> None:
        """An attempt has ended: SUCCESS, MINOR_FAILURE (it is tried again) or SERIOUS_FAILURE (given up)."""
        event, receiver = self._now(outcome, reason), self._peer(delivery.destination)
        self._tell(
            lambda: messages.instances_transferred(
                self._reporter, event, self._sender(), receiver, self._result(delivery), action="R"
            )
        )

    def asked_by_a_person(self, action: Code, study_uid: str, who: Participant | None = None) -> None:
        """A person has the node do something about a study (`PersonAction`): `who`, or who runs this process."""
        self._accessed("U", action, study_uid, who or person())

    def looked_at(self, study_uid: str, who: Participant | None = None) -> None:
        """A person, `who` or who runs this process, was shown a study."""
        self._accessed("R", facts.PersonAction.LOOK, study_uid, who or person())

    def downloaded(self, study_uid: str, who: Participant) -> None:
        """A person is given files of a study."""
        self._accessed("R", facts.PersonAction.DOWNLOAD, study_uid, who)

    def signed_in(self, who: Participant, failure: str = "") -> None:
        """A person has signed in, or with a `failure` was kept from it."""
        event = self._now(Outcome.MINOR_FAILURE if failure else Outcome.SUCCESS, failure)
        self._tell(lambda: messages.user_authentication(self._reporter, event, who, self._ours, login=True))

    def signed_out(self, who: Participant) -> None:
        """A person has signed out."""
        event = self._now()
        self._tell(lambda: messages.user_authentication(self._reporter, event, who, self._ours, login=False))

    def user_changed(
        self, name: str, text: str, who: Participant | None = None, kind: Code = facts.USER_CHANGED
    ) -> None:
        """What user `name` is or may do was changed by `who`, or by who runs this process."""
        self._security(f"urn:segnode:user:{quote(name)}", text, who, kind)

    def peer_touched(
        self, name: str, text: str, who: Participant | None = None, kind: Code = facts.NETWORK_CONFIGURATION
    ) -> None:
        """How peer `name` is called, or who may come in, was changed by `who`; with another `kind`, it was called."""
        self._security(f"urn:segnode:peer:{quote(name)}", text, who, kind)

    def bundle_taken(self, who: Participant | None = None) -> None:
        """What the node says of itself was taken away, for somebody who helps, by `who` or who runs this process."""
        self._security("urn:segnode:support-bundle", "a support bundle was written", who, facts.RESTRICTED_FUNCTION)

    def model_touched(
        self, name: str, text: str, who: Participant | None = None, kind: Code = facts.RESTRICTED_FUNCTION
    ) -> None:
        """What `who`, or who runs this process, had done with an installed model."""
        event, people = self._now(), [who or person(), self._ours]
        subject = f"urn:segnode:model:{quote(name)}"
        self._tell(
            lambda: messages.security_changed(self._reporter, event, people, subject, text, kind=kind)
        )

    def data_moved(self, uri: str, text: str, who: Participant | None = None, *, out: bool) -> None:
        """Data of many patients was written to `uri` (`out`), or read from there; `text` says how much it is."""
        event, people = self._now(), [who or person(), self._ours]
        media = Participant(uri, address=socket.gethostname())
        self._tell(lambda: messages.data_moved(self._reporter, event, people, media, text, out=out))

    def study_deleted(self, gone: Gone, *, by_person: bool, who: Participant | None = None) -> None:
        """All of a study is gone; a minor failure where files of it are left for the sweep.

        `by_person`: because a person wanted that, `who` or who runs this process.
        """
        event = self._now(Outcome.MINOR_FAILURE if gone.failure else Outcome.SUCCESS, gone.failure)
        images = Images.of(gone.study_instance_uid, gone.header)
        deleters = [who or person(), self._ours] if by_person else [self._sender()]
        self._tell(lambda: messages.study_deleted(self._reporter, event, deleters, images))

    def queried(
        self,
        peer: Participant,
        sop_class_uid: str,
        identifier: bytes,
        transfer_syntax_uid: str,
        outcome: Outcome,
        reason: str = "",
    ) -> None:
        """We asked a peer by C-FIND; `identifier` is its encoded data set."""
        event = self._now(outcome, reason)
        self._tell(
            lambda: messages.query(
                self._reporter,
                event,
                self._sender(),
                peer,
                sop_class_uid,
                identifier=identifier,
                transfer_syntax_uid=transfer_syntax_uid,
            )
        )

    def log_read(self, log_uri: str, who: Participant | None = None) -> None:
        """A person, `who` or who runs this process, reads the trail through this program."""
        event, readers = self._now(), [who or person(), self._ours]
        self._tell(lambda: messages.audit_log_used(self._reporter, event, readers, log_uri))

    def _security(self, subject: str, text: str, who: Participant | None, kind: Code) -> None:
        event, people = self._now(), [who or person(), self._ours]
        self._tell(lambda: messages.security_changed(self._reporter, event, people, subject, text, kind=kind))

    def _accessed(self, action: str, kind: Code, study_uid: str, who: Participant) -> None:
        event = self._now()
        self._tell(
            lambda: messages.instances_accessed(
                self._reporter, event, [who, self._ours], self._study(study_uid), action=action, kind=kind
            )
        )

    def _tell(self, make: Callable[[], bytes]) -> None:
        if self._writer is not None:
            self._writer.put(make)

    def _now(self, outcome: Outcome = Outcome.SUCCESS, reason: str = "") -> Happened:
        return Happened(self._clock(), outcome, reason)

    def _sender(self) -> Participant:
        return replace(self._ours, requestor=True)

    def _peer(self, destination: str) -> Participant:
        return self._peers.get(destination) or Participant(destination)

    def _begins(self, sender: Participant, receiver: Participant, images: Images) -> None:
        event = self._now()
        self._tell(lambda: messages.begin_transferring(self._reporter, event, sender, receiver, images))

    def _arrived(self, sender: Participant, arrived: Arrived) -> None:
        event = self._now(arrived.outcome, arrived.reason)
        self._tell(
            lambda: messages.instances_transferred(
                self._reporter, event, sender, self._ours, arrived.images, action=arrived.action
            )
        )

    def _study(self, uid: str, sop_classes: Mapping[str, int] | None = None) -> Images:
        """The study with its patient; a database that does not answer costs the patient, not the message."""
        header: Mapping[str, object] = {}
        try:
            if self._database is not None:
                with self._database.reading() as tx:
                    study = tx.studies.find(uid)
                header = study.header if study else {}
        except StorageError as trouble:
            log.warning("an audit message names no patient: %s", trouble, extra={"study": uid})
        return Images.of(uid, header, sop_classes)

    def _result(self, delivery: Delivery) -> Images:
        classes: Counter[str] = Counter()
        try:
            if self._database is not None:
                with self._database.reading() as tx:
                    objects = tx.results.of_job(delivery.job_id, delivery.variant)
                classes.update(item.sop_class_uid for item in objects)
        except StorageError as trouble:
            log.warning("an audit message counts no objects: %s", trouble, extra={"job": delivery.job_id})
        return self._study(delivery.study_instance_uid, classes)
