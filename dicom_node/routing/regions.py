"""What a header says of the body part, kept apart by who says it, because they are not equally right."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_node.routing.header import Header, plain, text
from dicom_node.routing.vocabulary import Region, Vocabulary


@dataclass(frozen=True)
class RegionEvidence:
    """Regions named by the series description alone, by all descriptions together, and by BodyPartExamined."""

    by_series: frozenset[Region] = frozenset()
    by_text: frozenset[Region] = frozenset()
    by_tag: frozenset[Region] = frozenset()
    tag_text: str = ""


def regions_of(header: Header, study_description: str, vocabulary: Vocabulary) -> RegionEvidence:
    """The evidence in one series' header and its study's description."""
    by_series = vocabulary.regions_in(plain(text(header, "SeriesDescription")))
    by_protocol = vocabulary.regions_in(plain(text(header, "ProtocolName")))
    by_study = vocabulary.regions_in(plain(study_description))
    tag = text(header, "BodyPartExamined")
    return RegionEvidence(by_series, by_series | by_protocol | by_study, vocabulary.regions_in(plain(tag)), tag)
