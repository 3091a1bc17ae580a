"""What a peer answers a C-FIND, C-MOVE or C-GET with: more to come, the end, or an error that says what helps."""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_node.errors import PeerError, Refused, Unreachable
from dicom_node.network.peer import Peer

PENDING = (0xFF00, 0xFF01)
FAILED_IN_PART = 0xB000

# First and last code, whether asking again may help, and the words (PS3.4 C.4.1.1.4, C.4.2.1.5, C.4.3.1.4).
MEANINGS: tuple[tuple[int, int, bool, str], ...] = (
    (0x0110, 0x0110, True, "processing failure"),
    (0x0122, 0x0122, False, "SOP class not supported"),
    (0x0124, 0x0124, False, "not authorised"),
    (0x0210, 0x0213, True, "the peer's DIMSE service is in trouble"),
    (0xA700, 0xA700, True, "out of resources"),
    (0xA701, 0xA701, True, "out of resources: matches cannot be counted"),
    (0xA702, 0xA702, True, "out of resources: sub-operations cannot be performed"),
    (0xA801, 0xA801, False, "move destination unknown: the peer does not know our AE title"),
    (0xA900, 0xA900, False, "identifier does not match SOP class"),
    (0xB000, 0xB000, True, "one or more images could not be sent"),
    (0xC000, 0xCFFF, True, "unable to process"),
    (0xFE00, 0xFE00, True, "cancelled"),
)


def goes_on(status: Dataset, peer: Peer, service: str) -> bool:
    """Whether more answers follow; PeerError where the peer failed, in the standard's words."""
    if "Status" not in status:
        raise Unreachable(f"{peer} did not answer a {service}")
    code = int(status.Status)
    if code in PENDING:
        return True
    if code in (0x0000, FAILED_IN_PART):
        return False
    raise _trouble(code, peer, service, str(status.get("ErrorComment", "")))


def _trouble(code: int, peer: Peer, service: str, comment: str) -> PeerError:
    again, words = next(
        ((again, words) for first, last, again, words in MEANINGS if first <= code <= last),
        (False, "a status that the standard does not name"),
    )
    kind = Unreachable if again else Refused
    return kind(f"{peer} answers the {service} with 0x{code:04X}: {words}", quote=comment)
