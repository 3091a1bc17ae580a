"""C-STORE statuses: the ones we answer with, and what a peer's answers mean to us.

PS3.4 B.2.3 and PS3.7 C. One table each way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from dicom_node.errors import BadDataset, DiskFull, NotNegotiated, OutOfResources, ReceiveError, UidMismatch

SUCCESS = 0x0000
UNFORESEEN = 0xC001  # a fault of ours that nobody thought of; the instance was not kept

ANSWERS: dict[type[ReceiveError], int] = {
    OutOfResources: 0xA700,
    DiskFull: 0xA700,
    NotNegotiated: 0x0122,
    UidMismatch: 0xA900,
    BadDataset: 0xC000,
}


def answer_to(error: ReceiveError) -> int:
    """The DIMSE status that tells a sender about `error`."""
    return ANSWERS[type(error)]


class Outcome(Enum):
    """What the sender does next."""

    STORED = "stored"
    WARNING = "stored with warning"
    TRY_AGAIN = "try again"
    REFUSED = "refused"


# First and last code of each range, what it means, and its words.
MEANINGS: tuple[tuple[int, int, Outcome, str], ...] = (
    (0x0000, 0x0000, Outcome.STORED, ""),
    (0x0001, 0x0001, Outcome.WARNING, "requested optional attributes are not supported"),
    (0x0107, 0x0107, Outcome.WARNING, "attribute list error"),
    (0x0110, 0x0110, Outcome.TRY_AGAIN, "processing failure"),
    (0x0111, 0x0111, Outcome.WARNING, "duplicate SOP instance: the peer already holds it"),
    (0x0116, 0x0116, Outcome.WARNING, "attribute value out of range"),
    (0x0117, 0x0117, Outcome.REFUSED, "invalid SOP instance"),
    (0x0122, 0x0122, Outcome.REFUSED, "SOP class not supported"),
    (0x0124, 0x0124, Outcome.REFUSED, "not authorised"),
    (0x0210, 0x0213, Outcome.TRY_AGAIN, "the peer's DIMSE service is in trouble"),
    (0xA700, 0xA7FF, Outcome.TRY_AGAIN, "out of resources"),
    (0xA900, 0xA9FF, Outcome.REFUSED, "data set does not match SOP class"),
    (0xB000, 0xB000, Outcome.WARNING, "data elements were coerced"),
    (0xB006, 0xB006, Outcome.WARNING, "elements were discarded"),
    (0xB007, 0xB007, Outcome.WARNING, "data set does not match SOP class"),
    (0xB001, 0xBFFF, Outcome.WARNING, "stored with an unnamed warning"),
    (0xC000, 0xCFFF, Outcome.REFUSED, "the peer cannot understand it"),
    (0xFE00, 0xFE00, Outcome.TRY_AGAIN, "cancelled"),
)


@dataclass(frozen=True)
class Status:
    """One instance's answer: the code, and a word on it ("" for plain success)."""

    code: int
    text: str = ""
    outcome: Outcome = Outcome.STORED

    @property
    def stored(self) -> bool:
        """Whether the peer keeps the instance."""
        return self.outcome in (Outcome.STORED, Outcome.WARNING)

    def __str__(self) -> str:
        return f"0x{self.code:04X} {self.text}".rstrip()


Told = Callable[[Mapping[str, Status]], None]  # hears at once what became of which instances, by SOP instance UID


def meaning_of(code: int, comment: str = "") -> Status:
    """A peer's status code in words; `comment` is its Error Comment (0000,0902)."""
    outcome, text = next(
        ((outcome, text) for first, last, outcome, text in MEANINGS if first <= code <= last),
        (Outcome.REFUSED, "a status that the standard does not name"),
    )
    return Status(code, f"{text} ({comment})" if comment else text, outcome)


def is_stored(answer: str) -> bool:
    """Whether an answer in its written form ("0xB000 …") says that the peer keeps the instance; no for ""."""
    return bool(answer) and meaning_of(int(answer[:6], 16)).stored


NOT_NEGOTIATED = Status(
    0x0122, "the peer takes neither this SOP class nor, if it does, this transfer syntax", Outcome.REFUSED
)
