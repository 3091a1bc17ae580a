"""What a peer takes, found by negotiation alone: every kind of object of ours, in every transfer syntax (PS3.8 7.1).

Nothing is sent. A peer that says yes to a class may still refuse an object of it, or show nothing: its readers know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    LabelMapSegmentationStorage,
    ParametricMapStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
    StorageCommitmentPushModel,
    Verification,
)

from dicom_node.network.client import open_association
from dicom_node.network.peer import Peer
from dicom_node.network.proposals import Proposed

# By the names that a destination's profile and its table use; some are objects of one class.
STORED: dict[str, UID] = {
    "seg": SegmentationStorage,
    "labelmap": LabelMapSegmentationStorage,
    "comprehensive3d": Comprehensive3DSRStorage,
    "comprehensive": ComprehensiveSRStorage,
    "enhanced": EnhancedSRStorage,
    "capture": SecondaryCaptureImageStorage,
    "document": EncapsulatedPDFStorage,
    "key_objects": KeyObjectSelectionDocumentStorage,
    "presentation_state": GrayscaleSoftcopyPresentationStateStorage,
    "structure_set": RTStructureSetStorage,
    "probability_map": ParametricMapStorage,
    "uncertainty_map": ParametricMapStorage,
}
SERVICES: dict[str, UID] = {"echo": Verification, "commitment": StorageCommitmentPushModel}
SYNTAXES: Mapping[str, UID] = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg2000": JPEG2000Lossless,
    "deflated": DeflatedExplicitVRLittleEndian,
}


@dataclass(frozen=True)
class Capabilities:
    """By object or service, the transfer syntaxes in which the peer takes it; what it does not take is not there."""

    accepted: Mapping[str, tuple[str, ...]]

    def takes(self, name: str, syntaxes: Collection[str] = ("explicit", "implicit")) -> bool:
        """Whether it takes an object in one of `syntaxes`."""
        return any(syntax in syntaxes for syntax in self.accepted.get(name, ()))


def everything() -> Proposed:
    """Every object and service, each in the syntaxes that are asked about."""
    asked = {uid: tuple(SYNTAXES.values()) for uid in STORED.values()}
    asked |= dict.fromkeys(SERVICES.values(), (ImplicitVRLittleEndian,))
    return Proposed([build_context(uid, syntax) for uid, syntaxes in asked.items() for syntax in syntaxes])


def probe(peer: Peer, calling_aet: str) -> Capabilities:
    """Ask `peer` for everything at once, a context for each class and syntax; PeerError where none comes about."""
    words = {syntax: word for word, syntax in SYNTAXES.items()}
    accepted: dict[str, tuple[str, ...]] = {}
    with open_association(peer, calling_aet, everything()) as association:
        for context in association.accepted_contexts if association else ():
            for name, uid in (STORED | SERVICES).items():
                if uid == context.abstract_syntax:
                    accepted[name] = (*accepted.get(name, ()), words[UID(context.transfer_syntax[0])])
    order = [*SERVICES, *STORED]
    return Capabilities({name: accepted[name] for name in sorted(accepted, key=order.index)})
