"""Which objects a profile makes of a result, in the order in which they are listed to viewers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_node.objects import (
    bidirectional,
    capture,
    document,
    fractional,
    parametric_map,
    presentation_state,
    seg,
    selection,
    sr,
    structure_set,
    summary,
)
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.source import Sources
from inference.findings import Result

PICTURES_ON_A_PAGE = 4

Kinds = Iterator[tuple[str, Dataset]]


def assortment(result: Result, sources: Sources, files: Mapping[str, Sequence[Path]], context: EncodeContext) -> Kinds:
    """Each object with its kind. Without findings there are only those that say so, the summary and the page.

    And the map of where the model was unsure, which is of most use then.
    """
    described = []
    for kind, ds in _described(result, sources, context):
        if kind not in context.kept_in:
            described.append(ds)
        yield kind, ds
    yield from _beside(result, sources, files, context, described)


def _described(result: Result, sources: Sources, context: EncodeContext) -> Kinds:
    """SEG and SR."""
    profile = context.profile
    segs = seg.encode_segmentations(result, sources, context) if profile.seg != "none" and result.findings else []
    yield from ((seg.KIND, one.seg) for one in segs)
    if profile.fractional and result.findings and result.probability is not None:
        yield fractional.KIND, fractional.encode_fractional(result, sources, context)
    if profile.sr != "none" and profile.measurements:
        if segs:
            yield sr.KIND, sr.encode_measurements(result, segs, sources, context)
        yield summary.KIND, summary.encode_summary(result, sources, context, [one.seg for one in segs])
    if profile.sr != "none" and profile.diameters and bidirectional.crossed(result):
        yield bidirectional.KIND, bidirectional.encode_bidirectional(result, sources, context)


def _beside(result: Result, sources: Sources, files: Mapping[str, Sequence[Path]], context: EncodeContext,
            described: Sequence[Dataset]) -> Kinds:
    """What shows the same to viewers that show no SEG or SR."""
    profile = context.profile
    if profile.captures == "key":
        pictures = capture.encode_key_images(result, sources, files, context)
        yield from ((capture.KEY_IMAGES, picture) for picture in pictures)
    elif profile.captures == "all":
        pictures = capture.encode_overlay_series(result, sources, files, context)
        yield from ((capture.OVERLAY_SERIES, picture) for picture in pictures)
    if profile.document:
        painted = capture.paint_key_images(result, sources, files, context, PICTURES_ON_A_PAGE)
        yield document.KIND, document.encode_document(result, sources, context, painted)
    if profile.uncertainty_map and result.uncertainty is not None:
        yield parametric_map.UNCERTAINTY, parametric_map.encode_uncertainty(result, sources, context)
    if not result.findings:
        return
    if profile.presentation_state:
        yield presentation_state.KIND, presentation_state.encode_contours(result, sources, context)
    if profile.key_objects and (described or selection.key_slices(result, sources)):
        yield selection.KIND, selection.encode_selection(result, sources, context, described)
    if profile.structure_set:
        yield structure_set.KIND, structure_set.encode_structures(result, sources, context)
    if profile.probability_map and result.probability is not None:
        yield parametric_map.KIND, parametric_map.encode_probability(result, sources, context)
