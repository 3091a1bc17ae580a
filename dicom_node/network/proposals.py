"""What we propose when we call: each service's presentation contexts and roles, once for all who call.

The conformance statement reads them here as well, so that it says what is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydicom.uid import UID
from pynetdicom import build_role
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from dicom_node.network.contexts import MAX_CONTEXTS, PLAIN, TRANSFER_SYNTAXES


@dataclass(frozen=True)
class Proposed:
    """One association's contexts, and the roles that are negotiated for them (PS3.7 D.3.3.4)."""

    contexts: list[PresentationContext]
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = ()


def syntaxes_of(own: UID) -> tuple[UID, ...]:
    """The transfer syntaxes that a file of the syntax `own` can travel in, its own first.

    A plain one may be written anew as the other plain one; nothing is ever decompressed.
    """
    return (own, *(other for other in PLAIN if other != own)) if own in PLAIN else (own,)


def verification() -> Proposed:
    """C-ECHO."""
    return Proposed([build_context(Verification)])


def storage(files: Iterable[tuple[UID, UID]]) -> Proposed:
    """C-STORE of files of these SOP classes and transfer syntaxes.

    One context for each class and syntax, so that the peer cannot choose between ours.
    """
    pairs = dict.fromkeys((sop_class, syntax) for sop_class, own in files for syntax in syntaxes_of(own))
    return Proposed([build_context(sop_class, syntax) for sop_class, syntax in pairs])


def find() -> Proposed:
    """C-FIND."""
    return Proposed([build_context(StudyRootQueryRetrieveInformationModelFind)])


def move() -> Proposed:
    """C-MOVE."""
    return Proposed([build_context(StudyRootQueryRetrieveInformationModelMove)])


def get(classes: Iterable[str]) -> Proposed:
    """C-GET of instances of these SOP classes, as many as one association has contexts for; we store them."""
    stored = [UID(uid) for uid in dict.fromkeys(classes)][: MAX_CONTEXTS - 1]
    contexts = [build_context(uid, list(TRANSFER_SYNTAXES)) for uid in stored]
    roles = [build_role(uid, scp_role=True) for uid in stored]
    return Proposed([build_context(StudyRootQueryRetrieveInformationModelGet), *contexts], roles)


def commitment_request() -> Proposed:
    """N-ACTION of storage commitment."""
    return Proposed([build_context(StorageCommitmentPushModel, list(PLAIN))])


def commitment_report() -> Proposed:
    """N-EVENT-REPORT of storage commitment on an association of our own, as the service's provider."""
    return Proposed(commitment_request().contexts, [build_role(StorageCommitmentPushModel, scp_role=True)])
