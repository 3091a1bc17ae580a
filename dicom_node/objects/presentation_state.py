"""The presentation state: findings drawn on their images, for viewers that show no SEG (GSPS, PS3.3 A.33.1).

Each finding is a graphic layer of its own, which a viewer can switch off; the images keep their own window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from highdicom import PresentationLUTTransformation, pr
from highdicom.color import CIELabColor
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.errors import ResultInvalid
from dicom_node.objects import wording
from dicom_node.objects.codes import processing_equipment
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.contours import Polygon, outlines, simplified
from dicom_node.objects.finish import finish
from dicom_node.objects.labelmap import Labels, is_lesion, largest_slices, load_labels
from dicom_node.objects.planes import find, functional_groups
from dicom_node.objects.source import Sources
from inference.findings import Finding, Result

KIND = "contours"
MAX_LINES = 100  # on one image: more make viewers slow, and nobody could tell them apart
MAX_POINTS = 1000  # of one line
_MARK_BOX = (0.02, 0.92, 0.98, 0.97)  # left, top, right, bottom as shares of the display: below the patient
_WHITE = (235, 235, 235)
_RESCALE = ("RescaleSlope", "RescaleIntercept", "RescaleType")
_WINDOW = ("WindowCenter", "WindowWidth", "VOILUTFunction")
_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


@dataclass(frozen=True, eq=False)
class Line:
    """A rim or a hole of a finding on one slice."""

    finding: Finding
    polygon: Polygon


def encode_contours(result: Result, sources: Sources, context: EncodeContext) -> Dataset:
    """Outlines on every slice that holds a finding; ResultInvalid where there is none."""
    labels = load_labels(result, sources)
    shown = dict(_images(labels, sources))
    if not shown:
        raise ResultInvalid("a result without findings has no contours")
    layers = {f.number: _layer(f) for f in result.findings}
    mark = pr.GraphicLayer("MARK", len(layers) + 1, "Intended use", CIELabColor.from_rgb(*_WHITE))
    labelled = largest_slices(labels, result)
    annotations = [_mark(list(shown.values()), mark, result, context)]
    for z, image in shown.items():
        lines, left_out = _lines(labels[z], result.findings)
        titled = [f for f in result.findings if is_lesion(f) and labelled.get(f.number) == z]
        annotations += _annotations(image, lines, titled, layers, context)
        if left_out:
            annotations.append(_note(image, mark, f"The {left_out} smallest outlines of this image are not drawn"))
    state = pr.GrayscaleSoftcopyPresentationState(
        referenced_images=list(shown.values()),
        **context.general(KIND),
        content_label=wording.content_label(result.task),
        content_description=wording.content_description(result.model),
        graphic_annotations=annotations,
        graphic_layers=[*layers.values(), mark],
        presentation_lut_transformation=_polarity(sources.image(min(shown))),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        contributing_equipment=[processing_equipment(result.model, context)],
        series_description=wording.series_description(result, "contours", context.incomplete),
        specific_character_set=None,  # set at the end: highdicom knows not all that archives hold
    )
    state.PresentationCreationDate, state.PresentationCreationTime = context.moment.date, context.moment.time
    _keep_proportions(state, sources.planes[0])
    _refer_to_instances(state, sources)
    return finish(state, sources.header, context)


def _images(labels: Labels, sources: Sources) -> Iterator[tuple[int, Dataset]]:
    """Each slice with a finding as the single-frame image that highdicom takes, with its window and rescale.

    One state has one modality LUT for all its images (PS3.3 C.11.1). Where they differ in it, neither that nor
    a window is stated.
    """
    found = [z for z, plane in enumerate(labels) if plane.any()]
    rescales = [_values(sources, z, "PixelValueTransformationSequence", _RESCALE) for z in found]
    alike = all(rescale == rescales[0] for rescale in rescales)
    for z, rescale in zip(found, rescales, strict=True):
        image = Dataset()
        image.update(sources.planes[0])
        image.update(sources.planes[z])
        for keyword in (*_RESCALE, *_WINDOW, "WindowCenterWidthExplanation", "VOILUTSequence", "ModalityLUTSequence"):
            image.pop(keyword, None)
        image.SamplesPerPixel = 1
        stated = {}
        if alike:
            window = _values(sources, z, "FrameVOILUTSequence", _WINDOW)
            stated = _valid_rescale(rescale, sources.modality) | _valid_window(window)
        for keyword, value in stated.items():
            setattr(image, keyword, value)
        yield z, image


def _polarity(image: Dataset) -> PresentationLUTTransformation:
    """Black and white as the image has them: a state says so in the place of its interpretation (PS3.3 C.11.6)."""
    inverse = image.get("PhotometricInterpretation") == "MONOCHROME1"
    return PresentationLUTTransformation("INVERSE" if inverse else "IDENTITY")


def _values(sources: Sources, z: int, sequence: str, keywords: Sequence[str]) -> dict[str, object]:
    groups = functional_groups(sources.image(z), sources.references[z].frame)
    return {keyword: find(groups, sequence, keyword) for keyword in keywords}


def _valid_rescale(rescale: dict[str, object], modality: str) -> dict[str, object]:
    """Slope, intercept and type; CT images that name no type hold HU (PS3.3 C.8.2.1)."""
    if rescale["RescaleSlope"] is None or rescale["RescaleIntercept"] is None:
        return {}
    return rescale | {"RescaleType": rescale["RescaleType"] or ("HU" if modality == "CT" else "US")}


def _valid_window(window: dict[str, object]) -> dict[str, object]:
    """The windows, where there are as many widths as centres and none is empty (PS3.3 C.11.2.1.2)."""
    centres, widths = (_numbers(window[k]) for k in ("WindowCenter", "WindowWidth"))
    if not centres or len(centres) != len(widths) or min(widths) <= 0:
        return {}
    function = window["VOILUTFunction"]
    return {k: v for k, v in window.items() if k != "VOILUTFunction" or function in _FUNCTIONS}


def _numbers(value: object) -> list[float]:
    """Of one value or several; none where one of them is no number."""
    if value is None:
        return []
    try:
        return [float(str(v)) for v in value] if isinstance(value, MultiValue) else [float(str(value))]
    except ValueError:
        return []


def _layer(finding: Finding) -> pr.GraphicLayer:
    return pr.GraphicLayer(
        layer_name=f"FINDING {finding.number}",
        order=finding.number,
        description=wording.plain(finding.label),
        display_color=CIELabColor.from_rgb(*finding.structure.rgb),
    )


def _lines(plane: NDArray[np.unsignedinteger], findings: Sequence[Finding]) -> tuple[list[Line], int]:
    """The lines to draw on a slice, in the findings' order, and how many are left out beyond MAX_LINES.

    Each finding's largest rim comes before any finding's holes and smaller areas.
    """
    ranked: list[tuple[int, int, Line]] = []
    for finding in findings:
        for rank, area in enumerate(outlines(plane == finding.number)):
            ranked.append((rank, -area.pixels, Line(finding, area.rim)))
            ranked += [(rank + 1, -area.pixels, Line(finding, hole)) for hole in area.holes]
    ranked.sort(key=lambda entry: entry[:2])
    drawn = [line for _, _, line in ranked[:MAX_LINES]]
    return sorted(drawn, key=lambda line: line.finding.number), len(ranked) - len(drawn)


def _annotations(image: Dataset, lines: Sequence[Line], titled: Sequence[Finding],
                 layers: dict[int, pr.GraphicLayer], context: EncodeContext) -> Iterator[pr.GraphicAnnotation]:
    """A finding's lines on one image, and its name if it is `titled` here."""
    for number in dict.fromkeys(line.finding.number for line in lines):
        own = [line for line in lines if line.finding.number == number]
        finding = own[0].finding
        track = {"tracking_id": wording.plain(finding.label), "tracking_uid": context.names.finding(finding)}
        graphics = [pr.GraphicObject("POLYLINE", _closed(simplified(line.polygon, MAX_POINTS)), "PIXEL", **track)
                    for line in own]
        texts = [pr.TextObject(wording.plain(finding.label), "PIXEL", anchor_point=_top(own), **track)]
        yield pr.GraphicAnnotation([image], layers[number], graphic_objects=graphics,
                                   text_objects=texts if finding in titled else None)


def _closed(polygon: Polygon) -> Polygon:
    return np.concatenate([polygon, polygon[:1]])


def _top(lines: Sequence[Line]) -> tuple[float, float]:
    """The uppermost corner (column, row) of the first line, the rim of the largest area."""
    column, row = min(lines[0].polygon.tolist(), key=lambda corner: (corner[1], corner[0]))
    return column, row


def _mark(images: Sequence[Dataset], layer: pr.GraphicLayer, result: Result,
          context: EncodeContext) -> pr.GraphicAnnotation:
    """Intended use and model, on every image."""
    words = wording.content_description(result.model)
    if context.incomplete:
        words += f"; {wording.incomplete_sentence(context.incomplete)}"
    text = pr.TextObject(words, "DISPLAY", bounding_box=_MARK_BOX)
    return pr.GraphicAnnotation(images, layer, text_objects=[text])


def _note(image: Dataset, layer: pr.GraphicLayer, words: str) -> pr.GraphicAnnotation:
    left, top, right, bottom = _MARK_BOX
    height = bottom - top
    text = pr.TextObject(words, "DISPLAY", bounding_box=(left, top - height, right, top))
    return pr.GraphicAnnotation([image], layer, text_objects=[text])


def _keep_proportions(state: Dataset, plane: Dataset) -> None:
    """highdicom calls every pixel square; spacing in mm gives their true shape (PS3.3 C.10.4)."""
    (area,) = state.DisplayedAreaSelectionSequence
    del area.PresentationPixelAspectRatio
    del area.PixelOriginInterpretation  # of tiled images only
    area.PresentationPixelSpacing = plane.PixelSpacing


def _refer_to_instances(state: Dataset, sources: Sources) -> None:
    """Point every reference at the instance, and the frames, that its planes stand for."""
    for item in (*state.ReferencedSeriesSequence, *state.GraphicAnnotationSequence,
                 *(state.get("SoftcopyVOILUTSequence") or ())):
        if "ReferencedImageSequence" in item:
            item.ReferencedImageSequence = _merged(item.ReferencedImageSequence, sources)


def _merged(items: Sequence[Dataset], sources: Sources) -> list[Dataset]:
    """One item an instance, its frames listed together."""
    sources.resolve(items)
    frames: dict[str, list[int]] = {}
    whole: dict[str, Dataset] = {}
    for item in items:
        uid = str(item.ReferencedSOPInstanceUID)
        whole.setdefault(uid, item)
        if "ReferencedFrameNumber" in item:
            frames.setdefault(uid, []).append(int(item.ReferencedFrameNumber))
    for uid, numbers in frames.items():
        whole[uid].ReferencedFrameNumber = numbers
    return list(whole.values())
