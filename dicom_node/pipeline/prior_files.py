"""The prior that a job was given at dispatch, read from this node's files: its images, and who its lesions are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicom_node.objects.corrected import BadSegmentation, Segment, Segmentation, read_segmentation
from dicom_node.objects.on_grid import lay_numbers_on, structure_of
from dicom_node.pipeline.priors import held_prior
from dicom_node.pipeline.provenance import DIGEST
from inference.errors import BadGeometry
from inference.measure import shared_by_several
from inference.readers.arrange import arrange
from inference.readers.headers import slice_headers
from inference.request import SHARED, KnownLesion, Maker, Prior, SeriesFiles
from inference.tasks import TASKS
from inference.tasks.card import TaskCard
from inference.volume import Grid
from storage.archive import Archive
from storage.database import Database
from storage.errors import BadIdentifier
from storage.identifiers import check_uid
from storage.records import Job, StoredFile

MOST_LESIONS = SHARED - 1  # a result has at most 60 of them


class NoPrior(Exception):
    """The prior cannot be used; the text says why."""


@contextmanager
def load_prior(database: Database, archive: Archive, job: Job, scratch: Path) -> Iterator[Prior | None]:
    """The prior of a job, None where it was given none; `NoPrior` with the reason where it cannot be used any more.

    Its images are here while the block lasts, its mask is left in `scratch`.
    """
    named: Mapping[str, Any] | None = job.parameters.get("prior")
    if named is None:
        yield None
        return
    uids = [str(uid) for uid in named["instances"]]
    with database.reading() as tx:
        images, segs, lacks = held_prior(tx, job.study_instance_uid, named)
        earlier = tx.jobs.find(named["job"]) if named.get("job") else None
    if lacks:
        raise NoPrior(lacks)
    try:
        grid = arrange([s for uid in uids for s in slice_headers(images[uid].header)]).grid
        segmentations = [_read(segs[uid], archive) for uid in named["segs"]]
        labelmap, lesions = _lesions(segmentations, grid, TASKS[job.task])
        maker = _maker(earlier, segmentations)
    except (BadSegmentation, BadGeometry) as bad:
        raise NoPrior(f"the prior cannot be read: {bad}") from bad
    path = scratch / "prior.npy"
    np.save(path, labelmap)
    with archive.local([images[uid].file for uid in uids]) as paths:
        yield Prior(
            study_instance_uid=named["study"],
            taken=date.fromisoformat(named["taken"]),
            current_taken=date.fromisoformat(named["current_taken"]),
            series=SeriesFiles(named["series"], tuple(paths), tuple(uids)),
            labelmap=path,
            lesions=lesions,
            history=tuple(earlier.summary.get("trend", {}).get("history", ())) if earlier else (),
            maker=maker,
        )


def _maker(earlier: Job | None, segmentations: Sequence[Segmentation]) -> Maker | None:
    """As its job kept it; of a prior whose job is not known, or is of an earlier release, as a segment says it."""
    if earlier and (kept := earlier.summary.get("maker")):
        return Maker(**kept)
    for said in (segment.algorithm for seg in segmentations[:1] for segment in seg.segments):  # one job made all
        if said and (digest := DIGEST.search(said.parameters)):
            return Maker(said.name, said.version, digest[1])
    return None


def _read(file: StoredFile, archive: Archive) -> Segmentation:
    with archive.local([file]) as (place,):
        return read_segmentation(place)


def _lesions(segmentations: Sequence[Segmentation], grid: Grid,
             card: TaskCard) -> tuple[NDArray[np.uint8], dict[int, KnownLesion]]:
    """Lesions numbered through all files (z, y, x), SHARED where several share a segment; and who they are."""
    labelmap = np.zeros(grid.shape, np.uint8)
    lesions: dict[int, KnownLesion] = {}
    known: set[str] = set()
    for seg in segmentations:
        numbers = {segment.number: SHARED for segment in seg.segments if shared_by_several(segment.label)}
        for segment in seg.segments:
            lesion = _lesion(segment, card)
            if lesion is not None and lesion.tracking_uid not in known and len(lesions) < MOST_LESIONS:
                known.add(lesion.tracking_uid)  # somebody's copy of a segment is not a second lesion
                numbers[segment.number] = len(lesions) + 1
                lesions[len(lesions) + 1] = lesion
        np.maximum(labelmap, lay_numbers_on(seg, grid, numbers), out=labelmap)
    return labelmap, lesions


def _lesion(segment: Segment, card: TaskCard) -> KnownLesion | None:
    structure = structure_of(segment, card)
    if structure is None or structure.label not in card.lesions or shared_by_several(segment.label):
        return None
    try:
        uid = check_uid(segment.tracking_uid)
    except BadIdentifier:
        return None
    ours = rf"{re.escape(structure.name)} \d+|Lesion \d+ {re.escape(structure.name.lower())}"
    return KnownLesion(segment.label if re.fullmatch(ours, segment.label, re.ASCII) else "", uid, structure.label)
