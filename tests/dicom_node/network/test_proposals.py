"""What each service proposes, as contexts and roles."""

from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    MRImageStorage,
)
from pynetdicom.sop_class import StorageCommitmentPushModel, StudyRootQueryRetrieveInformationModelGet

from dicom_node.network import proposals
from dicom_node.network.contexts import MAX_CONTEXTS, STORAGE_CLASSES, TRANSFER_SYNTAXES


def pairs(proposed: proposals.Proposed) -> list[tuple[str, tuple[str, ...]]]:
    return [(context.abstract_syntax, tuple(context.transfer_syntax)) for context in proposed.contexts]


def test_a_plain_file_may_travel_in_either_plain_syntax_and_any_other_as_it_is():
    files = [(CTImageStorage, ExplicitVRLittleEndian), (MRImageStorage, JPEGLosslessSV1)]
    assert pairs(proposals.storage([*files, *files])) == [
        (CTImageStorage, (ExplicitVRLittleEndian,)),
        (CTImageStorage, (ImplicitVRLittleEndian,)),
        (MRImageStorage, (JPEGLosslessSV1,)),
    ]


def test_who_gets_stores_in_the_role_of_the_provider():
    proposed = proposals.get([CTImageStorage, CTImageStorage])
    assert pairs(proposed)[1:] == [(CTImageStorage, TRANSFER_SYNTAXES)]
    assert proposed.contexts[0].abstract_syntax == StudyRootQueryRetrieveInformationModelGet
    assert [(role.sop_class_uid, role.scp_role, role.scu_role) for role in proposed.roles] == [
        (CTImageStorage, True, False)
    ]


def test_no_more_classes_are_asked_for_than_one_association_has_contexts():
    many = [f"1.2.{number}" for number in range(2 * len(STORAGE_CLASSES))]
    assert len(proposals.get(many).contexts) == MAX_CONTEXTS


def test_a_report_of_commitment_goes_out_in_the_role_of_the_provider():
    assert pairs(proposals.commitment_report()) == pairs(proposals.commitment_request())
    assert [(role.sop_class_uid, role.scp_role) for role in proposals.commitment_report().roles] == [
        (StorageCommitmentPushModel, True)
    ]
