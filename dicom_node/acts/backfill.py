"""`segnode fetch`: studies of an archive that a person wants processed, found by UID or by day and queued gently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from dicom_node.errors import NoSuchSource
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.peer import Peer
from dicom_node.sources import Backfill, Source
from storage.database import Transaction
from storage.identifiers import check_uid
from storage.lifecycle import FetchState, StudyState
from storage.records import FetchPurpose, Wanted

if TYPE_CHECKING:
    from dicom_node.network.dicomweb.qido import Searching
    from dicom_node.network.query import Asking, StudyAnswer, Witness
    from dicom_node.settings import Settings

ENDED = (FetchState.DONE, FetchState.GIVEN_UP)


@dataclass(frozen=True)
class Days:
    """Studies of these days, both included, and of one modality where that is given."""

    first: date
    last: date
    modality: str = ""


def source_called(settings: Settings, name: str | None) -> Source:
    """The archive to fetch from: the named one, or the only one that is a source. NoSuchSource."""
    sources = list(settings.node.sources.values())
    if name is None:
        names = {source.peer for source in sources}
        if len(names) != 1:
            known = ", ".join(sorted(settings.archives())) or "none"
            raise NoSuchSource([f"name the archive with --peer: node.yaml has no single source (known: {known})"])
        (name,) = names
    if name not in settings.archives():
        known = ", ".join(sorted(settings.archives())) or "none"
        raise NoSuchSource([f"--peer {name}: no such peer, or one that cannot be asked (known: {known})"])
    found = next((source for source in sources if source.peer == name), Source(peer=name))
    return found.model_copy(update={"retrieve": "move"}) if found.retrieve == "none" else found


def search(
    peer: Peer | WebPeer, our_aet: str, days: Days, witness: Witness | None = None
) -> Iterator[StudyAnswer]:
    """Studies that `peer` holds, day by day, so that no answer grows beyond bounds; PeerError."""
    day = days.first
    while day <= days.last:
        with _asking(peer, our_aet, witness) as ask:
            found = ask.studies(dates=f"{day:%Y%m%d}", modality=days.modality)
        for study in found:  # some archives do not match by modality, but tell it
            if not days.modality or not study.modalities or days.modality in study.modalities:
                yield study
        day += timedelta(days=1)


def look_up(
    peer: Peer | WebPeer, our_aet: str, uids: Iterable[str], witness: Witness | None = None
) -> Iterator[StudyAnswer]:
    """What `peer` holds of these studies; PeerError."""
    with _asking(peer, our_aet, witness) as ask:
        for uid in uids:
            yield from ask.studies(uid=check_uid(uid))


def _asking(
    peer: Peer | WebPeer, our_aet: str, witness: Witness | None
) -> AbstractContextManager[Asking | Searching]:
    from dicom_node.network.dicomweb.qido import Searching
    from dicom_node.network.query import asking

    return nullcontext(Searching(peer)) if isinstance(peer, WebPeer) else asking(peer, our_aet, witness)


def is_here(tx: Transaction, study_uid: str) -> bool:
    """Whether a search need not fetch the study: it has arrived, or is on its way, and not as another's prior only."""
    fetch, study = tx.fetches.find(study_uid), tx.studies.find(study_uid)
    if fetch is not None and fetch.purpose is FetchPurpose.PRIOR:
        return study is not None and study.state is not StudyState.NOT_ROUTED
    if fetch is not None:
        return fetch.state is not FetchState.GIVEN_UP
    return study is not None


def queue(
    tx: Transaction, uids: Sequence[str], source: Source, settings: Backfill, now: float
) -> list[str]:
    """Queue the studies, `rate_per_minute` after those that wait already; gives those that did not wait already."""
    policy: dict[str, Any] = source.policy() | {"priority": settings.priority}
    step = 60.0 / settings.rate_per_minute
    waiting = tx.fetches.last_begin(FetchPurpose.PROCESS)
    begin = now if waiting is None else max(now, waiting + step)
    queued: list[str] = []
    for uid in dict.fromkeys(uids):
        at = begin + len(queued) * step
        wanted = Wanted(uid, source.peer, FetchPurpose.PROCESS, source.deadline_s, at, policy)
        if tx.fetches.want(wanted, now, over=ENDED):
            tx.journal.add(now, "wanted", f"a person asked for it; {source.peer} is to send it", study=uid)
            queued.append(uid)
    return queued
