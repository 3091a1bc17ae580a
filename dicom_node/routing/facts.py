"""What routing knows of a study: facts gathered from index records, no pixels, no database.

Everything that a predicate or a choice of series looks at is a field here, so that a verdict can be explained.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dicom_node.routing.contrast import Contrast, contrast_of
from dicom_node.routing.geometry import Geometry, geometry_of
from dicom_node.routing.header import Header, first, line, number, plain, text, words
from dicom_node.routing.natures import natures_of
from dicom_node.routing.regions import RegionEvidence, regions_of
from dicom_node.routing.timing import Started, started
from dicom_node.routing.vocabulary import Kernel, Nature, Vocabulary
from dicom_node.routing.weighting import UNWEIGHTED, Weighting, weighting_of
from storage.records import Instance, InstanceKind, Series, Study


@dataclass(frozen=True)
class SeriesFacts:
    """One series; `texts` are plain (`header.plain`), `image_type` upper-case, lengths in mm."""

    uid: str
    modality: str
    label: str  # for people: number and description
    sop_class_uid: str
    images: int
    texts: Mapping[str, str]
    image_type: tuple[str, ...]
    natures: Mapping[Nature, str]
    geometry: Geometry
    thickness_mm: float | None
    kernel: Kernel
    kernel_name: str
    contrast: Contrast
    weighting: Weighting
    regions: RegionEvidence
    started: Started
    header: Header = field(default_factory=dict, repr=False)

    @property
    def slices(self) -> int:
        """Slices of the one volume that the reader will make of it."""
        return self.geometry.slices


@dataclass(frozen=True)
class StudyFacts:
    """One study with all its series, in the order of their numbers."""

    uid: str
    calling_aets: tuple[str, ...]
    series: tuple[SeriesFacts, ...]
    incomplete: str = ""  # what it lacks, in words
    refuse_incomplete: bool = False  # where a route does not say otherwise


def study_facts(
    study: Study,
    series: Sequence[Series],
    instances: Sequence[Instance],
    vocabulary: Vocabulary | None = None,
) -> StudyFacts:
    """The facts of a study from its index records; conflicting contents are left out, the first one counts."""
    vocabulary = vocabulary or Vocabulary()
    headers: dict[str, list[Header]] = defaultdict(list)
    for instance in instances:
        if instance.kind is InstanceKind.IMAGE and not instance.conflict:
            headers[instance.series_instance_uid].append(_with_identity(instance))
    description = text(study.header, "StudyDescription")
    gathered = [_series_facts(one, headers[one.series_instance_uid], description, vocabulary) for one in series]
    gathered.sort(key=lambda facts: (number(facts.header, "SeriesNumber") or 0.0, facts.uid))
    return StudyFacts(study.study_instance_uid, tuple(study.calling_aets), tuple(gathered), study.incomplete)


def _with_identity(instance: Instance) -> Header:
    """The header with the record's own identifiers, which outrank whatever the header holds."""
    return {
        **instance.header,
        "SOPInstanceUID": instance.sop_instance_uid,
        "SOPClassUID": instance.sop_class_uid,
        "SeriesInstanceUID": instance.series_instance_uid,
        "StudyInstanceUID": instance.study_instance_uid,
    }


def _series_facts(
    series: Series, headers: Sequence[Header], study_description: str, vocabulary: Vocabulary
) -> SeriesFacts:
    geometry = geometry_of(headers)
    header = _representative(series, headers, geometry)
    modality = line(series.modality or text(header, "Modality")).upper()
    description = text(header, "SeriesDescription")
    study_text = study_description or text(header, "StudyDescription")
    kernel_name = first(header, "ConvolutionKernel") if modality == "CT" else ""
    return SeriesFacts(
        uid=series.series_instance_uid,
        modality=modality,
        label=_label(header, description),
        sop_class_uid=text(header, "SOPClassUID"),
        images=len(headers),
        texts={
            "series_description": plain(description),
            "protocol_name": plain(text(header, "ProtocolName")),
            "study_description": plain(study_text),
        },
        image_type=words(header, "ImageType"),
        natures=natures_of(header, modality=modality, images=len(headers), vocabulary=vocabulary),
        geometry=geometry,
        thickness_mm=_thickness(header, geometry),
        kernel=vocabulary.kernel(kernel_name.lower(), plain(description)) if modality == "CT" else Kernel.UNKNOWN,
        kernel_name=kernel_name,
        contrast=contrast_of(header),
        weighting=weighting_of(header) if modality == "MR" else UNWEIGHTED,
        regions=regions_of(header, study_text, vocabulary),
        started=started(headers or [header]),
        header=header,
    )


def _representative(series: Series, headers: Sequence[Header], geometry: Geometry) -> Header:
    """The header of the volume's middle slice: a stray scout in the series must not speak for it.

    Of an instance that holds several echoes a header tells the first frame's; the volume's own counts.
    """
    if not headers:
        return series.header
    if not geometry.sop_instance_uids:
        return headers[len(headers) // 2]
    middle = geometry.sop_instance_uids[len(geometry.sop_instance_uids) // 2]
    found = next(header for header in headers if header["SOPInstanceUID"] == middle)
    return found if geometry.echo_ms is None else {**found, "EchoTime": geometry.echo_ms}


def _thickness(header: Header, geometry: Geometry) -> float | None:
    said = number(header, "SliceThickness")
    return said if said is not None and said > 0 else geometry.spacing_mm


def _label(header: Header, description: str) -> str:
    value = number(header, "SeriesNumber")
    numbered = f"series {value:g}" if value is not None else "a series without number"
    return f"{numbered} “{description}”" if description else numbered
