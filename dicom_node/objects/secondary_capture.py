"""One picture as a Secondary Capture in colour (PS3.3 A.8.1), at the place of the slice that it shows.

The place is more than the IOD asks for, which makes a Standard Extended object: by it viewers
cross-reference the pictures and scroll them in step with their source.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from highdicom.sc import SCImage
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.objects import wording
from dicom_node.objects.codes import SEGMENTATION_DERIVATION, SOURCE_OF_PROCESSING, concept, processing_equipment
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.finish import finish
from dicom_node.objects.painting import sides
from dicom_node.objects.source import Sources
from inference.codes import LUNG
from inference.findings import ModelIdentity, Result

_PLACE = ("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
_PAIRED = (LUNG,)  # regions of which a body has two
# What was lost once stays lost (PS3.3 C.7.6.1.1.5).
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


@dataclass(frozen=True, eq=False)
class Picture:
    """A painted slice: RGB of shape (rows, columns, 3), the slice's index, its number in a series of this kind."""

    kind: str
    description: str  # of the series
    number: int
    z: int
    pixels: NDArray[np.uint8]
    shown: str  # how grey was made of the slice's values


def secondary_capture(picture: Picture, result: Result, sources: Sources, context: EncodeContext) -> Dataset:
    """The picture as an object, uncompressed."""
    plane = sources.planes[picture.z]
    _, right, _, bottom = sides(plane)
    ds = SCImage(
        pixel_array=picture.pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=(right[0], bottom[0]),  # highdicom knows one letter a side; the others are set below
        study_instance_uid=str(plane.StudyInstanceUID),
        **context.general(picture.kind, picture.number),
        series_description=picture.description,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        contributing_equipment=[processing_equipment(result.model, context)],
        specific_character_set=None,  # set at the end: highdicom knows not all that archives hold
    )
    ds.PatientOrientation = [right, bottom]
    ds.copy_patient_and_study_information(sources.planes[0])
    for keyword in _PLACE:
        ds[keyword] = deepcopy(plane[keyword])  # an element set as it is would be shared
    ds.PositionReferenceIndicator = sources.header.get("PositionReferenceIndicator") or ""
    for keyword in _LOSSY:
        if sources.header.get(keyword):
            ds[keyword] = deepcopy(sources.header[keyword])
    ds.ImageLaterality = _laterality(sources.header, result)
    _capture(ds, context)
    _derive(ds, sources, picture, result.model)
    return finish(ds, sources.header, context)


def _laterality(header: Dataset, result: Result) -> str:
    """What the source says, else whether what was segmented is paired: one must be said (PS3.3 C.7.3.1)."""
    for keyword in ("ImageLaterality", "Laterality"):
        if header.get(keyword) in ("R", "L", "B", "U"):
            return str(header.get(keyword))
    return "B" if any(f.structure.region in _PAIRED for f in result.findings) else "U"


def _capture(ds: Dataset, context: EncodeContext) -> None:
    """When it was captured, and that words are part of it (PS3.3 C.7.6.1, C.8.6.2)."""
    moment = context.moment
    ds.ContentDate, ds.ContentTime = moment.date, moment.time
    ds.DateOfSecondaryCapture, ds.TimeOfSecondaryCapture = moment.date, moment.time
    ds.BurnedInAnnotation = "YES"


def _derive(ds: Dataset, sources: Sources, picture: Picture, model: ModelIdentity) -> None:
    """What it was made of, how, and for what use (PS3.3 C.7.6.1, C.12.4)."""
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.ImageComments = wording.content_description(model)
    ds.DerivationDescription = wording.plain(
        f"Segmentation by {model.name} {model.version}, painted on the source image; {picture.shown}. "
        f"{wording.intended_use_sentence(model)}", 1024)
    ds.DerivationCodeSequence = [concept(SEGMENTATION_DERIVATION)]
    item = Dataset()
    sources.references[picture.z].write(item)
    item.PurposeOfReferenceCodeSequence = [concept(SOURCE_OF_PROCESSING)]
    item.SpatialLocationsPreserved = "YES"
    ds.SourceImageSequence = [item]
