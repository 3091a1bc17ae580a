"""The only file that knows everyone: settings become parts."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from dicom_node.audit.facts import Participant, Reporter
from dicom_node.audit.recorder import Recorder, process
from dicom_node.audit.spool import Spool
from dicom_node.audit.writer import Writer
from dicom_node.counting import Counts
from dicom_node.errors import NodeError
from dicom_node.masking import masked
from dicom_node.models.installed_models import installed_models
from dicom_node.settings import Settings
from dicom_node.storing import archive_of, require_archive
from dicom_node.this_process import this_process
from dicom_node.witness import participants, witness
from storage.archive import Archive
from storage.database import Database
from storage.errors import StorageError, Unavailable
from storage.recovery import clear_parts
from storage.upkeep.ages import Ages
from storage.upkeep.cleaning import Cleaner
from storage.upkeep.older_database import last_swept

if TYPE_CHECKING:
    from dicom_node.audit.sender import Sender
    from dicom_node.network.dicomweb.web_peer import WebPeer
    from dicom_node.network.dicomweb.web_remote import WebRemote
    from dicom_node.network.peer import Peer
    from dicom_node.network.receive import Receiver
    from dicom_node.network.remote import Remote
    from dicom_node.network.server import Server
    from dicom_node.network.tls.tls_keeper import TlsState
    from dicom_node.pipeline.loop import Stage
    from inference.executors.base import Executor

log = logging.getLogger(__name__)

COMMITMENT_TERM_S = 300.0  # connecting, asking and waiting for a peer takes no longer


@dataclass(frozen=True)
class Parts:
    """What every role shares."""

    settings: Settings
    database: Database
    archive: Archive
    revision: int
    audit: Recorder
    counts: Counts = field(default_factory=Counts)
    ages: Callable[[float], float] = field(default_factory=Ages)

    def close(self) -> None:
        self.audit.close()
        self.database.close()


def assemble(settings: Settings, role: str = "") -> Parts:
    """Open the storage that `settings` name, made where there is none, and record the configuration's revision.

    `role` names this process in the audit trail.
    """
    node = settings.node
    try:
        node.data_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"data folder {node.data_folder} cannot be made: {error.strerror}") from error
    database = Database.open(node.database)
    with database.transaction() as tx:
        revision = tx.revisions.record(settings.sha256, settings.content, time.time())
    try:
        require_archive(settings, database)
        archive = archive_of(settings, database)
        clear_parts(database, archive, time.time())  # of this machine, which may have no role that tidies up
        ages = Ages(last_swept(database))
    except (NodeError, StorageError):
        database.close()
        raise
    return Parts(settings, database, archive, revision, recorder(settings, database, role), ages=ages)


def look_into(settings: Settings) -> Parts:
    """Open the storage of a node that has run, whether it runs now or not; NotFound where none has."""
    database = Database.open(settings.node.database, create=False)
    with database.reading() as tx:
        newest = tx.revisions.newest()
    revision = newest[0] if newest else 0
    return Parts(settings, database, archive_of(settings, database), revision, recorder(settings, database))


def cleaner(parts: Parts, *, by_person: bool = False, who: Participant | None = None) -> Cleaner:
    """Removes what the site's rules let go, by the clock or because a person asks: `who`, or who runs this process."""
    rules = [rule.rule for rule in parts.settings.node.retention]
    told = partial(parts.audit.study_deleted, by_person=by_person, who=who)
    return Cleaner(parts.database, parts.archive, rules, parts.revision, told, masked)


def audit_spool(settings: Settings) -> Spool:
    """Where audit messages wait."""
    audit = settings.node.audit
    return Spool(settings.node.audit_folder, max_bytes=audit.max_bytes, keep_s=audit.keep_days * 86400)


def audit_sender(parts: Parts) -> Sender | None:
    """What empties the spool, or only keeps it within its bounds; None where no trail is kept."""
    from dicom_node.audit.sender import Sender
    from dicom_node.audit.syslog import Syslog

    audit = parts.settings.node.audit
    if audit.mode == "off":
        return None
    collector = Syslog(audit.syslog) if audit.mode == "syslog" and audit.syslog else None
    return Sender(audit_spool(parts.settings), collector, ages=parts.ages)


def recorder(settings: Settings, database: Database | None, role: str = "command") -> Recorder:
    """The audit trail as this process tells it; without a database the console's list misses what is told."""
    node, audit = settings.node, settings.node.audit
    if audit.mode == "off":
        return Recorder()
    source = audit.source_id or f"{node.ae_title}@{socket.gethostname()}"
    return Recorder(
        Writer(audit_spool(settings), database),
        reporter=Reporter(source, audit.enterprise_site_id or ""),
        ours=process(role, node.ae_title),
        peers=participants(settings.destinations()),
        database=database,
    )


def owner(role: str) -> str:
    """Who holds a lease: the process and its role, or a stage of it."""
    return f"{this_process()}:{role}"


def server(parts: Parts) -> Server:
    """The storage provider, which knows our own models' results when they come back."""
    from dicom_node.network.commitment_service import CommitmentService
    from dicom_node.network.server import Server

    node, ours = parts.settings.node, _device_uids(parts.settings)
    commitment = CommitmentService(parts.database, node.commitment.service, frozenset(node.known_peers), parts.revision)
    return Server(
        node,
        parts.database,
        parts.archive,
        owner("receive"),
        device_uids=ours,
        revision=parts.revision,
        commitment=commitment,
        audit=parts.audit,
        counts=parts.counts,
    )


def receiver_for_people(parts: Parts) -> Receiver:
    """What keeps instances that come otherwise than by an association of ours."""
    from dicom_node.network.receive import Receiver
    from dicom_node.network.register import Register

    register = Register(parts.database, owner("web"), parts.settings.node.lease_term_s)
    return Receiver(parts.database, parts.archive, register, device_uids=_device_uids(parts.settings),
                    revision=parts.revision, counts=parts.counts)


def _device_uids(settings: Settings) -> frozenset[str]:
    from dicom_node.objects.identity import device_uids

    return frozenset(uid for model in installed_models(settings).values() for uid in device_uids(model.identity))


def remotes(parts: Parts, role: str) -> Mapping[str, Remote | WebRemote]:
    """Every archive that can be asked and fetched from, by name."""
    from dicom_node.network.acceptor.spool import Spool
    from dicom_node.network.dicomweb.web_peer import WebPeer
    from dicom_node.network.dicomweb.web_remote import WebRemote
    from dicom_node.network.receive import Receiver
    from dicom_node.network.register import Register
    from dicom_node.network.remote import Answering, Remote

    node, ours, archive = parts.settings.node, _device_uids(parts.settings), parts.archive
    spool = partial(Spool, node.max_object_bytes, archive.incoming, archive.has_room)

    def remote(peer: Peer | WebPeer) -> Remote | WebRemote:
        if isinstance(peer, WebPeer):
            register = Register(parts.database, owner(role), node.lease_term_s)
            return WebRemote(peer, node.ae_title, receiver(register), spool)
        register = Answering(parts.database, peer, node.ae_title, owner(role), node.lease_term_s)
        return Remote(peer, node.ae_title, receiver(register), witness(parts.audit))

    def receiver(register: Register) -> Receiver:
        keep = partial(Receiver, parts.database, archive, device_uids=ours, fetched=True, counts=parts.counts)
        return keep(register, revision=parts.revision)

    return {name: remote(peer) for name, peer in parts.settings.archives().items()}


def destination_tls(parts: Parts) -> list[TlsState]:
    """How TLS fares with those destinations that are called by it."""
    from dicom_node.network.tls.tls_keeper import state_of

    destinations = parts.settings.destinations().values()
    return [state_of(tls) for one in destinations if (tls := getattr(one, "tls", None))]


def executor(settings: Settings, *, one: bool = False) -> Executor:
    """Where models run; with `one` a worker on the last device alone, for what has time."""
    if settings.node.ray is not None and settings.node.executor == "ray":
        from inference.executors.ray_cluster import RayCluster

        asked = settings.node.ray
        return RayCluster(asked.model_copy(update={"workers": 1}) if one else asked)
    from inference.executors.devices import resolve
    from inference.executors.processes import Processes

    devices = resolve(settings.node.devices)
    return Processes(devices[-1:] if one else devices)


def stages(parts: Parts, run: Executor) -> Sequence[Stage]:
    """The stages of the walk: one each, one `infer` a device, and one `deliver` for each that a destination takes.

    What leases no rows, and what goes gently, works in one pipeline at a time.
    """
    from dicom_node.encoding import encode_for, encode_rejection_for
    from dicom_node.network.remote import Remote
    from dicom_node.pipeline.alone import Alone
    from dicom_node.pipeline.complete import Complete
    from dicom_node.pipeline.correct import Correct
    from dicom_node.pipeline.dispatch import Dispatch
    from dicom_node.pipeline.fetch import Reconcile
    from dicom_node.pipeline.give_up import DAY_S, GiveUp
    from dicom_node.pipeline.infer import Infer, InferLimits
    from dicom_node.pipeline.recall import Ask
    from dicom_node.pipeline.reject import Reject
    from dicom_node.pipeline.review import Review
    from dicom_node.pipeline.withdraw import Withdraw
    from dicom_node.settings.priors import PriorSettings
    from storage.records import FetchPurpose

    node, settings, destinations = parts.settings.node, parts.settings, parts.settings.destinations()
    limits, models = InferLimits(node.lease_term_s, node.time_limit_s, node.max_crashes), installed_models(settings)
    give_up_s = node.delivery.give_up_after_days * DAY_S
    infers = [
        Infer(
            database=parts.database,
            archive=parts.archive,
            executor=run,
            encode=partial(encode_for, parts.database, destinations),
            destinations=destinations,
            limits=limits,
            scratch=node.scratch_folder,
            owner=owner(f"infer-{number}"),
            revision=parts.revision,
            name=f"infer-{number}",
            audit=parts.audit,
            counts=parts.counts,
            models=models,
        )
        for number in range(run.slots)
    ]
    fetches = [
        Reconcile(
            database=parts.database,
            archives=remotes(parts, name),
            purpose=purpose,
            owner=owner(name),
            lease_term_s=node.lease_term_s,
            max_in_flight=node.backfill.max_in_flight,
            priors=priors,
            revision=parts.revision,
            name=name,
        )
        for name, purpose, priors in (
            ("fetch", FetchPurpose.MISSING, node.priors),
            ("backfill", FetchPurpose.PROCESS, PriorSettings()),  # gently: its archive is asked for the study alone
        )
    ]
    ask = Ask(
        database=parts.database,
        files=parts.archive,
        archives={name: one for name, one in remotes(parts, "recall").items() if isinstance(one, Remote)},
        owner=owner("recall"),
        lease_term_s=node.lease_term_s,
        device_uids=_device_uids(settings),
        revision=parts.revision,
    )

    def alone(stage: Stage) -> Stage:
        return Alone(stage, parts.database.sole(stage.name))

    missing, backfill = fetches
    return [
        alone(Correct(parts.database, parts.archive, parts.revision)),
        alone(Reject(parts.database, parts.archive, parts.revision)),
        alone(Review(parts.database, parts.archive, parts.revision)),
        Complete(parts.database, node.quiet_s, parts.revision, settings.sources(), node.priors),
        missing,
        alone(backfill),
        ask,
        Dispatch(parts.database, settings.routing, models, parts.revision, wait_s=node.priors.wait_s),
        *infers,
        *_senders(parts),
        alone(GiveUp(parts.database, set(destinations), give_up_s, parts.revision, ages=parts.ages)),
        alone(
            Withdraw(
                database=parts.database,
                archive=parts.archive,
                destinations=frozenset(name for name, destination in destinations.items() if destination.iocm),
                encode=encode_rejection_for,
                revision=parts.revision,
            )
        ),
        *_commitment_stages(parts),
    ]


def _senders(parts: Parts) -> Iterator[Stage]:
    """As many senders a destination as it takes deliveries at a time."""
    from dicom_node.destinations.alternatives import chain, stood_in_by
    from dicom_node.pipeline.backoff import Backoff
    from dicom_node.pipeline.deliver import Deliver
    from dicom_node.pipeline.patience import Patience
    from storage.leaving.outbox import Sender

    node, destinations = parts.settings.node, parts.settings.destinations()
    asked = node.delivery
    patience = Patience(
        retry=Backoff(asked.backoff_base_s, asked.backoff_max_s, asked.attempts),
        pause=Backoff(asked.pause_base_s, asked.pause_max_s, asked.attempts),
        down_after=asked.down_after,
    )
    for place, destination in destinations.items():
        alternatives = tuple(chain(place, destinations))
        sender = Sender(place, destination.concurrency, stood_in_by(place, destinations), alternatives)
        for number in range(destination.concurrency):
            name = f"deliver-{place}-{number}"
            yield Deliver(
                database=parts.database,
                archive=parts.archive,
                sender=sender,
                destination=destination,
                patience=patience,
                owner=owner(name),
                lease_term_s=node.lease_term_s,
                commit_after_s=node.commitment.ask_after_s if destination.asks_commitment else None,
                revision=parts.revision,
                audit=parts.audit,
                counts=parts.counts,
                name=name,
            )


def _commitment_stages(parts: Parts) -> Sequence[Stage]:
    """Those that ask destinations to keep our results and, where that is wanted, answer who asks us to keep theirs."""
    from dicom_node.pipeline.answer import Answer
    from dicom_node.pipeline.backoff import Backoff
    from dicom_node.pipeline.commit import Commit, Patience

    node, asked = parts.settings.node, parts.settings.node.commitment
    backoff = Backoff(node.delivery.backoff_base_s, node.delivery.backoff_max_s, node.delivery.attempts)
    commit = Commit(
        database=parts.database,
        destinations=parts.settings.destinations(),
        backoff=backoff,
        patience=Patience(asked.wait_s, asked.ask_again_s, asked.give_up_s),
        owner=owner("commit"),
        lease_term_s=max(node.lease_term_s, COMMITMENT_TERM_S),
        revision=parts.revision,
    )
    if asked.service == "off":
        return [commit]
    answer = Answer(
        database=parts.database,
        archive=parts.archive,
        peers=node.known_peers,
        relay_to=asked.relay_to if asked.service == "relay" else None,
        keep_s=asked.keep_s,
        backoff=backoff,
        owner=owner("answer"),
        lease_term_s=max(node.lease_term_s, COMMITMENT_TERM_S),
        revision=parts.revision,
    )
    return [commit, answer]
