"""Pictures of results, read back from the SEG as it was sent; the last few that were decoded are kept."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from contextlib import ExitStack
from typing import Any

from dicom_node.assembly import Parts
from dicom_node.errors import NodeError
from dicom_node.objects.overlay import Overlay
from dicom_node.pipeline.inputs import inputs_of
from inference.tasks import TASKS
from storage.errors import NotFound

KEPT = 2  # a decoded SEG of 500 slices takes some hundred megabytes
BEST = "best"


class NoPicture(NodeError):
    """A picture that is not shown, and why."""


class Pictures:
    """One is made at a time: pixels of whole series are read for it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Overlay, ExitStack]] = OrderedDict()
        self._lock = threading.Lock()

    def slices(self, parts: Parts, study_uid: str, sop_uid: str) -> dict[str, Any]:
        """What each slice shows that shows something, in order, and which shows most. NotFound."""
        with self._lock:
            overlay = self._overlay(parts, study_uid, sop_uid)
            return {"slices": [overlay.shows(one) for one in overlay.slices], "best": _best(overlay)}

    def png(self, parts: Parts, study_uid: str, sop_uid: str, number: str, *, names: bool) -> bytes:
        """One slice, counted from 0, or the `BEST`. NotFound; NoPicture where it would tell whose it is."""
        with self._lock:
            overlay = self._overlay(parts, study_uid, sop_uid)
            place = _best(overlay) if number == BEST else int(number) if number.isascii() and number.isdigit() else -1
            if not 0 <= place < len(overlay.slices):
                raise NotFound(f"the segmentation has no picture {number[:20]}")
            reference = overlay.slices[place]
            if not names and overlay.is_burned_in(reference):
                raise NoPicture("words are burned into this image, which may say whose it is")
            content = io.BytesIO()
            overlay.paint(reference).save(content, "PNG")
            return content.getvalue()

    def _overlay(self, parts: Parts, study_uid: str, sop_uid: str) -> Overlay:
        with parts.database.reading() as tx:
            made = tx.results.find(sop_uid)
            job = tx.jobs.find(made.job_id) if made else None
        if made is None or job is None or made.kind != "seg" or job.study_instance_uid != study_uid:
            raise NotFound(f"study {study_uid} has no segmentation {sop_uid}")
        if made.removed_at is not None or parts.archive.sizes([made.file]) == [None]:
            raise NotFound("the segmentation's file is no longer held")
        if sop_uid in self._kept:
            self._kept.move_to_end(sop_uid)
            return self._kept[sop_uid][0]
        with ExitStack() as files:
            (path,) = files.enter_context(parts.archive.local([made.file]))
            primary = files.enter_context(inputs_of(parts.database, parts.archive, job))[TASKS[job.task].primary]
            overlay = Overlay(path, primary.paths)
            self._kept[sop_uid] = overlay, files.pop_all()  # whose pixels are read when it is painted
        if len(self._kept) > KEPT:
            _, (_, left) = self._kept.popitem(last=False)
            left.close()
        return overlay


def _best(overlay: Overlay) -> int:
    return overlay.slices.index(overlay.key_slices(1)[0]) if overlay.slices else 0
