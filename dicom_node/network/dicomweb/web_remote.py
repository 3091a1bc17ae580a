"""An archive that is asked by QIDO-RS whether a study is here in full, and gives what is not by WADO-RS (PS3.18 10.4).

What it gives is kept by the receiver as what comes by C-STORE is: the data set as sent, in the syntax that its head
names, after the same checks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from dicom_node.errors import PeerError, Refused, Rejected, Unfinished, Unreachable
from dicom_node.network.acceptor.spool import Spool
from dicom_node.network.dicomweb.multipart_reader import BadMultipart, Parts
from dicom_node.network.dicomweb.qido import FOUND, GONE, NOTHING, Searching
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.dicomweb.web_words import trouble_of
from dicom_node.network.headers.incoming_file import IncomingFile
from dicom_node.network.query import MAX_ANSWERS
from dicom_node.network.receive import Receiver
from dicom_node.network.register import OpenAssociation
from dicom_node.network.retrieve import Brought, Told
from dicom_node.network.statuses import SUCCESS
from dicom_node.network.survey import Gap, Held, Survey, compare

# As they are stored there, in whatever syntax (PS3.18 8.7.3.5.2).
DICOM_FILES = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


@dataclass(frozen=True)
class WebRemote:
    """One server; what it gives goes to `receiver`, and through a new `spool` each on its way there."""

    peer: WebPeer
    our_aet: str
    receiver: Receiver
    spool: Callable[[], Spool]

    def __str__(self) -> str:
        return str(self.peer)

    def survey(self, study_uid: str, held: Held) -> Survey:
        """Compare a study with what is here; `Unreachable`, or `Refused` where the server does not let us search."""
        return compare(Searching(self.peer), study_uid, held)

    def retrieve(self, study_uid: str, survey: Survey, how: str, limit_s: float, told: Told) -> Brought:  # noqa: ARG002
        """Bring what `survey` found missing; there is one way, so `how` makes no difference.

        `Unreachable` where it is not there, or not done within `limit_s` seconds; `Refused` where it will not. What it
        does not give keeps nothing else from being asked for, and is raised in the end.
        """
        sender = OpenAssociation(self.peer.ae_title, self.our_aet, self.peer.host)  # its row ends with its lease
        end, total = time.monotonic() + limit_s, Brought()
        troubles: list[PeerError] = []
        for path, number in _requests(study_uid, survey.gaps):
            rest_s = end - time.monotonic()
            if rest_s <= 0:
                raise Unreachable(f"{self.peer} has not sent everything within {limit_s:.0f} s")
            try:
                for brought in self._brought(path, number, rest_s, sender):
                    total += brought
                    told(total)
            except Rejected:
                raise
            except (Unfinished, Refused) as trouble:
                troubles.append(trouble)
        if troubles:
            raise troubles[0]
        return total

    def _brought(self, path: str, number: int, limit_s: float, sender: OpenAssociation) -> Iterator[Brought]:
        """What comes of one request, instance by instance; all `number` fail where the server does not hold them."""
        with self.peer.asking("GET", path, DICOM_FILES, limit_s=limit_s) as reply:
            if reply.status == NOTHING or reply.status in GONE:
                yield Brought(0, number)
                return
            if reply.status not in FOUND:
                raise trouble_of(reply, self.peer)
            try:
                for count, part in enumerate(Parts(reply.headers.get("content-type", ""), reply.read)):
                    if count >= MAX_ANSWERS:
                        raise Refused(f"{self.peer} gives more than {MAX_ANSWERS} instances of one series")
                    yield self._kept(part, sender)
            except BadMultipart as wrong:
                raise Unfinished(f"{self.peer} gives an answer that {wrong}") from wrong

    def _kept(self, part: Iterable[bytes], sender: OpenAssociation) -> Brought:
        file = IncomingFile(self.spool())
        for piece in part:
            file.write(piece)
        status = self.receiver.take(file.offer(), sender)
        return Brought(1, 0) if status == SUCCESS else Brought(0, 1)


def _requests(study_uid: str, gaps: Iterable[Gap]) -> Iterator[tuple[str, int]]:
    """Paths that bring `gaps`, each with the number of images that are wanted of it.

    A series of which more lacks than is here comes as a whole: what is here already comes again and is kept once.
    Of others each image is asked for by itself, since WADO-RS has no request for some of a series.
    """
    for gap in gaps:
        series = f"/studies/{study_uid}/series/{gap.series_instance_uid}"
        if gap.number > gap.here or not gap.sop_class_uids:
            yield series, gap.number
        else:
            yield from ((f"{series}/instances/{uid}", 1) for uid in gap.sop_class_uids)
