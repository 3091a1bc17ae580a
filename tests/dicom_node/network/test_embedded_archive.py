"""A small PACS: it keeps what it gets, once."""

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage

from dicom_node.errors import Unreachable
from dicom_node.network.client import echo, send
from dicom_node.network.embedded_archive import EmbeddedArchive
from dicom_node.network.peer import Peer


@pytest.fixture
def archive(tmp_path):
    with EmbeddedArchive(tmp_path / "archive", ae_title="PACS") as archive:
        yield archive


@pytest.fixture
def peer(archive):
    return Peer(ae_title="PACS", host="127.0.0.1", port=archive.port)


def test_it_answers_c_echo_and_keeps_nothing_of_it(archive, peer):
    echo(peer)
    assert (archive.received, archive.kept()) == (0, [])


def test_what_arrives_is_kept_as_it_is(archive, peer, ct_series):
    statuses = send(ct_series, peer)
    assert {str(status) for status in statuses.values()} == {"0x0000"}
    assert [kept.sop_instance_uid for kept in archive.kept()] == list(statuses)
    for kept, path in zip(archive.kept(), ct_series, strict=True):
        assert kept.sop_class_uid == CTImageStorage
        assert dcmread(kept.path) == dcmread(path)


def test_the_same_object_again_is_counted_and_kept_once(archive, peer, ct_series):
    send(ct_series, peer)
    send(ct_series, peer)
    assert archive.received == 6
    assert len(archive.kept()) == 3


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_uid_that_is_none_is_no_file_name(archive, peer, make_slices, tmp_path):
    (path,) = make_slices(1, SOPInstanceUID="../../etc/passwd")
    statuses = send([path], peer)
    assert all(not status.stored for status in statuses.values())
    assert archive.kept() == []
    assert list((tmp_path / "archive").iterdir()) == []


def test_it_is_gone_after_its_block(tmp_path):
    with EmbeddedArchive(tmp_path) as archive:
        peer = Peer(ae_title="ARCHIVE", host="127.0.0.1", port=archive.port)
    with pytest.raises(Unreachable):
        echo(peer)
