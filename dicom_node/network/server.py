"""The node's ear: C-STORE and C-ECHO as a provider, with its checks on who calls whom."""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import Protocol

from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.transport import ThreadedAssociationServer

from dicom_node.audit.recorder import Recorder
from dicom_node.network.contexts import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION, supported_contexts
from dicom_node.network.receive import Receiver
from dicom_node.network.register import Register
from storage.archive import Archive
from storage.database import Database

log = logging.getLogger(__name__)

GRACE_S = 10.0
PERMANENT = 0x01  # A-ASSOCIATE-RJ result (PS3.8 9.3.4)


class Listening(Protocol):
    """Where we listen, under which name, and to whom. `accept_calling_aets` empty: to everybody."""

    @property
    def ae_title(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int:
        """0: any that is free."""
        ...

    @property
    def require_called_aet(self) -> bool: ...
    @property
    def accept_calling_aets(self) -> tuple[str, ...]: ...
    @property
    def max_associations(self) -> int: ...
    @property
    def max_pdu_bytes(self) -> int: ...
    @property
    def idle_s(self) -> float:
        """An association without a word for so long is aborted."""
        ...

    @property
    def lease_term_s(self) -> float:
        """How long the row of an open association outlives a crash of ours."""
        ...


class Server:
    """Storage and verification SCP; `with Server(…)` listens until the block ends.

    `device_uids` are our own: objects that bear one of them in their contributing equipment are results that
    came back. An association is rejected with the standard's reason (PS3.8 9.3.4): calling title not
    recognised (1, 1, 3), called title not recognised (1, 1, 7), local limit exceeded, transient (2, 3, 2).
    """

    def __init__(
        self,
        listen: Listening,
        database: Database,
        archive: Archive,
        owner: str,
        device_uids: frozenset[str] = frozenset(),
        revision: int = 0,
        audit: Recorder | None = None,
    ) -> None:
        self._listen = listen
        self._audit = audit or Recorder()
        self._register = Register(database, owner, listen.lease_term_s, audit=self._audit)
        self._receiver = Receiver(database, archive, self._register, device_uids=device_uids, revision=revision)
        self._entity = _entity(listen)
        self._server: ThreadedAssociationServer | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1]) if self._server is not None else self._listen.port

    def start(self) -> None:
        """Listen, in threads of its own; OSError where the port is taken."""
        self._server = self._entity.start_server(
            (self._listen.host, self._listen.port),
            block=False,
            evt_handlers=[
                (evt.EVT_C_STORE, self._receiver.store),
                (evt.EVT_ACCEPTED, self._accepted),
                (evt.EVT_REJECTED, self._rejected),
                (evt.EVT_RELEASED, self._ended),
                (evt.EVT_ABORTED, self._ended),
                (evt.EVT_CONN_CLOSE, self._ended),
            ],
        )
        self._register.start()
        log.info("listening", extra={"ae_title": self._listen.ae_title, "port": self.port})

    def stop(self, grace_s: float = GRACE_S) -> None:
        """Take no more associations, let the open ones end within `grace_s`, abort the rest."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.shutdown()
        deadline = time.monotonic() + grace_s
        while server.active_associations and time.monotonic() < deadline:
            time.sleep(0.02)
        for association in server.active_associations:
            association.abort()
        self._register.stop()

    def _accepted(self, event: Event) -> None:
        self._register.accepted(event.assoc)

    def _rejected(self, event: Event) -> None:
        """Tell the audit trail of one who may not call us; one for whom there is only no room now is no suspect."""
        requestor, answer = event.assoc.requestor, event.assoc.acceptor.primitive
        if answer.result == PERMANENT:
            asked = requestor.primitive
            titles = (asked.calling_ae_title, asked.called_ae_title)
            self._audit.refused_association(*titles, requestor.address, answer.reason_str.lower())

    def _ended(self, event: Event) -> None:
        self._register.closed(event.assoc)


def _entity(listen: Listening) -> AE:
    entity = AE(ae_title=listen.ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION
    entity.supported_contexts = supported_contexts()
    entity.require_called_aet = listen.require_called_aet
    entity.require_calling_aet = list(listen.accept_calling_aets)
    entity.maximum_associations = listen.max_associations
    entity.maximum_pdu_size = listen.max_pdu_bytes
    entity.network_timeout = listen.idle_s
    entity.dimse_timeout = listen.idle_s
    return entity
