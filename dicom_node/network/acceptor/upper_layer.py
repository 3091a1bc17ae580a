"""pynetdicom's upper layer (PS3.8) for an acceptor, waiting where pynetdicom polls, and bounded where it is not.

pynetdicom looks every millisecond, in two threads an association, whether there is something to do; 200 idle
associations leave a sender nothing. Here both threads sleep until the socket, a bell or a timer wakes them.
Negotiation, state machine and timers are pynetdicom's own. What differs, to a peer:

- A PDU longer than was announced is answered by A-ABORT before it is read, one that stops in the middle holds up
  nobody's timer, and one whose answer is not taken ends with the network timeout.
- A message is read only when the one before it is being served, so a peer cannot pile up requests.
- A request for an association is read as the standard has it read (association_request.py).
- A connection that says nothing is no association: it does not count as one, and goes first where room is short.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import InvalidEventError
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from dicom_node.network.acceptor.association_request import ASSOCIATE_RQ, as_it_is_meant
from dicom_node.network.acceptor.connection import LONGEST, AnnouncedQueue, Bell, BufferedSocket, Watch, wait_for
from dicom_node.network.acceptor.messages import BoundedMessages, Limits, name_of
from dicom_node.network.acceptor.proxy_protocol import SIGNATURE, begins_header
from dicom_node.network.acceptor.straight import StraightStores
from dicom_node.network.addresses import unmapped

log = logging.getLogger(__name__)

LINGER_S = 0.5  # how long a peer may take to close first, and so to read our last word
GRAIN_S = 0.005


class WaitingProvider(DULServiceProvider):
    """The state machine's thread: sleeps until the peer, our own side or ARTIM has something to say."""

    def __init__(self, association: WaitingAssociation) -> None:
        super().__init__(association)
        self._run_loop_delay = 0.0
        self._bell = Bell()
        self._watch = Watch(self._bell)
        self._closing_since: float | None = None
        self._stores = StraightStores(association)
        self.to_user_queue = AnnouncedQueue(association.news.set)
        self.daemon = True
        self.over = False

    def run_reactor(self) -> None:
        """Run until the connection is closed; then nobody is left waiting for it."""
        try:
            super().run_reactor()
        except InvalidEventError:
            log.warning("an association ended out of turn")
        finally:
            self.socket._shutdown_socket()
            self._bell.close()
            self.over = True
            self.to_user_queue.put(None)  # "no answer", for who waits for one

    def send_pdu(self, primitive: Any) -> None:
        """Hand over what is to be sent."""
        super().send_pdu(primitive)
        self.ring()

    def kill_dul(self) -> None:
        """Let the thread end."""
        super().kill_dul()
        self.ring()

    def stop_dul(self) -> bool:
        """True where the connection is closed and the thread has ended."""
        if self.state_machine.current_state != "Sta1":
            return False
        self.kill_dul()
        self.join()
        return True

    def ring(self) -> None:
        """Wake the thread: there is something to send, or room for another message."""
        self._bell.ring()

    def _process_recv_primitive(self) -> bool:
        if self.state_machine.current_state == "Sta13":  # too late to say anything
            while not self.to_provider_queue.empty():
                self.to_provider_queue.get_nowait()
            return False
        return bool(super()._process_recv_primitive())

    def _is_transport_event(self) -> bool:
        if self.state_machine.current_state == "Sta13":
            return self._close()
        self._wait()
        while self._takes_stores():
            self._idle_timer.restart()
            if self._kill_thread or not self.event_queue.empty() or not self.to_provider_queue.empty():
                return False
            self._wait()
        return not self._crowded and bool(super()._is_transport_event())

    def _takes_stores(self) -> bool:
        return not self._crowded and self.state_machine.current_state == "Sta6" and self._stores.take(self.socket)

    def idle_timer_expired(self) -> bool:
        """True where the peer was silent for too long; while it is served here it waits for us."""
        return not self._stores.serving and bool(super().idle_timer_expired())

    def _read_pdu_data(self) -> None:
        if self.socket.too_long:
            log.warning("a peer announces a longer PDU than it may send: aborted", extra=name_of(self.assoc))
            self.event_queue.put("Evt19")  # invalid PDU (PS3.8 9.2.1)
        elif begins_header(bytes(self.socket.peek()[: len(SIGNATURE)])):
            self.assoc._server.tell_of_header(self.assoc.requestor.address)
            self.event_queue.put("Evt19")
        else:
            super()._read_pdu_data()

    def _decode_pdu(self, bytestream: bytearray) -> tuple[Any, str]:
        """Decode, and make sure that the state machine will be able to read what was decoded."""
        if bytestream[0] == ASSOCIATE_RQ:
            bytestream = bytearray(as_it_is_meant(bytes(bytestream)))
        pdu, event = super()._decode_pdu(bytestream)
        if event != "Evt10":
            primitive = pdu.to_primitive()
            if event == "Evt6" and not all(c.abstract_syntax for c in primitive.presentation_context_definition_list):
                raise ValueError("a presentation context names no abstract syntax")  # which pynetdicom negotiates on
        return pdu, event

    @property
    def _crowded(self) -> bool:
        return not self.assoc.dimse.msg_queue.empty()

    def _wait(self) -> None:
        if self._kill_thread or not self.event_queue.empty():
            return
        crowded = self._crowded
        if not crowded and self.socket.ready:
            return
        rung, has_come = self._watch.wait(
            None if crowded else self._descriptor(), max(0.0, self.artim_timer.remaining) + GRAIN_S
        )
        if rung:
            self._bell.hush()
        if has_come:
            self.socket.fill()

    def _close(self) -> bool:
        """Sta13: the peer closes first, or is closed soon after; what it still says is not heard (PS3.8 AA-6)."""
        now = time.monotonic()
        self._closing_since = self._closing_since or now
        left = self._closing_since + LINGER_S - now
        if left > 0 and not self.socket.over:
            wait_for({self._descriptor(): select.POLLIN}, left)
            self.socket.discard()
        else:
            self.socket.close()
        return True

    def _descriptor(self) -> int:
        connection = self.socket.socket
        descriptor = -1 if connection is None else connection.fileno()
        if descriptor < 0:
            self.socket.over = True
        return descriptor


class WaitingAssociation(Association):
    """An association whose own thread sleeps until there is a message, an end, or silence for too long."""

    is_established: bool

    def __init__(self, entity: AE, mode: str, limits: Limits) -> None:
        super().__init__(entity, mode)
        self.news = threading.Event()
        self._reacts = False
        self._served = 0  # of the messages that were handed over
        self.dul = WaitingProvider(self)
        self.dimse = BoundedMessages(self, limits)
        self.acse_timeout = entity.acse_timeout  # once more: the setters tell the provider
        self.network_timeout = entity.network_timeout

    @property
    def is_at_leisure(self) -> bool:
        """True where the association is established and its own thread has nothing to do; asked by the other one."""
        return self._reacts and self.is_established and self._served == self.dimse.handed_over

    def kill(self) -> None:
        """End both threads."""
        self._kill = True
        self.news.set()
        super().kill()

    def run_reactor(self) -> None:
        """Negotiate and serve; where a fault of ours ends that, the peer is not left waiting nor its place held."""
        try:
            super().run_reactor()
        finally:
            if not self._kill:
                self.abort()
                self.kill()

    def _run_reactor(self) -> None:
        self._is_paused = False
        self._reacts = True
        while not self._kill:
            self._sleep()
            over = self.dul.over  # looked at first, so that nothing that came before the end is missed
            context_id, message = self.dimse.get_msg()
            if message is not None:
                self._serve_request(message, context_id)
                self.dul._idle_timer.restart()  # our answer is a word, too
                self._served += 1
                self.news.set()
            if self._has_ended() or over:
                self.kill()
            elif self.dul.idle_timer_expired():
                log.info("an association was silent for too long", extra=name_of(self))
                self.abort()
                self.kill()

    def _serve_request(self, message: Any, context_id: int) -> None:
        """Serve here what pynetdicom would serve in a thread of its own (N-EVENT-REPORT), as any other message.

        That thread may be quicker than this one is to learn that the association is established, and then gives no
        answer; and a peer could have as many of them as it likes.
        """
        if threading.current_thread() is self:
            super()._serve_request(message, context_id)
        else:
            self.dimse.msg_queue.put((context_id, message))

    def _sleep(self) -> None:
        timer = self.dul._idle_timer
        self._is_paused = True
        self.news.wait(None if timer.timeout is None else max(0.0, timer.remaining) + GRAIN_S)
        self._reactor_checkpoint.wait()
        self._is_paused = False
        self.news.clear()

    def _has_ended(self) -> bool:
        """Answer a release, take note of an abort."""
        if self.is_established and self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self.is_released = True
        elif self.acse.is_aborted():
            self.dul.receive_pdu(wait=False)
            self.is_aborted = True
        else:
            return False
        self.is_established = False
        evt.trigger(self, evt.EVT_RELEASED if self.is_released else evt.EVT_ABORTED, {})
        return True


class Entity(AE):
    """An application entity that tells connections from associations."""

    @property
    def active_associations(self) -> list[Association]:
        """Those that were asked for and have not ended; `maximum_associations` bounds their number."""
        return [one for one in super().active_associations if one.is_requestor or _counts(one)]


class WaitingHandler(RequestHandler):
    """Makes an association of a connection."""

    server: WaitingServer

    def _create_association(self) -> WaitingAssociation:
        entity, server = self.ae, self.server
        association = WaitingAssociation(entity, "acceptor", server.limits)
        association._server = server
        association.name = f"AcceptorThread@{self.remote.address}"  # the name by which pynetdicom knows its acceptors
        longest = entity.maximum_pdu_size or LONGEST[0x01]
        association.set_socket(BufferedSocket(association, self.request, longest))
        association.requestor.address_info = self.remote
        acceptor = association.acceptor
        acceptor.maximum_length = entity.maximum_pdu_size
        acceptor.ae_title = server.ae_title
        acceptor.address_info = self.local
        acceptor.implementation_class_uid = entity.implementation_class_uid
        acceptor.implementation_version_name = entity.implementation_version_name
        acceptor.supported_contexts = server.contexts  # read only: a copy for each connection would cost 15 ms
        for event, bound in server._handlers.items():
            for handler, arguments in [bound] if isinstance(bound, tuple) else bound:
                association.bind(event, handler, arguments)
        return association


class WaitingServer(ThreadedAssociationServer):
    """Listens; `limits` bounds the connections and what each may send."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *arguments: Any, limits: Limits, **options: Any) -> None:
        self.limits = limits
        self._connections: list[socket.socket] = []
        super().__init__(*arguments, request_handler=WaitingHandler, **options)

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection."""
        connection, address = self.socket.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, (unmapped(address[0]), *address[1:])

    def verify_request(self, request: socket.socket, client_address: Any) -> bool:
        """True where there is room, or room can be made by closing the oldest that has not asked for anything."""
        self._connections = [one for one in self._connections if one.fileno() >= 0]
        if len(self._connections) >= self.limits.max_connections and not self._close_a_silent_one():
            log.warning("no room for a connection", extra={"address": client_address[0]})
            return False
        self._connections.append(request)
        return True

    def tell_of_header(self, address: str) -> None:
        """Tell that a connection began with the PROXY protocol, which nobody there may speak."""
        log.warning("a PROXY header from %s: aborted", address)

    def _close_a_silent_one(self) -> bool:
        """It may still be shaking hands, or be a balancer's without its header."""
        asked = [one.dul.socket.socket for one in self.active_associations if one.requestor.primitive is not None]
        silent = next((one for one in self._connections if one not in asked), None)
        if silent is None:
            return False
        self._connections.remove(silent)
        with contextlib.suppress(OSError):  # it has just gone
            socket.socket.shutdown(silent, socket.SHUT_RDWR)  # past TLS; its own thread closes it
        return True


def _counts(association: Association) -> bool:
    ended = association.is_rejected or association.is_aborted or association.is_released
    return association.requestor.primitive is not None and not ended
