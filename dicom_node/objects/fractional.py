"""The SEG of probabilities: FRACTIONAL, beside the one that viewers show (PS3.3 C.8.20.2.3).

It is made of a BINARY one: the same frames, each voxel with the probability of its label instead of a bit. highdicom
would want all segments as floats at once, which for ten lesions is more than the scan.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from dicom_node.errors import ResultInvalid
from dicom_node.objects import wording
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.decode import source_of
from dicom_node.objects.seg import encode_segmentations, name_dimensions
from dicom_node.objects.source import Sources
from inference.findings import Result

KIND = "fractional"
MOST = 255  # the value that stands for certainty


def encode_fractional(result: Result, sources: Sources, context: EncodeContext) -> Dataset:
    """Probabilities of the findings, 0 outside them; ResultInvalid where the model gave none."""
    if result.probability is None:
        raise ResultInvalid("the model gives no probabilities")
    binary = replace(context, profile=context.profile.model_copy(update={"seg": "binary", "seg_per": "task"}))
    [made] = encode_segmentations(result, sources, binary)
    seg, names = made.seg, context.names
    seg.SOPInstanceUID = seg.file_meta.MediaStorageSOPInstanceUID = names.instance(KIND)
    seg.SeriesInstanceUID, seg.SeriesNumber = names.series(KIND), names.series_number(KIND)
    seg.SeriesDescription = wording.series_description(result, "SEG probabilities", context.incomplete)
    name_dimensions(seg, names.dimensions(KIND))
    seg.SegmentationType, seg.SegmentationFractionalType, seg.MaximumFractionalValue = "FRACTIONAL", "PROBABILITY", MOST
    seg.BitsAllocated, seg.BitsStored, seg.HighBit = 8, 8, 7
    pixels = b"".join(frame.tobytes() for frame in expected_frames(seg, result, sources))
    seg.PixelData = pixels + b"\0" * (len(pixels) % 2)
    seg["PixelData"].VR = "OB"
    if context.profile.transfer_syntax == "rle":
        seg.compress(RLELossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    return seg


def expected_frames(seg: Dataset, result: Result, sources: Sources) -> list[NDArray[np.uint8]]:
    """What each frame (rows, columns) of a fractional SEG must hold, by the segment and the source that it names."""
    assert result.probability is not None
    labels: NDArray[np.unsignedinteger] = np.load(result.labelmap, mmap_mode="r")
    chances: NDArray[np.float16] = np.load(result.probability, mmap_mode="r")
    slice_of = {reference: z for z, reference in enumerate(sources.references)}
    frames = []
    for group in seg.PerFrameFunctionalGroupsSequence:
        z = slice_of[source_of(group)]
        number = int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        chance = np.where(labels[z] == number, chances[z].astype(np.float32), 0)
        frames.append(np.rint(np.clip(chance, 0, 1) * MOST).astype(np.uint8))
    return frames
