"""What a Store answer says of each instance, in the statuses of C-STORE (PS3.18 10.5.3.2 and I.2).

Only UIDs and codes are read: nothing of what a server may quote of a patient.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dicom_node.network.dicomweb.dicom_json import parsed, value, values
from dicom_node.network.dicomweb.dicom_xml import as_json
from dicom_node.network.dicomweb.web_call import Answer
from dicom_node.network.statuses import SUCCESS, Outcome, Status, meaning_of

REFERENCED_SOP_SEQUENCE = "00081199"
FAILED_SOP_SEQUENCE = "00081198"
REFERENCED_SOP_INSTANCE_UID = "00081155"
WARNING_REASON = "00081196"
FAILURE_REASON = "00081197"

UNNAMED_WARNING = 0xBFFF
PROCESSING_FAILURE = 0x0110
# Failures that say that the instance is there: of DICOM, and of Azure, which keeps the first and says no to the second.
DUPLICATES = (0x0111, 0xB00E)


def statuses_of(answer: Answer) -> dict[str, Status]:
    """The status of each instance that `answer` speaks of, by SOP instance UID."""
    told = parsed(answer.body) or as_json(answer.body)
    statuses = {uid: _stored(code) for uid, code in _items(told, REFERENCED_SOP_SEQUENCE, WARNING_REASON)}
    return statuses | {uid: _failed(code) for uid, code in _items(told, FAILED_SOP_SEQUENCE, FAILURE_REASON)}


def _stored(code: int | None) -> Status:
    if not code:
        return Status(SUCCESS)
    status = meaning_of(code)
    return status if status.outcome is Outcome.WARNING else meaning_of(UNNAMED_WARNING, f"warning reason 0x{code:04X}")


def _failed(code: int | None) -> Status:
    if code is None:
        return meaning_of(PROCESSING_FAILURE, "no failure reason is given")
    if code in DUPLICATES:
        return meaning_of(DUPLICATES[0])
    status = meaning_of(code)
    return meaning_of(PROCESSING_FAILURE, f"failure reason 0x{code:04X}") if status.stored else status


def _items(told: Any, sequence: str, reason: str) -> Iterator[tuple[str, int | None]]:
    """UID and code of each item (PS3.18 F.2); items without a UID say nothing of any instance of ours."""
    for item in values(told, sequence):
        uid = value(item, REFERENCED_SOP_INSTANCE_UID)
        if isinstance(uid, str):
            yield uid.strip("\0 "), _code(value(item, reason))


def _code(given: Any) -> int | None:
    """An unsigned short, which some servers write as a string."""
    try:
        code = int(given)
    except (TypeError, ValueError, OverflowError):
        return None
    return code if 0 <= code <= 0xFFFF else None
