"""HTTP statuses that are a no, or not yet: what each means to who asks, in one table (RFC 9110 15, PS3.18 8.5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from dicom_node.errors import PeerError, Refused, Rejected, Unfinished, Unreachable
from dicom_node.network.dicomweb.web_call import Answer, Reply

LONGEST_WAIT_S = 3600.0

# First and last status of each range, whose trouble it is, and the words; the first row that fits counts.
MEANINGS: tuple[tuple[int, int, type[PeerError], str], ...] = (
    (200, 299, Unfinished, "answers something else than it was asked for"),
    (300, 399, Rejected, "sends us on to another address, which is not followed: put that one into the settings"),
    (401, 401, Rejected, "does not accept our credentials: look at authentication"),
    (403, 403, Rejected, "knows us and does not allow this: it must grant our account the right to it"),
    (404, 405, Rejected, "has no such service at this address: look at url"),
    (406, 406, Refused, "does not give it in a form that we take"),
    (407, 407, Rejected, "is behind a proxy that wants credentials"),
    (408, 408, Unfinished, "waited in vain for the end of the request"),
    (409, 409, Unfinished, "kept nothing and does not say why"),
    (410, 410, Rejected, "has no such service at this address any more: look at url"),
    (413, 413, Refused, "takes no request of this size: it must allow larger ones"),
    (415, 415, Refused, "does not take DICOM files"),
    (425, 425, Unreachable, "wants it later"),
    (429, 429, Unreachable, "is asked too often"),
    (400, 499, Refused, "refuses the request as wrong"),
    (501, 501, Rejected, "has no such service: look at url"),
    (502, 503, Unreachable, "is not at its work"),
    (507, 507, Unfinished, "has no room"),
    (500, 599, Unfinished, "has a fault of its own"),
)


def trouble_of(
    answer: Answer | Reply, who: object, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> PeerError:
    """What `answer` means; of what the server says besides, only how long it wants to be left in peace is used."""
    kind, words = next(
        ((kind, words) for first, last, kind, words in MEANINGS if first <= answer.status <= last),
        (Unfinished, "answers what is no HTTP status"),
    )
    wait_s = _retry_after(answer.headers.get("retry-after", ""), now) if issubclass(kind, Unreachable) else 0.0
    patience = f"; it asks for patience of {wait_s:.0f} s" if wait_s else ""
    return kind(f"{who} {words} (HTTP {answer.status}){patience}", wait_s=wait_s)


def _retry_after(text: str, now: Callable[[], datetime]) -> float:
    """Seconds, or a date (RFC 9110 10.2.3); 0 where it is neither."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            seconds = (parsedate_to_datetime(text) - now()).total_seconds()
        except (ValueError, TypeError):  # no date, or one without its zone
            return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT_S)
