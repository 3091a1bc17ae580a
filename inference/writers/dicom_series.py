"""Volumes as DICOM Part 10 series: CT, MR, enhanced CT, enhanced MR, localizers and screen captures.

The orientation, the order and the spacing come from the volume's grid alone; the same volume and
acquisition always give the same files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from inference.volume import Grid, Volume
from inference.writers.acquisition import Acquisition, Patient, StudyDetails, uid_of
from inference.writers.enhanced import enhanced
from inference.writers.modules import describe_pixels, identify, planes, slice_step
from inference.writers.single_frame import single_frame, stored_values

__all__ = ["Acquisition", "Encoding", "Patient", "StudyDetails", "uid_of", "write_localizer",
           "write_secondary_capture", "write_series"]

_IMPLEMENTATION_UID = UID(uid_of("segnode", "writer"))


@dataclass(frozen=True)
class Encoding:
    """How a series is laid out in files.

    `reverse` numbers the slices against the slice axis, as scanners that run feet first do.
    """

    enhanced: bool = False
    reverse: bool = False
    transfer_syntax: str = ExplicitVRLittleEndian


def write_series(volume: Volume, acquisition: Acquisition, folder: Path,
                 encoding: Encoding = Encoding()) -> list[Path]:
    """Write a volume as one series and return its files in instance order.

    CT voxels are HU; MR voxels are rounded to whole numbers of 0..65535, so bring them to that range
    first. File names hold the series and instance number only.
    """
    acquisition = replace(acquisition, frame_of_reference_uid=(volume.grid.frame_of_reference_uid
                                                               or acquisition.frame_of_reference_uid))
    folder.mkdir(parents=True, exist_ok=True)
    make = _one_instance if encoding.enhanced else _instances
    return [_save(ds, folder, encoding.transfer_syntax) for ds in make(volume, acquisition, encoding.reverse)]


def write_localizer(like: Volume, acquisition: Acquisition, folder: Path) -> list[Path]:
    """A coronal and a sagittal scout through a volume's middle, as the series that `acquisition` names."""
    acquisition = replace(acquisition, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))
    paths: list[Path] = []
    for axis in (1, 2):
        scout = _scout(like, axis)
        paths += write_series(scout, replace(acquisition, first_instance_number=len(paths) + 1), folder)
    return paths


def write_secondary_capture(acquisition: Acquisition, folder: Path, shape: tuple[int, int] = (128, 128)) -> list[Path]:
    """A screen save without a place in the patient (PS3.3 A.8.1), as post-processing stations send."""
    ds = Dataset()
    ds.SOPClassUID = SecondaryCaptureImageStorage
    identify(ds, acquisition.study)
    ds.Modality = acquisition.modality
    ds.SeriesInstanceUID = acquisition.series_instance_uid
    ds.SeriesNumber = acquisition.series_number
    ds.SeriesDescription = acquisition.series_description
    ds.Laterality = ""
    ds.PatientOrientation = ""
    ds.InstanceNumber = 1
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.ConversionType = "WSD"
    ds.Manufacturer = acquisition.manufacturer
    rows, columns = np.indices(shape)
    describe_pixels(ds, ((rows + columns) % 256).astype(np.uint16))
    folder.mkdir(parents=True, exist_ok=True)
    return [_save(ds, folder, ExplicitVRLittleEndian)]


def _instances(volume: Volume, acquisition: Acquisition, reverse: bool) -> Iterator[Dataset]:
    thickness = acquisition.slice_thickness or slice_step(volume.grid)
    places = planes(volume.grid)
    order = range(len(places))[::-1] if reverse else range(len(places))
    for number, k in enumerate(order, start=acquisition.first_instance_number):
        pixels = stored_values(volume.array[k], acquisition.modality)
        yield single_frame(acquisition, places[k], thickness, number, pixels)


def _one_instance(volume: Volume, acquisition: Acquisition, reverse: bool) -> Iterator[Dataset]:
    order = np.arange(volume.grid.shape[0])[:: -1 if reverse else 1]
    pixels: NDArray[np.uint16] = stored_values(volume.array, acquisition.modality)[order]
    places = planes(volume.grid)
    yield enhanced(acquisition, [places[k] for k in order], slice_step(volume.grid), pixels)


def _scout(volume: Volume, axis: int) -> Volume:
    """One thick slice across `axis` (1 coronal, 2 sagittal of an axial volume), head up: the brightest voxels."""
    middle = np.zeros(3)
    middle[axis] = (volume.grid.shape[axis] - 1) / 2
    across = 3 - axis
    affine = np.eye(4)
    affine[:3, 1] = -volume.grid.affine[:3, 0]
    affine[:3, 2] = volume.grid.affine[:3, across]
    affine[:3, 0] = np.cross(affine[:3, 2], affine[:3, 1]) / np.linalg.norm(affine[:3, 1])
    middle[0] = volume.grid.shape[0] - 1
    affine[:3, 3] = volume.grid.to_lps(middle)
    array = np.asarray(volume.array).max(axis=axis)[::-1][None]
    return Volume(array, Grid(array.shape, affine, volume.grid.frame_of_reference_uid), volume.units)


def _save(ds: Dataset, folder: Path, transfer_syntax: str) -> Path:
    moment = ds.get("TemporalPositionIdentifier", "")
    ds.SOPInstanceUID = uid_of("instance", ds.SeriesInstanceUID, ds.InstanceNumber, moment)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.ImplementationClassUID = _IMPLEMENTATION_UID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta = meta
    syntax = UID(transfer_syntax)
    if syntax.is_compressed and not syntax.is_deflated:
        ds.compress(syntax, generate_instance_uid=False)
    meta.TransferSyntaxUID = syntax
    path = folder / f"{ds.SeriesNumber:03d}-{ds.InstanceNumber:05d}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path
