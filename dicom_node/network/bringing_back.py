"""An archive is asked for instances that it was given: whether it lists them, and for the instances themselves.

By DICOM's own protocol that is C-FIND (PS3.4 C.4.1), then C-GET, or C-MOVE to our own AE title where it offers no
C-GET or not everything comes by it; by DICOMweb it is QIDO-RS, then WADO-RS (PS3.18 10.4, 10.6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pynetdicom.events import Event

from dicom_node.errors import PeerError, Refused, Unfinished, Unreachable
from dicom_node.network.dicomweb.multipart_reader import BadMultipart, Parts
from dicom_node.network.dicomweb.qido import FOUND, Searching
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.dicomweb.web_remote import DICOM_FILES
from dicom_node.network.dicomweb.web_words import trouble_of
from dicom_node.network.peer import Peer
from dicom_node.network.query import Witness, asking
from dicom_node.network.retrieve import Parcel, get, move
from dicom_node.network.statuses import SUCCESS

LIMIT_S = 300.0


class Wanted(NamedTuple):
    """One instance, by its UIDs."""

    study: str
    series: str
    instance: str
    sop_class: str


@dataclass(frozen=True)
class Back:
    """Files that came back, by SOP instance UID, and by which service."""

    files: dict[str, Path]
    how: str


@dataclass(frozen=True)
class GivenTo:
    """An archive that results were given to, asked under `our_aet`; `witness` hears of each C-FIND.

    `moved` puts an instance that the archive has sent to our own AE title into a folder, and gives its file; None where
    none has come.
    """

    archive: Peer | WebPeer
    our_aet: str
    moved: Callable[[Wanted, Path], Path | None]
    witness: Witness | None = None

    def listed(self, wanted: Iterable[Wanted]) -> set[str]:
        """Those SOP instance UIDs among `wanted` that it lists; PeerError, `Refused` where it cannot be asked."""
        series = dict.fromkeys((one.study, one.series) for one in wanted)
        if isinstance(self.archive, WebPeer):
            ask = Searching(self.archive)
            return {one.sop_instance_uid for pair in series for one in ask.instances(*pair)}
        with asking(self.archive, self.our_aet, self.witness, LIMIT_S) as found:
            return {one.sop_instance_uid for pair in series for one in found.instances(*pair)}

    def bring(self, wanted: Sequence[Wanted], folder: Path) -> Back:
        """Have `wanted` brought back, into `folder` or through our own receiver.

        PeerError where one does not come; `Refused` where the archive gives nothing to us.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(self.archive, WebPeer):
            return Back({one.instance: _by_web(self.archive, one, folder) for one in wanted}, "WADO-RS")
        try:
            return Back(self._by_get(self.archive, wanted, folder), "C-GET")
        except PeerError as no_get:
            try:
                return Back(self._by_move(self.archive, wanted, folder), "C-MOVE")
            except PeerError as no_move:
                kind = type(no_get) if isinstance(no_move, Refused) else type(no_move)  # what may pass rules
                raise kind(f"{no_get}; {no_move}") from no_move

    def _by_get(self, archive: Peer, wanted: Sequence[Wanted], folder: Path) -> dict[str, Path]:
        came: dict[str, Path] = {}

        def store(event: Event) -> int:
            uid = str(event.request.AffectedSOPInstanceUID)
            if uid in {one.instance for one in wanted}:  # so that it is a UID that we made, and no path
                came[uid] = folder / f"{uid}.dcm"
                came[uid].write_bytes(event.encoded_dataset())
            return SUCCESS

        keep = ([one.sop_class for one in wanted], store)
        get(archive, self.our_aet, [_parcel(one) for one in wanted], keep, LIMIT_S)
        return self._all_of(came, wanted, "C-GET")

    def _by_move(self, archive: Peer, wanted: Sequence[Wanted], folder: Path) -> dict[str, Path]:
        move(archive, self.our_aet, [_parcel(one) for one in wanted], LIMIT_S)
        came = {one.instance: path for one in wanted if (path := self.moved(one, folder)) is not None}
        return self._all_of(came, wanted, "C-MOVE")

    def _all_of(self, came: dict[str, Path], wanted: Sequence[Wanted], service: str) -> dict[str, Path]:
        if lacking := [one.instance for one in wanted if one.instance not in came]:
            raise Unfinished(f"{self.archive} did not send {len(lacking)} of {len(wanted)} instances by {service}")
        return came


def _parcel(one: Wanted) -> Parcel:
    return Parcel(one.study, one.series, (one.instance,))


def _by_web(server: WebPeer, one: Wanted, folder: Path) -> Path:
    path = f"/studies/{one.study}/series/{one.series}/instances/{one.instance}"
    file = folder / f"{one.instance}.dcm"
    with server.asking("GET", path, DICOM_FILES, limit_s=LIMIT_S) as reply:
        if reply.status not in FOUND:
            raise trouble_of(reply, server)
        try:
            with file.open("wb") as sink:
                for piece in next(iter(Parts(reply.headers.get("content-type", ""), reply.read)), ()):
                    sink.write(piece)
        except BadMultipart as wrong:
            raise Unreachable(f"{server} gives an answer that {wrong}") from wrong
    return file
