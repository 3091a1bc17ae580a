"""The Store transaction as a user (STOW-RS, PS3.18 10.5): files go as they lie on the disk, and each is answered for.

Not by dicomweb-client (0.61): its `store_instances` takes data sets and writes them anew, holds a whole request in
memory, raises before it reads the answers of a 409, follows redirects, and tries again with a body that is used up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dicom_node.errors import PeerError, Unfinished
from dicom_node.network.dicomweb.dicom_json import MEDIA_TYPE
from dicom_node.network.dicomweb.multipart import Multipart
from dicom_node.network.dicomweb.stow_answers import statuses_of
from dicom_node.network.dicomweb.web_call import Answer
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.dicomweb.web_words import trouble_of
from dicom_node.network.sending import Outgoing
from dicom_node.network.statuses import SUCCESS, Status, Told

JSON = {"Accept": MEDIA_TYPE}
ANSWERED = (200, 202, 409)  # statuses whose body speaks of each instance
TOO_LARGE = 413


def send(
    files: Sequence[Path], peer: WebPeer, request_bytes: int, told: Told = lambda _: None
) -> dict[str, Status]:
    """Store Part 10 files, as many a request as `request_bytes` holds; answers by SOP instance UID.

    `told` hears those of each request as they come.

    Raises `Unreachable`, `Unfinished`, `Refused` or `Rejected` as C-STORE does (client.send), each with the answers
    until then.
    """
    statuses: dict[str, Status] = {}
    try:
        for batch in batches([Outgoing.of(path) for path in files], request_bytes):
            _store(batch, peer, statuses, told)
    except PeerError as error:
        error.answers = {uid: str(status) for uid, status in statuses.items()}
        raise
    return statuses


def batches(items: Iterable[Outgoing], at_most: int) -> Iterator[list[Outgoing]]:
    """Split `items`, in order, by size; one that is larger than `at_most` goes alone."""
    batch: list[Outgoing] = []
    size = 0
    for item in items:
        length = item.path.stat().st_size
        if batch and size + length > at_most:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield batch


def _store(batch: Sequence[Outgoing], peer: WebPeer, statuses: dict[str, Status], told: Told) -> None:
    """One request, or two of half the size where it takes none so large; `statuses` gets the answers."""
    body = Multipart([item.path for item in batch])
    answer = peer.ask("POST", "/studies", {**JSON, **body.headers}, body)
    if answer.status == TOO_LARGE and len(batch) > 1:
        middle = len(batch) // 2
        _store(batch[:middle], peer, statuses, told)
        _store(batch[middle:], peer, statuses, told)
        return
    if answer.status not in ANSWERED:
        raise trouble_of(answer, peer)
    sent = [str(item.sop_instance_uid) for item in batch]
    # 200 says that everything is stored; some servers leave it at that.
    tacit = answer.status == 200 and _is_empty(answer)
    answers = dict.fromkeys(sent, Status(SUCCESS)) if tacit else statuses_of(answer)
    ours = {uid: answers[uid] for uid in sent if uid in answers}
    statuses.update(ours)
    told(ours)
    if not ours:
        raise trouble_of(answer, peer)
    if silent := len(sent) - len(ours):
        raise Unfinished(f"{peer} does not say what became of {silent} of {len(sent)} objects (HTTP {answer.status})")


def _is_empty(answer: Answer) -> bool:
    """Whether the server said that no body follows, by its length or by a last chunk; one cut off looks alike else."""
    headers = answer.headers
    said = headers.get("content-length") == "0" or headers.get("transfer-encoding", "").lower() == "chunked"
    return said and not answer.body
