"""What is missing is asked for by C-MOVE or C-GET, and nothing else is."""

import pytest
from answering_archive import AnsweringArchive
from pydicom import dcmread
from pydicom.uid import CTImageStorage, SecondaryCaptureImageStorage, SegmentationStorage

from dicom_node.network import remote
from dicom_node.network.client import send
from dicom_node.network.peer import Peer
from dicom_node.network.receive import Receiver
from dicom_node.network.remote import UIDS_AT_ONCE, Answering, Remote
from dicom_node.network.retrieve import Parcel
from dicom_node.network.survey import Gap, Held
from storage.files.folder_archive import FolderArchive

STUDY, CT = "1.2.3", "1.2.3.1"


def images(first, last):
    return {f"{CT}.{n}": CTImageStorage for n in range(first, last + 1)}


class TestRequests:
    def parcels(self, *gaps):
        return list(remote._parcels(STUDY, gaps))

    def test_a_series_of_which_nothing_is_here_is_asked_for_as_a_whole(self):
        assert self.parcels(Gap(CT, 3, 0, images(1, 3))) == [Parcel(STUDY, CT)]
        assert self.parcels(Gap(CT, 3, 2)) == [Parcel(STUDY, CT)], "so is one that could not be listed"

    def test_of_others_the_instances_are_asked_for_some_at_once(self):
        missing = images(1, UIDS_AT_ONCE + 1)
        first, second = self.parcels(Gap(CT, len(missing), 1, missing))
        assert (len(first.sop_instance_uids), len(second.sop_instance_uids)) == (UIDS_AT_ONCE, 1)


@pytest.mark.parametrize("sop_class", [SegmentationStorage, SecondaryCaptureImageStorage])
def test_by_c_get_also_what_an_archive_does_not_tell_the_sop_class_of_comes(
    sop_class, make_slices, database, tmp_path
):
    paths = make_slices(1, SOPClassUID=sop_class)
    with AnsweringArchive(tmp_path / "pacs", "find", "get") as pacs:
        pacs.tells = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "Modality")  # as DCMTK's dcmqrscp
        peer = Peer(ae_title="ARCHIVE", host="127.0.0.1", port=pacs.port)
        send(paths, peer)
        register = Answering(database, peer, "SEGNODE", "test", 30.0)
        there = Remote(peer, "SEGNODE", Receiver(database, FolderArchive(tmp_path / "archive"), register, fetched=True))
        study = str(dcmread(paths[0]).StudyInstanceUID)
        found = there.survey(study, Held())
        assert [set(gap.sop_class_uids.values()) for gap in found.gaps] == [{""}]
        assert there.retrieve(study, found, "get", 60.0, lambda _: None).completed == 1


def test_by_c_get_only_what_an_archive_lists_is_proposed_where_it_tells_all_sop_classes():
    assert remote._classes([Gap(CT, 2, 0, images(1, 2))]) == [CTImageStorage]
    assert set(remote._classes([Gap(CT, 2, 0, images(1, 2)), Gap("1.2.3.2", 4)])) > {CTImageStorage}


@pytest.mark.peer
def test_what_comes_by_c_get_is_kept_as_sent_by_the_archive_and_marked_fetched(orthanc, ct_series, database, tmp_path):
    orthanc.upload(ct_series)
    orthanc.know("segnode", "SEGNODE", 11112)  # whom it does not know it does not answer
    peer = Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port)
    register = Answering(database, peer, "SEGNODE", "test", 30.0)
    there = Remote(peer, "SEGNODE", Receiver(database, FolderArchive(tmp_path / "archive"), register, fetched=True))
    study = str(dcmread(ct_series[0]).StudyInstanceUID)
    found = there.survey(study, Held())
    assert (found.expected, found.missing) == (3, 3)
    assert there.retrieve(study, found, "get", 60.0, lambda _: None).completed == 3
    with database.reading() as tx:
        kept = tx.studies.instances(study_uid=study)
        assert tx.studies.get(study).calling_aets == ("ORTHANC",)
    assert [one.fetched for one in kept] == [True] * 3
