"""The node's ear: C-STORE and C-ECHO as a provider, with its checks on who calls whom."""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import Protocol

from pynetdicom import evt
from pynetdicom.events import Event

from dicom_node.network.contexts import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION, supported_contexts
from dicom_node.network.receive import Receiver
from dicom_node.network.register import Register
from dicom_node.network.upper_layer import Entity, Limits, WaitingServer, start_server
from storage.archive import INCOMING, Archive
from storage.database import Database

log = logging.getLogger(__name__)

GRACE_S = 10.0


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
    ) -> None:
        self._listen = listen
        self._register = Register(database, owner, listen.lease_term_s)
        self._receiver = Receiver(database, archive, self._register, device_uids=device_uids, revision=revision)
        self._entity = _entity(listen)
        self._limits = Limits(
            listen.max_connections, listen.max_object_bytes, archive.root / INCOMING, has_room=archive.has_room
        )
        self._server: WaitingServer | None = None

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
        self._server = start_server(
            self._entity,
            (self._listen.host, self._listen.port),
            handlers=[
                (evt.EVT_C_STORE, self._receiver.store),
                (evt.EVT_ACCEPTED, self._accepted),
                (evt.EVT_RELEASED, self._ended),
                (evt.EVT_ABORTED, self._ended),
                (evt.EVT_CONN_CLOSE, self._ended),
            ],
            limits=self._limits,
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
            association.abort(block=False)
        self._register.stop()

    def _accepted(self, event: Event) -> None:
        self._register.accepted(event.assoc)

    def _ended(self, event: Event) -> None:
        self._register.closed(event.assoc)


def _entity(listen: Listening) -> Entity:
    entity = Entity(ae_title=listen.ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION
    entity.supported_contexts = supported_contexts()
    entity.require_called_aet = listen.require_called_aet
    entity.require_calling_aet = list(listen.accept_calling_aets)
    entity.maximum_associations = listen.max_associations
    entity.maximum_pdu_size = listen.max_pdu_bytes
    entity.acse_timeout = listen.associate_s
    entity.network_timeout = listen.idle_s
    entity.dimse_timeout = listen.idle_s
    return entity
