"""The Search transaction as a user (QIDO-RS, PS3.18 10.6): what a server holds, asked for page by page.

Answers are bounded in bytes, number and time, and read like everything that comes from strangers; what is no UID is
left out, and of what a server says of a patient nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from pydicom.uid import generate_uid

from dicom_node.errors import Refused, Unfinished
from dicom_node.network.dicomweb.dicom_json import MEDIA_TYPE, parsed, value, values
from dicom_node.network.dicomweb.web_call import LARGEST_ANSWER
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.dicomweb.web_words import trouble_of
from dicom_node.network.headers.elements import count_of
from dicom_node.network.query import MAX_ANSWERS, InstanceAnswer, SeriesAnswer, StudyAnswer
from storage.errors import BadIdentifier
from storage.identifiers import check_uid

PAGE = 100  # results a request: servers refuse to give more than 200, or cut what is more without a word
MOST_PAGES = 5000  # of one question
FOUND = (200, 206)
NOTHING = 204
GONE = (404, 410)

STUDY_INSTANCE_UID, SERIES_INSTANCE_UID = "0020000D", "0020000E"
SOP_CLASS_UID, SOP_INSTANCE_UID = "00080016", "00080018"
STUDY_DATE, STUDY_DESCRIPTION = "00080020", "00081030"
MODALITY, MODALITIES_IN_STUDY = "00080060", "00080061"
SERIES_OF_STUDY, INSTANCES_OF_STUDY, INSTANCES_OF_SERIES = "00201206", "00201208", "00201209"


class Searching:
    """Answers by QIDO-RS what query.Asking answers by C-FIND."""

    def __init__(self, peer: WebPeer) -> None:
        self._peer = peer

    def studies(self, uid: str = "", dates: str = "", modality: str = "") -> list[StudyAnswer]:
        """Studies by UID, or by date (YYYYMMDD or YYYYMMDD-YYYYMMDD) and modality."""
        keys = {"StudyInstanceUID": uid, "StudyDate": dates, "ModalitiesInStudy": modality}
        asked = {key: text for key, text in keys.items() if text} | {"includefield": STUDY_DESCRIPTION}
        return [
            StudyAnswer(
                study_instance_uid=found,
                date=_text(data, STUDY_DATE),
                description=_text(data, STUDY_DESCRIPTION),
                modalities=_modalities(data),
                series=_count(data, SERIES_OF_STUDY),
                instances=_count(data, INSTANCES_OF_STUDY),
            )
            for found, data in self._find("/studies", STUDY_INSTANCE_UID, asked)
        ]

    def series(self, study_uid: str) -> list[SeriesAnswer]:
        """The series of a study; none where the server does not hold it."""
        found = self._find(f"/studies/{study_uid}/series", SERIES_INSTANCE_UID)
        return [
            SeriesAnswer(uid, _text(data, MODALITY).upper(), _count(data, INSTANCES_OF_SERIES)) for uid, data in found
        ]

    def instances(self, study_uid: str, series_uid: str) -> list[InstanceAnswer]:
        """The instances of a series."""
        found = self._find(f"/studies/{study_uid}/series/{series_uid}/instances", SOP_INSTANCE_UID)
        return [InstanceAnswer(uid, _uid(data, SOP_CLASS_UID)) for uid, data in found]

    def _find(self, path: str, unique: str, keys: Mapping[str, str] | None = None) -> Iterator[tuple[str, Any]]:
        """Each result once, with its UID.

        Pages follow until one brings nothing new: a short one is no sign of the end, since servers have limits of
        their own (PS3.18 8.3.4.4), and some give the same page for ever. Is that as long as it may be, more may be
        behind it, and all are asked for at once.
        """
        seen: set[str] = set()
        limit, offset = PAGE, 0
        for _ in range(MOST_PAGES):
            page = _page(self._peer, path, {**(keys or {}), "limit": str(limit), "offset": str(offset)})
            fresh = {uid: data for data in page if (uid := _uid(data, unique)) and uid not in seen}
            yield from fresh.items()
            seen |= fresh.keys()
            if len(seen) > MAX_ANSWERS:
                break
            if limit > PAGE or (not fresh and len(page) != PAGE):
                return
            limit, offset = (PAGE, offset + len(page)) if fresh else (MAX_ANSWERS, 0)
        raise Refused(f"{self._peer} gives more than {MAX_ANSWERS} answers, or {MOST_PAGES} pages, to one question")


def ask(peer: WebPeer) -> None:
    """Return where `peer` is there, lets us in and searches; raise what keeps it from that otherwise.

    It is asked for a study that nobody has, so that it shows us no patient.
    """
    _page(peer, "/studies", {"StudyInstanceUID": generate_uid(), "limit": "1"})


def _page(peer: WebPeer, path: str, keys: Mapping[str, str]) -> list[Any]:
    answer = peer.ask("GET", f"{path}?{urlencode(keys)}", {"Accept": MEDIA_TYPE}, limit_s=peer.line.answer_s)
    # Below /studies nothing is found where the study is not there; /studies itself must be.
    if answer.status == NOTHING or (answer.status in GONE and path != "/studies"):
        return []
    if answer.status not in FOUND:
        raise trouble_of(answer, peer)
    if len(answer.body) >= LARGEST_ANSWER:
        raise Refused(f"{peer} gives more than {LARGEST_ANSWER} bytes to a question for {PAGE} answers")
    found = parsed(answer.body)
    if not isinstance(found, list):
        raise Unfinished(f"{peer} answers a search with something else than DICOM JSON (HTTP {answer.status})")
    return found


def _uid(data: Any, tag: str) -> str:
    try:
        return check_uid(_text(data, tag).strip("\0 "))
    except BadIdentifier:
        return ""


def _text(data: Any, tag: str) -> str:
    found = value(data, tag)
    return found.strip() if isinstance(found, str) else ""


def _modalities(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Of a study; some servers write all of them as one text, as a DICOM file has them."""
    told = [one for one in values(data, MODALITIES_IN_STUDY) if isinstance(one, str)]
    return tuple(part.strip() for one in told for part in one.split("\\"))


def _count(data: Any, tag: str) -> int | None:
    """An integer, which some servers write as a string."""
    return count_of(str(value(data, tag)))
