"""The objects that the node makes: their SOP classes, IODs and templates, by destination, and its own codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from dicom_node.conformance.contexts import objects_for
from dicom_node.conformance.document import Section, Table
from dicom_node.network.contexts import name_of
from dicom_node.network.probe import STORED

if TYPE_CHECKING:
    from dicom_node.settings import Settings
    from inference.codes import Code


class Made(NamedTuple):
    """What one kind of object holds; `of` is its name in a profile (network/probe.py)."""

    of: str
    what: str
    iod: str
    template: str = "–"


_REPORT = "TID 1500 Measurement Report with TID 1001, 1002 and 1004 (device observer), TID 1600 image library"
MADE = (
    Made("seg", "Segmentation, BINARY, or FRACTIONAL with occupancy", "Segmentation IOD (PS3.3 A.51)"),
    Made("seg", "Segmentation of probabilities, FRACTIONAL", "Segmentation IOD (PS3.3 A.51)"),
    Made("labelmap", "Segmentation, LABELMAP", "Label Map Segmentation IOD (PS3.3)"),
    *(
        Made(name, "Measurement report", f"{title} SR IOD (PS3.3 {section})", f"{_REPORT}; a TID 1411 group a segment, "
             "TID 300 measurements, TID 4019 algorithm")
        for name, title, section in (
            ("comprehensive3d", "Comprehensive 3D", "A.35.13"),
            ("comprehensive", "Comprehensive", "A.35.3"),
            ("enhanced", "Enhanced", "A.35.2"),
        )
    ),
    Made("comprehensive3d", "Summary of the study, and what became of lesions since the prior (class as above)",
         "as the measurement report", f"{_REPORT}; TID 1501 groups, TID 1502 time points"),
    Made("comprehensive3d", "Diameters as lines (class as above)", "as the measurement report",
         f"{_REPORT}; a TID 1501 group a lesion, with SCOORD"),
    Made("capture", "Key slices or all slices with overlays, RGB", "Secondary Capture Image IOD (PS3.3 A.8)"),
    Made("document", "One-page report", "Encapsulated PDF IOD (PS3.3 A.45.1)"),
    Made("presentation_state", "Outlines", "Grayscale Softcopy Presentation State IOD (PS3.3 A.33.1)"),
    Made("key_objects", "Selection of key slices; rejection note (IHE IOCM)",
         "Key Object Selection Document IOD (PS3.3 A.35.4)", "TID 2010 Key Object Selection"),
    Made("structure_set", "Contours", "RT Structure Set IOD (PS3.3 A.19)"),
    Made("probability_map", "Probability, or how unsure the model was", "Parametric Map IOD (PS3.3 A.75)"),
)


def created_objects(settings: Settings) -> Section:
    """Everything that is made, what each destination gets of it, and how its identifiers come about."""
    kinds = [(one.what, name_of(STORED[one.of]), str(STORED[one.of]), one.iod, one.template) for one in MADE]
    return Section(
        "Created objects",
        (
            (
                "Every object is of the patient and study of its source images, in a new series. Which of them are "
                "made, and in which form, the profile of each destination says; the measurement reports are of one of "
                "the three SR classes. Type 2 attributes that the sources lack are empty."
            ),
            Table.of("Objects", ("Object", "SOP class", "UID", "IOD", "Templates (PS3.16)"), kinds),
            Table.of("Objects by destination", ("Destination", "SOP class", "Transfer syntax"), _sent_to(settings)),
        ),
        (
            Section("Values that the node sets", (
                (
                    "UIDs, series numbers, dates and times are derived from the job that made the objects: the same "
                    "inputs, model and parameters give the same UIDs, so that a repeated delivery makes no duplicate. "
                    "UIDs have the root 2.25 (PS3.5 B.2). Tracking UIDs of findings are those of the prior where a "
                    "lesion was matched."
                ),
                (
                    "The model is identified as Contributing Equipment (purpose 109102, DCM, Processing Equipment) "
                    "with manufacturer, name, version and Device UID, as Segmentation Algorithm Identification, and as "
                    "TID 4019 in reports. Reports are COMPLETE, not final (PRELIMINARY) and UNVERIFIED."
                ),
            )),
            Section("Private attributes", (
                (
                    "None: no private attribute is written, and no private SOP class or transfer syntax is used. Those "
                    "of received instances are kept as they came."
                ),
            )),
            Section("Coding schemes", (
                (
                    "Codes are of DCM, SCT, UCUM, LN, NCIt and UMLS, and where none exists of the private scheme "
                    "99SEGNODE, which reports declare in Coding Scheme Identification (PS3.3 C.12.1)."
                ),
                Table.of("Codes of the node's own", ("Code", "Scheme", "Meaning"), own_codes()),
            )),
        ),
    )


def own_codes() -> Iterator[tuple[str, str, str]]:
    """The codes that the encoders add to the standard's."""
    from dicom_node.objects import codes  # loads highdicom

    found: list[Code] = []
    for value in vars(codes).values():
        found += value.values() if isinstance(value, dict) else [value]
    for code in found:
        if getattr(code, "scheme", "") == codes.OWN_SCHEME:
            yield code.value, code.scheme, code.meaning


def _sent_to(settings: Settings) -> Iterator[tuple[str, str, str]]:
    for name, one in settings.destinations().items():
        for sop_class, syntax in dict.fromkeys(objects_for(one)):
            yield name, name_of(sop_class), name_of(syntax)
