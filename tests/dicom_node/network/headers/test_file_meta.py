"""The head of a file is the one that pydicom would write."""

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from dicom_node.network.contexts import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from dicom_node.network.headers.file_meta import file_head


def written_by_pydicom(instance: str, syntax: str, sender: str) -> bytes:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(instance)
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    meta.SourceApplicationEntityTitle = sender
    buffer = BytesIO()
    write_file_meta_info(buffer, meta)
    return bytes(128) + b"DICM" + buffer.getvalue()


@pytest.mark.parametrize("sender", ["SCANNER", "CT 1", "X" * 16])
@pytest.mark.parametrize("instance", ["1.2.3", "1.2.34", "2.25." + "9" * 39])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_it_is_pydicoms_to_the_byte(instance, syntax, sender):
    assert file_head(CTImageStorage, instance, syntax, sender) == written_by_pydicom(instance, syntax, sender)


def test_a_sender_of_no_ascii_is_written_as_well_as_can_be():
    head = dcmread(BytesIO(file_head(CTImageStorage, "1.2.3", ExplicitVRLittleEndian, "Ελληνικά")))
    assert head.file_meta.SourceApplicationEntityTitle == "????????"
