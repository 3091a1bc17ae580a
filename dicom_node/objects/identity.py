"""Names that come out the same whenever a job is run again: UIDs, series numbers, dates.

Cheap to import: what only needs a UID loads neither pydicom nor highdicom.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from dicom_node.objects.wording import plain
from inference.findings import Finding, ModelIdentity
from inference.uids import tracking_uid, uid_from

FIRST_SERIES_NUMBER = 5000  # above what scanners number, so that results sort behind their images
_JOB_BLOCKS = 400
# Kinds of objects in the order in which viewers list their series; a kind keeps its place for ever.
_KINDS = ("other", "seg", "sr", "summary", "rejection", "fractional", "diameters", "capture", "overlay", "contours",
          "selection", "document", "structures", "map", "uncertainty")


IMPLEMENTATION_CLASS_UID = uid_from("segnode", "implementation", "objects")
IMPLEMENTATION_VERSION_NAME = "SEGNODE_1"


def device_uid(model: ModelIdentity) -> str:
    """The model as a device (0018,1002); other weights are another device (IHE AIR 6.5.3.1).

    It follows from the words as objects hold them: by these a result proves later that it is ours.
    """
    return uid_from("device", plain(model.manufacturer), plain(model.name), plain(model.version), model.sha256)


def device_uids(model: ModelIdentity) -> frozenset[str]:
    """Every UID that results of this model bear; earlier releases took its words as they were given."""
    former = uid_from("device", model.manufacturer, model.name, model.version, model.sha256)
    return frozenset({device_uid(model), former})


def frame_of_reference_for(series_instance_uid: str) -> str:
    """The frame of reference that stands in for the one that a series' images lack."""
    return uid_from("frame of reference", series_instance_uid)


@dataclass(frozen=True)
class JobNames:
    """Every name that the objects of one job carry, in one variant of them."""

    job_id: str
    variant: str = ""

    def instance(self, kind: str, number: int = 1) -> str:
        """SOP Instance UID of the job's object of this kind ("seg", "sr", "summary"), the `number`th of its kind."""
        return self._uid("instance", kind, number)

    def series(self, kind: str, number: int = 1) -> str:
        """Series Instance UID; each SEG and SR has a series of its own, since viewers show a series' last only."""
        return self._uid("series", kind, number)

    def tracking(self, what: str) -> str:
        """Tracking UID of a finding's number or of a total's name, shared by SEG and SR of every variant."""
        return tracking_uid(self.job_id, what)

    def finding(self, finding: Finding) -> str:
        """Tracking UID of a finding: the one that it had in the prior, or a new one."""
        return finding.tracking_uid or self.tracking(str(finding.number))

    def dimensions(self, kind: str, number: int = 1) -> str:
        """Dimension Organization UID of the job's multi-frame object."""
        return self._uid("dimensions", kind, number)

    def _uid(self, what: str, kind: str, number: int) -> str:
        more = [str(number)] if number > 1 else []
        return uid_from(self.job_id, what, kind, *more, *([self.variant] if self.variant else []))

    def series_number(self, kind: str) -> int:
        """Neighbouring numbers for the objects of one job, most likely others for another job."""
        block = int(hashlib.sha256((self.job_id + self.variant).encode()).hexdigest(), 16) % _JOB_BLOCKS
        place = _KINDS.index(kind) if kind in _KINDS else 0
        return FIRST_SERIES_NUMBER + 20 * block + place


@dataclass(frozen=True)
class Moment:
    """A point in time as DICOM writes it: in the images' own time, or where they name none, in this machine's."""

    date: str  # DA
    time: str  # TM
    date_time: str  # DT, with its offset from UTC

    @classmethod
    def of(cls, epoch_s: float, offset: str = "") -> Moment:
        """The moment `epoch_s` seconds after 1970 in UTC, to the second; `offset` from UTC as "+0900"."""
        zone = datetime.strptime(offset, "%z").tzinfo if offset else None
        local = datetime.fromtimestamp(int(epoch_s), tz=UTC).astimezone(zone)
        return cls(local.strftime("%Y%m%d"), local.strftime("%H%M%S"), local.strftime("%Y%m%d%H%M%S%z"))
