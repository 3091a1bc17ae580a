"""What a scanner would have said about a series, besides its voxels and their place.

Sensible values for a CT and for the four MR weightings; every field may be given. Nothing here is a
real patient's or a real scanner's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Weighting = Literal["T1", "T1ce", "T2", "FLAIR"]


def uid_of(*parts: object) -> str:
    """A UID that the same parts always give: 2.25 and 128 bits of their hash (PS3.5 B.2)."""
    digest = hashlib.sha256("|".join(str(part) for part in parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


@dataclass(frozen=True)
class Patient:
    """Who was scanned; invented."""

    patient_id: str = "PHANTOM-0"
    name: str = "Phantom^Segnode"
    birth_date: str = "19700101"
    sex: str = "O"


@dataclass(frozen=True)
class StudyDetails:
    """The study that a series belongs to; series that share this object share the study."""

    study_instance_uid: str
    patient: Patient = Patient()
    date: str = "20250401"
    time: str = "101500"
    accession_number: str = "A0001"
    study_id: str = "1"
    description: str = ""
    referring_physician: str = ""

    @classmethod
    def of(cls, seed: str, **changes: Any) -> StudyDetails:
        """A study whose UID follows from `seed`."""
        return cls(study_instance_uid=uid_of("study", seed), **changes)


@dataclass(frozen=True)
class CTTechnique:
    """How a CT was acquired and reconstructed (PS3.3 C.8.2.1)."""

    kvp: float = 120.0
    kernel: str = "B30f"
    tube_current_ma: int = 200
    exposure_time_ms: int = 500


@dataclass(frozen=True)
class MRTechnique:
    """How an MR was acquired (PS3.3 C.8.3.1); times in ms."""

    scanning_sequence: tuple[str, ...] = ("SE",)
    sequence_variant: tuple[str, ...] = ("SK",)
    acquisition_type: Literal["2D", "3D"] = "2D"
    echo_time: float = 10.0
    repetition_time: float = 500.0
    inversion_time: float | None = None
    flip_angle: float = 90.0
    echo_train_length: int = 1
    field_strength_t: float = 3.0


MR_TECHNIQUES: dict[Weighting, MRTechnique] = {
    "T1": MRTechnique(("SE",), ("SK",), "2D", 9.0, 550.0, None, 90.0),
    "T1ce": MRTechnique(("GR", "IR"), ("SP", "MP"), "3D", 2.5, 1900.0, 900.0, 9.0),
    "T2": MRTechnique(("SE",), ("SK",), "2D", 95.0, 5000.0, None, 150.0, 15),
    "FLAIR": MRTechnique(("SE", "IR"), ("SK",), "2D", 90.0, 9000.0, 2500.0, 150.0, 15),
}


@dataclass(frozen=True)
class Acquisition:
    """All that `write_series` says about one series.

    `frame_of_reference_uid` counts where the volume's grid names none. `slice_thickness` in mm;
    None means the spacing between slices. `temporal_position` and `first_instance_number` serve
    series that hold several time points.
    """

    modality: Literal["CT", "MR"]
    study: StudyDetails
    series_instance_uid: str
    frame_of_reference_uid: str
    technique: CTTechnique | MRTechnique
    series_number: int = 1
    series_description: str = ""
    protocol_name: str = ""
    body_part: str = ""
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL")
    manufacturer: str = "Segnode"
    model_name: str = "Phantom"
    patient_position: str = "HFS"
    contrast_agent: str = ""
    slice_thickness: float | None = None
    acquisition_number: int = 1
    acquisition_time: str = "101600"
    temporal_position: int | None = None
    first_instance_number: int = 1
    window: tuple[float, float] | None = None  # centre and width for display
    extra: dict[str, Any] = field(default_factory=dict)  # further attributes by keyword, set last

    @classmethod
    def ct(cls, study: StudyDetails, name: str = "ct", **changes: Any) -> Acquisition:
        """A CT series; UIDs follow from the study and `name`."""
        base = cls(modality="CT", study=study, technique=CTTechnique(), window=(40.0, 400.0),
                   series_description="CT axial", **_uids(study, name))
        return replace(base, **changes)

    @classmethod
    def mr(cls, study: StudyDetails, weighting: Weighting, name: str = "", **changes: Any) -> Acquisition:
        """An MR series of this weighting, a T1ce with its contrast agent; UIDs follow from the study and name."""
        base = cls(modality="MR", study=study, technique=MR_TECHNIQUES[weighting], body_part="HEAD",
                   series_description=f"{weighting} axial", image_type=("ORIGINAL", "PRIMARY", "M", "ND"),
                   contrast_agent="Gadobutrol" if weighting == "T1ce" else "", **_uids(study, name or weighting))
        return replace(base, **changes)


def _uids(study: StudyDetails, name: str) -> dict[str, Any]:
    return {"series_instance_uid": uid_of("series", study.study_instance_uid, name),
            "frame_of_reference_uid": uid_of("frame", study.study_instance_uid)}
