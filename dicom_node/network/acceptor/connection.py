"""A TCP or TLS connection as an acceptor reads it: PDU by PDU, bounded, and without ever waiting inside of one."""

from __future__ import annotations

import logging
import os
import queue
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

log = logging.getLogger(__name__)

READ_BYTES = 256 * 1024
AREA_BYTES = 2 * READ_BYTES
ROOM_BYTES = 64 * 1024  # for which a read is worth while
AREAS_KEPT = 8
RECORD_BYTES = 16 * 1024  # the most that TLS gives at a time (RFC 8446 5.1)
HEADER = struct.Struct(">BxI")  # PDU type, length (PS3.8 9.3.1)
P_DATA_TF = 0x04
QUICKACK = getattr(socket, "TCP_QUICKACK", socket.TCP_NODELAY)  # where there is none, what is set already
NOTHING = bytearray()  # the area of a connection to which none is lent
# Longest sensible PDU of each other type: requests hold 128 contexts and a user's identity, the rest nearly nothing.
LONGEST = {0x01: 1 << 20, 0x02: 1 << 20, 0x03: 4096, 0x05: 4096, 0x06: 4096, 0x07: 4096}


class Bell:
    """Wakes the thread that polls it; may be rung after it was taken down."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """For a poll."""
        return self._descriptor

    def ring(self) -> None:
        """Wake, or let the next poll return at once."""
        with self._lock:
            if self._descriptor >= 0:
                os.eventfd_write(self._descriptor, 1)

    def hush(self) -> None:
        """Forget that it was rung."""
        try:
            os.eventfd_read(self._descriptor)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Take it down."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1


class Watch:
    """Waits for a bell and for one connection; the system is told only once of which."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell.fileno()
        self._connection = -1
        self._both = select.poll()
        self._both.register(self._bell, select.POLLIN)

    def wait(self, connection: int | None, timeout_s: float) -> tuple[bool, bool]:
        """Whether the bell was rung, and whether there is something to read; None: only the bell is asked.

        A connection that is closed has its end to say.
        """
        if connection is None:
            return bool(wait_for({self._bell: select.POLLIN}, timeout_s)), False
        if connection < 0:
            return False, True
        if connection != self._connection:
            self._both.register(connection, select.POLLIN)
            self._connection = connection
        woken = [descriptor for descriptor, _ in self._both.poll(timeout_s * 1000)]
        return self._bell in woken, connection in woken


class AnnouncedQueue(queue.Queue[Any]):
    """A queue that tells of each item that is put in."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell = tell

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put in and tell."""
        super().put(item, block, timeout)
        self._tell()


class Areas:
    """Memory to read into. It is lent while bytes lie in it, so that a connection without a word holds none."""

    def __init__(self) -> None:
        self._free: list[bytearray] = []

    def lend(self) -> bytearray:
        """One of `AREA_BYTES`."""
        try:
            return self._free.pop()
        except IndexError:
            return bytearray(AREA_BYTES)

    def take_back(self, area: bytearray) -> None:
        """Keep it for the next, unless there are enough, or it was too small for somebody and has grown."""
        if len(area) == AREA_BYTES and len(self._free) < AREAS_KEPT:
            self._free.append(area)


_areas = Areas()


class BufferedSocket(AssociationSocket):
    """A connection that is read as bytes come and gives out whole PDUs; it never waits in the middle of one."""

    def __init__(self, association: Association, connection: socket.socket, longest_data: int) -> None:
        super().__init__(association, client_socket=connection)
        self._longest = {**LONGEST, P_DATA_TF: longest_data}
        self._area = NOTHING
        self._start = self._end = 0  # of what lies there, has come and was not taken
        self.over = False  # nothing will come any more
        self._secured = isinstance(connection, ssl.SSLSocket)
        self._piece = RECORD_BYTES if self._secured else READ_BYTES
        connection.setblocking(False)

    @property
    def waiting(self) -> int:
        """How many bytes have come and were not taken."""
        return self._end - self._start

    @property
    def ready(self) -> bool:
        """True where a PDU can be read, or it is certain that none will come."""
        if self.over:
            return True
        if self.waiting < HEADER.size:
            return False
        kind, length = HEADER.unpack_from(self._area, self._start)
        return self.waiting >= HEADER.size + length or length > self._longest.get(kind, 0)

    @property
    def holds_data(self) -> bool:
        """True where a whole P-DATA-TF PDU stands at the head of what was not taken."""
        if self.waiting < HEADER.size:
            return False
        kind, length = HEADER.unpack_from(self._area, self._start)
        return kind == P_DATA_TF and self.waiting >= HEADER.size + length and length <= self._longest[P_DATA_TF]

    @property
    def too_long(self) -> bool:
        """True where the next PDU announces more than it may hold."""
        if self.waiting < HEADER.size:
            return False
        kind, length = HEADER.unpack_from(self._area, self._start)
        return kind in self._longest and length > self._longest[kind]

    def fill(self) -> None:
        """Take what has come, up to the end of a PDU. TLS may hold bytes that no poll sees: they are taken too."""
        while not self.ready or (self._secured and self.waiting < READ_BYTES and not self.over):
            if not self._receive() or not self._secured:
                return

    def discard(self) -> None:
        """Take what has come and forget it."""
        self.drop(self.waiting)
        self._receive()

    def peek(self) -> memoryview:
        """What has come and was not taken; to be let go before anything else is done here."""
        return memoryview(self._area)[self._start : self._end]

    def drop(self, size: int) -> None:
        """Forget the first bytes of it, which were taken from there."""
        self._start += size
        if self._start >= self._end:
            area, self._area = self._area, NOTHING
            self._start = self._end = 0
            _areas.take_back(area)

    def recv(self, nr_bytes: int) -> bytearray:
        """The next bytes of the PDU that is `ready`; fewer where the peer has gone."""
        taken = self._area[self._start : min(self._start + nr_bytes, self._end)]
        self.drop(len(taken))
        return taken

    def send(self, bytestream: bytes) -> None:
        """Send, within the network timeout; a peer that does not read is treated as gone (Evt17)."""
        rest = memoryview(bytestream)
        patience = self.assoc.network_timeout
        deadline = None if patience is None else time.monotonic() + patience
        try:
            while rest:
                rest = rest[self._send_some(rest, deadline) :]
        except (OSError, ValueError, AttributeError):  # …or closed by another thread
            self.event_queue.put("Evt17")
        else:
            evt.trigger(self.assoc, evt.EVT_DATA_SENT, {"data": bytestream})

    def _send_some(self, rest: memoryview, deadline: float | None) -> int:
        try:
            return int(self.socket.send(rest))
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError) as stopped:
            wanted = select.POLLIN if isinstance(stopped, ssl.SSLWantReadError) else select.POLLOUT
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not wait_for({self.socket.fileno(): wanted}, left):
                raise TimeoutError from None
            return 0

    def _receive(self) -> int:
        """Read once; gives how many bytes came."""
        self._make_room()
        with memoryview(self._area) as area:
            try:
                got: int = self.socket.recv_into(area[self._end :], min(self._piece, len(area) - self._end))
                self.over = self.over or not got
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                got = 0
            except (OSError, ValueError, AttributeError):  # reset, or closed by another thread
                got, self.over = 0, True
        self._end += got
        if got:
            self._acknowledge()
        elif not self.waiting:
            self.drop(0)
        return got

    def _make_room(self) -> None:
        """For at least `ROOM_BYTES` more. The area grows with what has come of a PDU, not with what that announces."""
        if not self._area:
            self._area = _areas.lend()
        elif len(self._area) - self._end < ROOM_BYTES:
            left, old = self.waiting, self._area
            if left + ROOM_BYTES > len(old):
                self._area = bytearray(2 * len(old))
            with memoryview(self._area) as new, memoryview(old) as before:
                new[:left] = before[self._start : self._end]
            self._start, self._end = 0, left

    def _acknowledge(self) -> None:
        """Have the system tell the peer at once that its bytes came.

        A sender that holds back small packets until the ones before are acknowledged (Nagle's algorithm, which DCMTK
        has on) would wait 40 ms for that, several times an image. Linux forgets the wish after a while.
        """
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
        except (OSError, AttributeError):  # closed by another thread
            return

    def _shutdown_socket(self) -> None:
        """Close, also where the peer has gone already."""
        if self.socket is None:
            return
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            log.debug("the peer closed first")
        self.socket.close()


def wait_for(sources: dict[int, int], timeout_s: float | None) -> list[int]:
    """The descriptors that have something to say; one that is closed has its end to say."""
    poller = select.poll()
    for descriptor, wanted in sources.items():
        if descriptor < 0:
            return [descriptor]
        poller.register(descriptor, wanted)
    return [descriptor for descriptor, _ in poller.poll(None if timeout_s is None else timeout_s * 1000)]
