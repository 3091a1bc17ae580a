"""CT Image and MR Image instances, one a slice (PS3.3 A.3, A.4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage, MRImageStorage

from inference.writers.acquisition import Acquisition, CTTechnique, MRTechnique
from inference.writers.modules import Plane, decimal, describe_image, describe_pixels, describe_series

CT_INTERCEPT = -1024

SOP_CLASSES: dict[str, UID] = {"CT": CTImageStorage, "MR": MRImageStorage}


def stored_values(array: NDArray[np.generic], modality: str) -> NDArray[np.uint16]:
    """Voxels as they are stored: rounded, for CT raised by 1024 HU, clipped to 16 bits."""
    shift = -CT_INTERCEPT if modality == "CT" else 0
    return np.clip(np.rint(np.asarray(array, dtype=np.float32) + shift), 0, 65535).astype(np.uint16)


def single_frame(acquisition: Acquisition, plane: Plane, thickness: float, number: int,
                 pixels: NDArray[np.uint16]) -> Dataset:
    """One image instance without file meta information and SOP Instance UID."""
    ds = Dataset()
    ds.SOPClassUID = SOP_CLASSES[acquisition.modality]
    describe_series(ds, acquisition)
    describe_image(ds, acquisition, number)
    describe_plane(ds, plane, thickness)
    ds.FrameOfReferenceUID = acquisition.frame_of_reference_uid
    ds.PositionReferenceIndicator = ""
    if not acquisition.body_part:
        ds.Laterality = ""  # asked for where no body part rules a paired organ out
    if acquisition.contrast_agent:
        ds.ContrastBolusAgent = acquisition.contrast_agent
    if acquisition.temporal_position is not None:
        ds.TemporalPositionIdentifier = acquisition.temporal_position
        ds.NumberOfTemporalPositions = max(acquisition.temporal_position, 1)
    _technique(ds, acquisition)
    if acquisition.window:
        ds.WindowCenter, ds.WindowWidth = (decimal(v) for v in acquisition.window)
    describe_pixels(ds, pixels)
    for keyword, value in acquisition.extra.items():
        setattr(ds, keyword, value)
    return ds


def describe_plane(ds: Dataset, plane: Plane, thickness: float) -> None:
    """Image Plane module (C.7.6.2)."""
    ds.ImagePositionPatient = list(plane.position)
    ds.ImageOrientationPatient = list(plane.orientation)
    ds.PixelSpacing = list(plane.spacing)
    ds.SliceThickness = decimal(thickness)


def _technique(ds: Dataset, acquisition: Acquisition) -> None:
    technique = acquisition.technique
    if isinstance(technique, CTTechnique):
        _ct_technique(ds, technique)
    else:
        _mr_technique(ds, technique)


def _ct_technique(ds: Dataset, technique: CTTechnique) -> None:
    ds.KVP = decimal(technique.kvp)
    ds.ConvolutionKernel = technique.kernel
    ds.XRayTubeCurrent = technique.tube_current_ma
    ds.ExposureTime = technique.exposure_time_ms
    ds.GantryDetectorTilt = "0"
    ds.RescaleIntercept = decimal(CT_INTERCEPT)
    ds.RescaleSlope = "1"
    ds.RescaleType = "HU"


def _mr_technique(ds: Dataset, technique: MRTechnique) -> None:
    ds.ScanningSequence = list(technique.scanning_sequence)
    ds.SequenceVariant = list(technique.sequence_variant)
    ds.ScanOptions = ""
    ds.MRAcquisitionType = technique.acquisition_type
    ds.RepetitionTime = decimal(technique.repetition_time)
    ds.EchoTime = decimal(technique.echo_time)
    ds.EchoTrainLength = technique.echo_train_length
    ds.FlipAngle = decimal(technique.flip_angle)
    ds.MagneticFieldStrength = decimal(technique.field_strength_t)
    ds.ImagedNucleus = "1H"
    ds.EchoNumbers = 1
    if technique.inversion_time is not None:
        ds.InversionTime = decimal(technique.inversion_time)
