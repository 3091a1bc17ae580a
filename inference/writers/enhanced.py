"""Enhanced CT and Enhanced MR instances: one file, a frame a slice (PS3.3 A.38, A.36)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, EnhancedCTImageStorage, EnhancedMRImageStorage

from inference.writers.acquisition import Acquisition, CTTechnique, MRTechnique, uid_of
from inference.writers.enhanced_technique import acquisition_groups, frame_type, pulse_sequence
from inference.writers.modules import Plane, decimal, describe_image, describe_pixels, describe_series
from inference.writers.single_frame import CT_INTERCEPT

SOP_CLASSES: dict[str, UID] = {"CT": EnhancedCTImageStorage, "MR": EnhancedMRImageStorage}


def enhanced(acquisition: Acquisition, places: list[Plane], step: float, pixels: NDArray[np.uint16]) -> Dataset:
    """One multi-frame instance; `places` and `pixels` (frames, y, x) run in frame order, `step` in mm."""
    ds = Dataset()
    ds.SOPClassUID = SOP_CLASSES[acquisition.modality]
    describe_series(ds, acquisition)
    describe_image(ds, acquisition, acquisition.first_instance_number)
    ds.ImageType = list(frame_type(acquisition))
    ds.FrameOfReferenceUID = acquisition.frame_of_reference_uid
    ds.PositionReferenceIndicator = ""
    ds.AcquisitionDateTime = acquisition.study.date + acquisition.acquisition_time
    ds.AcquisitionDuration = 10.0
    _general(ds, acquisition)
    ds.NumberOfFrames = len(places)
    ds.SharedFunctionalGroupsSequence = Sequence([_shared(acquisition, places[0], step)])
    ds.PerFrameFunctionalGroupsSequence = Sequence(
        [_frame(acquisition, place, index) for index, place in enumerate(places, start=1)])
    _dimensions(ds)
    describe_pixels(ds, pixels)
    for keyword, value in acquisition.extra.items():
        setattr(ds, keyword, value)
    return ds


def _general(ds: Dataset, acquisition: Acquisition) -> None:
    """What the enhanced image modules want beside the frames (C.8.13.1, C.8.15.2, C.7.6.4b)."""
    ds.PixelPresentation = "MONOCHROME"
    ds.VolumetricProperties = "VOLUME"
    ds.VolumeBasedCalculationTechnique = "NONE"
    ds.ContentQualification = "RESEARCH"
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"
    ds.PresentationLUTShape = "IDENTITY"
    ds.AcquisitionContextSequence = Sequence([])
    if isinstance(acquisition.technique, MRTechnique):
        technique = acquisition.technique
        ds.ComplexImageComponent = "MAGNITUDE"
        ds.AcquisitionContrast = "UNKNOWN"
        ds.ResonantNucleus = "1H"
        ds.KSpaceFiltering = "NONE"
        ds.MagneticFieldStrength = technique.field_strength_t
        ds.ApplicableSafetyStandardAgency = "IEC"
        ds.ApplicableSafetyStandardDescription = ""
        ds.update(pulse_sequence(technique))
    if acquisition.contrast_agent:
        ds.ContrastBolusAgentSequence = Sequence([_contrast(acquisition.contrast_agent)])


def _contrast(agent: str) -> Dataset:
    """Enhanced Contrast/Bolus item (C.7.6.4b), given intravenously (CID 12, CID 11)."""
    item = _code("C-B0300", "SRT", agent)
    item.ContrastBolusAgentNumber = 1
    item.ContrastBolusAdministrationRouteSequence = Sequence([_code("47625008", "SCT", "Intravenous route")])
    item.ContrastBolusIngredientCodeSequence = Sequence([])
    item.ContrastBolusVolume = None
    item.ContrastBolusIngredientConcentration = None
    return item


def _shared(acquisition: Acquisition, place: Plane, step: float) -> Dataset:
    group = Dataset()
    group.PixelMeasuresSequence = Sequence([_pixel_measures(place, acquisition.slice_thickness or step, step)])
    orientation = Dataset()
    orientation.ImageOrientationPatient = list(place.orientation)
    group.PlaneOrientationSequence = Sequence([orientation])
    group.FrameAnatomySequence = Sequence([_anatomy(acquisition.body_part)])
    group.PixelValueTransformationSequence = Sequence([_value_transform(acquisition)])
    if acquisition.window:
        lut = Dataset()
        lut.WindowCenter, lut.WindowWidth = (decimal(v) for v in acquisition.window)
        group.FrameVOILUTSequence = Sequence([lut])
    if acquisition.contrast_agent:
        usage = Dataset()
        usage.ContrastBolusAgentNumber = 1
        usage.ContrastBolusAgentAdministered = "YES"
        usage.ContrastBolusAgentDetected = "YES"
        usage.ContrastBolusAgentPhase = "IMMEDIATE"
        group.ContrastBolusUsageSequence = Sequence([usage])
    group.update(acquisition_groups(acquisition, place.spacing))
    return group


def _pixel_measures(place: Plane, thickness: float, step: float) -> Dataset:
    item = Dataset()
    item.PixelSpacing = list(place.spacing)
    item.SliceThickness = decimal(thickness)
    item.SpacingBetweenSlices = decimal(step)
    return item


def _value_transform(acquisition: Acquisition) -> Dataset:
    """Pixel Value Transformation (C.7.6.16.2.9); MR signal has no unit."""
    is_ct = isinstance(acquisition.technique, CTTechnique)
    item = Dataset()
    item.RescaleIntercept = decimal(CT_INTERCEPT if is_ct else 0)
    item.RescaleSlope = "1"
    item.RescaleType = "HU" if is_ct else "US"
    return item


def _anatomy(body_part: str) -> Dataset:
    regions = {"HEAD": ("69536005", "Head"), "BRAIN": ("12738006", "Brain"), "CHEST": ("51185008", "Chest"),
               "ABDOMEN": ("818981001", "Abdomen")}
    value, meaning = regions.get(body_part, ("38266002", "Entire body"))
    item = Dataset()
    item.FrameLaterality = "U"
    item.AnatomicRegionSequence = Sequence([_code(value, "SCT", meaning)])
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _frame(acquisition: Acquisition, place: Plane, index: int) -> Dataset:
    """Per-frame groups: position and frame content (C.7.6.16.2.2, C.7.6.16.2.3)."""
    content = Dataset()
    moment = acquisition.study.date + acquisition.acquisition_time
    content.FrameReferenceDateTime = content.FrameAcquisitionDateTime = moment
    content.FrameAcquisitionDuration = 10.0
    content.FrameAcquisitionNumber = acquisition.acquisition_number
    content.StackID = "1"
    content.InStackPositionNumber = index
    content.DimensionIndexValues = [1, index]
    if acquisition.temporal_position is not None:
        content.TemporalPositionIndex = acquisition.temporal_position
    position = Dataset()
    position.ImagePositionPatient = list(place.position)
    group = Dataset()
    group.FrameContentSequence = Sequence([content])
    group.PlanePositionSequence = Sequence([position])
    return group


def _dimensions(ds: Dataset) -> None:
    """Multi-frame Dimension module (C.7.6.17): stack, position in it."""
    uid = uid_of("dimensions", ds.SeriesInstanceUID)
    organization = Dataset()
    organization.DimensionOrganizationUID = uid
    ds.DimensionOrganizationSequence = Sequence([organization])
    items = []
    for keyword_tag in (0x00209056, 0x00209057):  # Stack ID, In-Stack Position Number
        item = Dataset()
        item.DimensionOrganizationUID = uid
        item.DimensionIndexPointer = keyword_tag
        item.FunctionalGroupPointer = 0x00209111  # Frame Content Sequence
        items.append(item)
    ds.DimensionIndexSequence = Sequence(items)
