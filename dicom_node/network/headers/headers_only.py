"""Files of a person's that are only looked at: their headers become the records of studies, and nothing is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dicom_node.errors import ReceiveError
from dicom_node.network.bringing import SENDER, Bounds, Intake
from dicom_node.network.receive import Offer, kind_of, read_offer
from storage.archive import Archive
from storage.lifecycle import StudyState
from storage.records import Instance, Series, StoredFile, Study

MOST = 20_000  # headers that are held at a time


class HeadersOnly(Intake):
    """Gathers what the files' headers say."""

    def __init__(self, archive: Archive, bounds: Bounds) -> None:
        super().__init__(archive, bounds)
        self._instances: dict[str, Instance] = {}
        self._studies: dict[str, dict[str, Any]] = {}

    def open(self) -> None:
        """Nothing has to be opened."""

    def close(self) -> None:
        """Nothing was opened that would have to be closed."""

    def going_on(self) -> None:
        """Nobody waits for the end."""

    def want(self, task: str) -> None:
        """What is wanted makes no difference to what the headers say."""

    def receive(self, offer: Offer) -> str:
        try:
            header = read_offer(offer)
        except ReceiveError as error:
            return str(error)
        if len(self._instances) >= MOST:
            return f"more than {MOST} files are not looked at"
        uid = header.study_instance_uid
        self._studies.setdefault(uid, header.study)
        self.brought.studies[uid] += 1
        self._instances[header.sop_instance_uid] = Instance(
            sop_instance_uid=header.sop_instance_uid,
            sop_class_uid=header.sop_class_uid,
            series_instance_uid=header.series_instance_uid,
            study_instance_uid=uid,
            transfer_syntax_uid=offer.transfer_syntax_uid,
            kind=kind_of(header),
            file=StoredFile("", 0, ""),
            received_at=0.0,
            association_id="",
            header=header.facts,
        )
        return ""

    def studies(self) -> list[tuple[Study, tuple[Series, ...], tuple[Instance, ...]]]:
        """The records as they would be in the index."""
        return [self._study(uid) for uid in self._studies]

    def _study(self, uid: str) -> tuple[Study, tuple[Series, ...], tuple[Instance, ...]]:
        instances = tuple(one for one in self._instances.values() if one.study_instance_uid == uid)
        series: dict[str, Series] = {}
        for one in instances:
            modality = str(one.header.get("Modality", ""))
            known = series.setdefault(
                one.series_instance_uid, Series(one.series_instance_uid, uid, modality, 0, 0, one.header)
            )
            image = one.kind.value == "image"
            series[one.series_instance_uid] = replace(
                known, images=known.images + image, others=known.others + (not image)
            )
        images = sum(one.images for one in series.values())
        study = Study(uid, StudyState.COMPLETE, 1, 0.0, 0.0, (SENDER,), images, self._studies[uid])
        return study, tuple(series.values()), instances
