"""The place where an association's own thread waits while another one talks with the peer.

pynetdicom closes an Event for that and looks at a flag, which is still up for an instant after the association's thread
has passed. Then two threads read, and that thread throws away the answer for which the other waits until it times out.
"""

from __future__ import annotations

import threading

from pynetdicom.association import Association

LOOK_S = 0.01  # how soon the end of an association is noticed


class Checkpoint:
    """In the place of `Association._reactor_checkpoint`: once `clear` is over, the association's thread stands here."""

    def __init__(self, association: Association) -> None:
        self._association = association
        self._change = threading.Condition()
        self._open = True
        self._waiting = False

    def wait(self) -> None:
        """Called by the association's thread: pass when it is open."""
        with self._change:
            self._waiting = True
            self._change.notify_all()
            while not self._open:
                self._change.wait()
            self._waiting = False

    def clear(self) -> None:
        """Close, and return when the association's thread waits here, is the one that asks, or is at its end."""
        association = self._association
        with self._change:
            self._open = False
            if threading.current_thread() is association:
                return
            while not self._waiting and association.is_alive() and not association._kill and not self._open:
                self._change.wait(LOOK_S)

    def set(self) -> None:
        """Open."""
        with self._change:
            self._open = True
            self._change.notify_all()
