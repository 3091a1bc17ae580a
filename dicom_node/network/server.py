"""The node's ear: C-STORE, C-ECHO and storage commitment as a provider, with its checks on who calls whom."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol

from pynetdicom import evt
from pynetdicom.events import Event

from dicom_node.audit.recorder import Recorder
from dicom_node.counting import ACCEPTED, HANDSHAKES, REJECTED, Counts
from dicom_node.network.acceptor.upper_layer import Entity, Limits
from dicom_node.network.admission import HouseRules
from dicom_node.network.balancers import Balancers
from dicom_node.network.commitment_service import CommitmentService, Mode, offer
from dicom_node.network.contexts import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION, supported_contexts
from dicom_node.network.door import Door
from dicom_node.network.listener import Listener, Secured, listen
from dicom_node.network.receive import Receiver
from dicom_node.network.refusals import Refusals
from dicom_node.network.register import Register
from dicom_node.network.tls.settings import ServerTls
from dicom_node.network.tls.tls_keeper import Keeper, TlsState
from storage.archive import Archive
from storage.database import Database

log = logging.getLogger(__name__)

PERMANENT = 0x01  # A-ASSOCIATE-RJ result (PS3.8 9.3.4)
# What our own rejections are counted under: result, source and reason of PS3.8 Table 9-21, see admission.py.
REJECTIONS = {(1, 1, 1): "address", (1, 1, 7): "called_ae_title", (1, 1, 3): "calling_ae_title", (2, 3, 2): "limit",
              (2, 3, 1): "draining"}  # fmt: skip
UNBOUNDED = 1_000_000  # for pynetdicom, which counts connections; the door counts who was let in


class Listening(HouseRules, Protocol):
    """Where we listen, under which name, and to whom."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int | None:
        """Without TLS; 0: any that is free, None: none."""
        ...

    @property
    def tls(self) -> ServerTls | None:
        """The port with TLS, where there is one."""
        ...

    @property
    def max_connections(self) -> int:
        """Of TCP, whether an association was asked for or not."""
        ...

    @property
    def max_pdu_bytes(self) -> int: ...
    @property
    def max_object_bytes(self) -> int:
        """The largest data set that is taken."""
        ...

    @property
    def associate_s(self) -> float:
        """A connection that asks for no association for so long is closed (ARTIM)."""
        ...

    @property
    def idle_s(self) -> float:
        """An association without a word for so long is aborted."""
        ...

    @property
    def balancers(self) -> Sequence[str]:
        """Addresses and networks of those that say whose connection they pass on."""
        ...

    @property
    def drain_s(self) -> float:
        """How long open associations may go on when the node is told to end."""
        ...

    @property
    def lease_term_s(self) -> float:
        """How long the row of an open association outlives a crash of ours."""
        ...


class Server:
    """Storage, commitment and verification SCP; `with Server(…)` listens until the block ends.

    `device_uids` are our own: what bears one of them in its contributing equipment is a result that came back,
    unless it may be a review of one. Who may come in, at either port, is decided by admission.py. BadTlsFiles where
    the files of `tls` make no context.
    """

    def __init__(  # noqa: PLR0913 (its parts, by name)
        self,
        listen: Listening,
        database: Database,
        archive: Archive,
        owner: str,
        *,
        device_uids: frozenset[str] = frozenset(),
        revision: int = 0,
        commitment: CommitmentService | None = None,
        audit: Recorder | None = None,
        counts: Counts | None = None,
    ) -> None:
        self._listen = listen
        self._counts = counts or Counts()
        self._audit = audit or Recorder()
        self._register = Register(database, owner, listen.lease_term_s, audit=self._audit)
        self._receiver = Receiver(
            database, archive, self._register, device_uids=device_uids, revision=revision, counts=self._counts
        )
        self._commitment = commitment or CommitmentService(database, revision=revision)
        self._entity = acceptor(listen, self._commitment.mode)
        self._limits = Limits(
            listen.max_connections, listen.max_object_bytes, archive.incoming, has_room=archive.has_room
        )
        self._refusals = Refusals(database, revision)
        self._door = Door(listen, self._refusals.tell)
        self._keeper = Keeper(listen.tls) if listen.tls else None
        self._listeners: list[Listener] = []

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port that it listens on: the one without TLS where there are two."""
        return self.ports[0]

    @property
    def ports(self) -> list[int]:
        """Every port, the one with TLS last."""
        return [listener.port for listener in self._listeners]

    @property
    def open_associations(self) -> list[Any]:
        """Those of every port that have not ended."""
        return _open_at(self._listeners)

    def tls_states(self) -> list[TlsState]:
        """How TLS fares; empty where it is not spoken."""
        return [self._keeper.state()] if self._keeper else []

    def adopt(self, rules: HouseRules, called: Collection[str], revision: int) -> None:
        """Judge the associations from the next one on by `rules`; open ones go on as they are.

        `called` are the AE titles that a commitment report can go to. Where we listen stays as it is.
        """
        self._door.adopt(rules)
        self._commitment = replace(self._commitment, peers=called, revision=revision)
        self._receiver.revision = self._refusals.revision = revision

    def start(self) -> None:
        """Listen, in threads of its own; OSError where a port is taken."""
        handlers = [
            (evt.EVT_CONN_OPEN, self._door.guard),
            (evt.EVT_C_STORE, self._receiver.store),
            (evt.EVT_N_ACTION, self._asked),
            (evt.EVT_N_EVENT_REPORT, self._told),
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_RELEASED, self._ended),
            (evt.EVT_ABORTED, self._ended),
            (evt.EVT_CONN_CLOSE, self._ended),
        ]
        host, tls = self._listen.host, self._listen.tls
        balancers = Balancers(self._listen.balancers, self._refusals.tell)
        try:
            if self._listen.port is not None:
                plain = (host, self._listen.port)
                self._listeners.append(listen(self._entity, plain, handlers, self._limits, balancers=balancers))
            if tls and self._keeper:
                secured = Secured(self._keeper, tls.handshake_s, self._refusals.tell, self._refused_handshake)
                safe = (host, tls.port)
                self._listeners.append(listen(self._entity, safe, handlers, self._limits, secured, balancers))
        except OSError:
            self._close_ports()
            raise
        self._register.start()
        log.info("listening", extra={"ae_title": self._listen.ae_title, "ports": self.ports, "tls": bool(tls)})

    def stop(self, grace_s: float | None = None) -> None:
        """Take no more associations, let the open ones end within `grace_s` (`drain_s`), abort the rest.

        The ports are closed at once; who is connected and asks for an association only now is told to try again.
        """
        if not self._listeners:
            return
        self._door.close()
        listeners = self._close_ports()
        deadline = time.monotonic() + (self._listen.drain_s if grace_s is None else grace_s)
        while _open_at(listeners) and time.monotonic() < deadline:
            time.sleep(0.02)
        for association in _open_at(listeners):
            association.abort(block=False)
        self._register.stop()

    def _close_ports(self) -> list[Listener]:
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.shutdown()
        return listeners

    def _accepted(self, event: Event) -> None:
        self._counts.add(ACCEPTED)
        self._register.accepted(event.assoc)

    def _rejected(self, event: Event) -> None:
        """Tell the audit trail of one who may not call us; one for whom there is only no room now is no suspect."""
        requestor, answer = event.assoc.requestor, event.assoc.acceptor.primitive
        code = (answer.result, answer.result_source, answer.diagnostic)
        self._counts.add(REJECTED, reason=REJECTIONS.get(code, "other"))
        if answer.result == PERMANENT:
            asked = requestor.primitive
            titles = (asked.calling_ae_title, asked.called_ae_title)
            self._audit.refused_association(*titles, requestor.address, answer.reason_str.lower())

    def _refused_handshake(self, address: str, reason: str) -> None:
        self._counts.add(HANDSHAKES)
        self._audit.refused_handshake(address, reason)

    def _asked(self, event: Event) -> tuple[int, None]:
        return self._commitment.asked(event)

    def _told(self, event: Event) -> tuple[int, None]:
        return self._commitment.told(event)

    def _ended(self, event: Event) -> None:
        self._register.closed(event.assoc)


def _open_at(listeners: list[Listener]) -> list[Any]:
    return [one for listener in listeners for one in listener.active_associations]


def acceptor(listen: Listening, commitment: Mode) -> Entity:
    """The application entity that listens, with every context that it takes."""
    entity = Entity(ae_title=listen.ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION
    entity.supported_contexts = supported_contexts()
    offer(entity, commitment)
    entity.maximum_associations = UNBOUNDED
    entity.maximum_pdu_size = listen.max_pdu_bytes
    entity.acse_timeout = listen.associate_s
    entity.network_timeout = listen.idle_s
    entity.dimse_timeout = listen.idle_s
    return entity
