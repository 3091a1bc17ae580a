"""Attributes that every image of ours carries, module by module (PS3.3 C.7, C.12)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.valuerep import format_number_as_ds

from inference.volume import Grid
from inference.writers.acquisition import Acquisition, StudyDetails

_CHARACTER_SET = "ISO_IR 192"


class Plane(NamedTuple):
    """Place of one slice in DICOM's own terms (PS3.3 C.7.6.2): mm in LPS; spacing is (rows, columns)."""

    position: tuple[str, ...]
    orientation: tuple[str, ...]
    spacing: tuple[str, ...]


def decimal(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5 6.2), as exact as fits."""
    return format_number_as_ds(float(value))


def planes(grid: Grid) -> list[Plane]:
    """The plane of every slice of a grid, in z order; ValueError where rows and columns are not square."""
    row, column = grid.directions[:, 2], grid.directions[:, 1]
    if abs(float(row @ column)) > 1e-4:
        raise ValueError("rows and columns of a DICOM image are perpendicular; this grid's are not")
    orientation = tuple(decimal(v) for v in (*row, *column))
    spacing = (decimal(grid.spacing.y), decimal(grid.spacing.x))
    centres = grid.to_lps(np.array([[k, 0, 0] for k in range(grid.shape[0])]))
    return [Plane(tuple(decimal(v) for v in centre), orientation, spacing) for centre in centres]


def slice_step(grid: Grid) -> float:
    """Distance between slice planes in mm, along their normal."""
    normal = np.cross(grid.directions[:, 2], grid.directions[:, 1])
    return float(abs(normal @ grid.affine[:3, 0]))


def identify(ds: Dataset, study: StudyDetails) -> None:
    """Patient and General Study modules (C.7.1.1, C.7.2.1)."""
    ds.SpecificCharacterSet = _CHARACTER_SET
    ds.PatientName = study.patient.name
    ds.PatientID = study.patient.patient_id
    ds.PatientBirthDate = study.patient.birth_date
    ds.PatientSex = study.patient.sex
    ds.StudyInstanceUID = study.study_instance_uid
    ds.StudyDate = study.date
    ds.StudyTime = study.time
    ds.AccessionNumber = study.accession_number
    ds.StudyID = study.study_id
    ds.ReferringPhysicianName = study.referring_physician
    ds.StudyDescription = study.description


def describe_series(ds: Dataset, acquisition: Acquisition) -> None:
    """General Series and General Equipment modules (C.7.3.1, C.7.5.1)."""
    identify(ds, acquisition.study)
    ds.Modality = acquisition.modality
    ds.SeriesInstanceUID = acquisition.series_instance_uid
    ds.SeriesNumber = acquisition.series_number
    ds.SeriesDate = acquisition.study.date
    ds.SeriesTime = acquisition.acquisition_time
    ds.SeriesDescription = acquisition.series_description
    ds.ProtocolName = acquisition.protocol_name or acquisition.series_description
    ds.PatientPosition = acquisition.patient_position
    if acquisition.body_part:
        ds.BodyPartExamined = acquisition.body_part
    ds.Manufacturer = acquisition.manufacturer
    ds.ManufacturerModelName = acquisition.model_name
    ds.DeviceSerialNumber = "0"
    ds.SoftwareVersions = "1"
    ds.AcquisitionNumber = acquisition.acquisition_number


def describe_image(ds: Dataset, acquisition: Acquisition, number: int) -> None:
    """General Image module (C.7.6.1): instance number and times."""
    ds.InstanceNumber = number
    ds.ContentDate = ds.AcquisitionDate = acquisition.study.date
    ds.ContentTime = ds.AcquisitionTime = acquisition.acquisition_time
    ds.ImageType = list(acquisition.image_type)


def describe_pixels(ds: Dataset, pixels: NDArray[np.uint16]) -> None:
    """Image Pixel module (C.7.6.3) and the pixels: unsigned 16 bit, (y, x) or (frames, y, x)."""
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape[-2:]
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 0
    data = np.ascontiguousarray(pixels, dtype="<u2").tobytes()
    ds.add_new("PixelData", "OW", data)
