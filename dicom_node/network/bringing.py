"""What a person brings: files or zips of them, received as they come as if a peer had sent them; what became of it.

Names of files are told to that person only: they may hold a patient's name, and are neither logged nor journalled.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from dicom_node.network.acceptor.spool import Spool
from dicom_node.network.headers.incoming_file import IncomingFile
from dicom_node.network.headers.zip_entries import BadEntry, Zip
from dicom_node.network.receive import Offer, Receiver
from dicom_node.network.register import OpenAssociation
from dicom_node.network.statuses import SUCCESS
from storage.archive import Archive
from storage.database import Database

SENDER = "console"  # stands where a peer's AE title would
ZIP = b"PK\x03\x04"
NO_DICOM = "it is no DICOM file (PS3.10)"
MOST_TOLD = 500  # names of what was skipped; beyond, they are counted


@dataclass(frozen=True)
class Bounds:
    """How large, in bytes, one object, one zip, and all that comes out of a zip may be."""

    object_bytes: int
    zip_bytes: int
    unpacked_bytes: int


@dataclass
class Brought:
    """What became of it: instances by study, and what was skipped, by name and with the reason."""

    studies: Counter[str] = field(default_factory=Counter)
    skipped: list[tuple[str, str]] = field(default_factory=list, repr=False)
    further: int = 0  # that were skipped too, and are not named any more

    def skip(self, name: str, reason: str) -> None:
        """Note what is not taken."""
        if len(self.skipped) < MOST_TOLD:
            self.skipped.append((name, reason))
        else:
            self.further += 1


@dataclass(frozen=True)
class Shelf:
    """Where it goes: what keeps it, the archive that it is spooled beside, and for how long a sign of life is good."""

    database: Database
    archive: Archive
    receiver: Receiver
    owner: str
    term_s: float
    clock: Callable[[], float] = time.time


class Intake(ABC):
    """Files of a person's, as they come in; `brought` says what became of them."""

    def __init__(self, archive: Archive, bounds: Bounds) -> None:
        self._archive = archive
        self.bounds = bounds
        self.brought = Brought()

    @abstractmethod
    def open(self) -> None:
        """Files are about to come."""

    @abstractmethod
    def close(self) -> None:
        """No more of them will."""

    @abstractmethod
    def going_on(self) -> None:
        """More of a file has come; it may take long until that is whole."""

    @abstractmethod
    def want(self, task: str) -> None:
        """Of what comes from now on this task alone is wanted; "" leaves it to the routes."""

    @abstractmethod
    def receive(self, offer: Offer) -> str:
        """Take what a DICOM file holds; why it is not taken, "" where it is. Its study goes into `brought`."""

    def file(self, name: str) -> BroughtFile:
        """The next file, to be written piece by piece."""
        return BroughtFile(name, self)

    def spool(self, limit: int) -> Spool:
        """Where a file waits until it is whole."""
        return Spool(limit, self._archive.incoming, self._archive.has_room)

    def keep(self, name: str, file: IncomingFile) -> None:
        """Receive a file that has come in."""
        offer = file.offer()
        reason = NO_DICOM if offer.content is None else self.receive(offer)
        if reason:
            self.brought.skip(name, reason)

    def unpack(self, name: str, spool: Spool) -> None:
        """Receive the entries of a zip that has come in."""
        if spool.trouble:
            return self.brought.skip(name, spool.trouble)
        try:
            archive = Zip(spool.getbuffer(), self.bounds.unpacked_bytes)
        except BadEntry as bad:
            return self.brought.skip(name, str(bad))
        for entry, info in archive.entries():
            if archive.is_spent:
                return self.brought.skip(name, "the rest of it was not looked at")
            file = IncomingFile(self.spool(self.bounds.object_bytes))
            try:
                for piece in archive.pieces(info):
                    self.going_on()
                    file.write(piece)
            except BadEntry as bad:
                self.brought.skip(entry, str(bad))
                continue
            self.keep(entry, file)
        return None


class Bringing(Intake):
    """What comes is kept, as by one association of `sender`; when that is closed, its studies settle."""

    def __init__(self, shelf: Shelf, bounds: Bounds, sender: OpenAssociation) -> None:
        super().__init__(shelf.archive, bounds)
        self._shelf = shelf
        self._sender = sender
        self._renewed_at = 0.0

    def open(self) -> None:
        self.going_on()

    def close(self) -> None:
        with self._shelf.database.transaction() as tx:
            tx.associations.close(self._sender.association_id, self._shelf.clock())
        self._sender.arrivals.ended()

    def want(self, task: str) -> None:
        self._sender.wanted_task = task

    def receive(self, offer: Offer) -> str:
        self.going_on()
        if self._shelf.receiver.take(offer, self._sender) != SUCCESS:
            return self._sender.last_refusal
        self.brought.studies[self._sender.last_study] += 1
        return ""

    def going_on(self) -> None:
        """Keep the association's row, so that its studies do not settle before the last file."""
        now, shelf, sender = self._shelf.clock(), self._shelf, self._sender
        if now - self._renewed_at < shelf.term_s / 3:
            return
        names = (sender.calling_aet, sender.called_aet, sender.address)
        with shelf.database.transaction() as tx:
            tx.associations.open(sender.association_id, shelf.owner, *names, now, shelf.term_s)
            tx.associations.renew([sender.association_id], now, shelf.term_s)
        self._renewed_at, sender.noted = now, True


class BroughtFile:
    """One file of a person's: an object, or a zip of such; which it is, its first bytes tell."""

    def __init__(self, name: str, bringing: Intake) -> None:
        self._name = name
        self._bringing = bringing
        self._start = b""
        self._zip: Spool | None = None
        self._file: IncomingFile | None = None

    def write(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._bringing.going_on()
        if self._zip is None and self._file is None:
            self._start += piece
            if len(self._start) < len(ZIP):
                return
            piece = self._start
            self._choose()
        if self._zip is not None:
            self._zip.write(piece)
        elif self._file is not None:
            self._file.write(piece)

    def close(self) -> None:
        """All of it has come: receive it."""
        if self._zip is not None:
            self._bringing.unpack(self._name, self._zip)
        elif self._file is not None:
            self._bringing.keep(self._name, self._file)
        elif self._name or self._start:  # a form's empty field has no name
            self._bringing.brought.skip(self._name, NO_DICOM)

    def _choose(self) -> None:
        bounds = self._bringing.bounds
        if self._start.startswith(ZIP):
            self._zip = self._bringing.spool(bounds.zip_bytes)
        else:
            self._file = IncomingFile(self._bringing.spool(bounds.object_bytes))
