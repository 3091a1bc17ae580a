"""What the node itself adds to an object: who writes, when, and for which job."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from dicom_node.objects.identity import JobNames, Moment
from dicom_node.objects.profile import STANDARD, Profile
from dicom_node.objects.wording import plain


@dataclass(frozen=True)
class Replaced:
    """An object of an earlier generation, in the same study, whose place the new ones take."""

    kind: str  # "seg", "sr", "summary"
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True)
class EncodeContext:
    """The equipment that writes and the job that it writes for.

    `created_at` (epoch seconds) is the job's, not the clock's: a rerun then writes the same bytes.
    `incomplete` says what the study lacked when the job was made, "" where nothing is known to be missing.
    `profile` says in which form. Objects of the kinds in `kept_in` never leave, so nobody is sent to look there.
    An empty `institution` is taken from the source images; `offset` ("+0900") is theirs from UTC, "" where they name
    none. `dciodvfy` runs that checker where it is installed.
    """

    created_at: float
    job_id: str = ""
    manufacturer: str = "Segnode"
    model_name: str = "Segnode"
    software_version: str = "0.1.0"
    serial_number: str = "1"
    institution: str = ""
    dciodvfy: bool = True
    replaces: tuple[Replaced, ...] = ()
    incomplete: str = ""
    profile: Profile = STANDARD
    kept_in: frozenset[str] = frozenset()
    offset: str = ""

    @property
    def names(self) -> JobNames:
        """UIDs and numbers of the job's objects."""
        return JobNames(self.job_id, self.profile.variant)

    @property
    def moment(self) -> Moment:
        """Date and time that every object of the job carries."""
        return Moment.of(self.created_at, self.offset)

    def general(self, kind: str, number: int = 1, series: int = 1) -> dict[str, Any]:
        """What every object's constructor takes: which one it is in which series, and what equipment wrote it.

        PS3.3 C.7.3.1, C.7.5.1 and C.12.1, by the names of highdicom's arguments.
        """
        return {
            "series_instance_uid": self.names.series(kind, series),
            "series_number": self.names.series_number(kind),
            "sop_instance_uid": self.names.instance(kind, number),
            "instance_number": number,
            "manufacturer": plain(self.manufacturer),
            "manufacturer_model_name": plain(self.model_name),
            "software_versions": plain(self.software_version),
            "device_serial_number": plain(self.serial_number),
        }

    def of_job(self, job_id: str) -> EncodeContext:
        """The same equipment at work for this job."""
        return replace(self, job_id=job_id)
