"""Sending, with DCMTK's archive and hand-made ones on the other end."""

from contextlib import contextmanager

import pytest
from pydicom import dcmread
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    MRImageStorage,
    generate_uid,
)
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification

from dicom_node.errors import Refused, Unreachable
from dicom_node.network.client import Outgoing, batches, echo, find_dicom, send
from dicom_node.network.contexts import MAX_CONTEXTS
from dicom_node.network.peer import Peer
from dicom_node.network.statuses import NOT_NEGOTIATED, Outcome

# pynetdicom leaves the socket of a connection that was refused to the garbage collector.
LEAVES_ITS_SOCKET = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@contextmanager
def archive(answer=0x0000, syntaxes=(ExplicitVRLittleEndian,), require_called="", **limits):
    """An archive that answers every C-STORE with `answer` (a status or a callable on the event)."""
    entity = AE(ae_title="ARCHIVE")
    entity.require_called_aet = bool(require_called)
    for name, value in limits.items():
        setattr(entity, name, value)
    entity.add_supported_context(CTImageStorage, list(syntaxes))
    entity.add_supported_context(Verification)
    handlers = [(evt.EVT_C_STORE, lambda event: answer(event) if callable(answer) else answer)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield Peer(ae_title="ARCHIVE", host="127.0.0.1", port=server.server_address[1])
    finally:
        entity.shutdown()


@pytest.mark.peer
def test_files_reach_dcmtk_as_they_lie_on_disk(ct_series, storescp):
    scp = storescp("+xa", "--bit-preserving")
    statuses = send(ct_series, Peer(ae_title=scp.aet, host="127.0.0.1", port=scp.port), calling_aet="SENDER")
    assert [str(status) for status in statuses.values()] == ["0x0000"] * 3
    there = {dcmread(path).SOPInstanceUID: dcmread(path) for path in scp.files()}
    for path in ct_series:
        sent = dcmread(path)
        assert statuses[sent.SOPInstanceUID].outcome is Outcome.STORED
        assert there[sent.SOPInstanceUID] == sent


@pytest.mark.peer
def test_compressed_files_stay_compressed(ct_series, storescp, dcmtk, tmp_path):
    small = tmp_path / "small.dcm"
    assert dcmtk.run("dcmcjpeg", ct_series[0], small).returncode == 0
    scp = storescp("+xa", "--bit-preserving")
    send([small], Peer(ae_title=scp.aet, host="127.0.0.1", port=scp.port))
    (there,) = (dcmread(path) for path in scp.files())
    assert there.file_meta.TransferSyntaxUID == JPEGLosslessSV1
    assert there.PixelData == dcmread(small).PixelData


@pytest.mark.peer
def test_a_plain_file_is_written_anew_for_a_peer_that_knows_only_the_default_syntax(ct_series, storescp):
    scp = storescp("+xi")
    statuses = send(ct_series[:1], Peer(ae_title=scp.aet, host="127.0.0.1", port=scp.port))
    assert all(status.stored for status in statuses.values())
    (there,) = (dcmread(path) for path in scp.files())
    assert there.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert there.PixelData == dcmread(ct_series[0]).PixelData


@pytest.mark.parametrize(
    ("code", "outcome", "text"),
    [
        (0xB000, Outcome.WARNING, "0xB000 data elements were coerced"),
        (0xA701, Outcome.TRY_AGAIN, "0xA701 out of resources"),
        (0xC123, Outcome.REFUSED, "0xC123 the peer cannot understand it"),
    ],
)
def test_every_answer_is_kept_with_its_word(ct_series, code, outcome, text):
    with archive(answer=code) as peer:
        statuses = send(ct_series, peer)
    assert {(status.outcome, str(status)) for status in statuses.values()} == {(outcome, text)}
    assert set(statuses) == {dcmread(path).SOPInstanceUID for path in ct_series}


def test_instances_are_told_apart(ct_series):
    codes = iter([0x0000, 0xA700, 0xB007])
    with archive(answer=lambda event: next(codes)) as peer:
        statuses = send(ct_series, peer)
    assert [status.outcome for status in statuses.values()] == [Outcome.STORED, Outcome.TRY_AGAIN, Outcome.WARNING]


def test_what_was_not_negotiated_is_refused_and_the_rest_is_sent(make_slices):
    files = [*make_slices(1), *make_slices(1, SOPClassUID=MRImageStorage)]
    with archive() as peer:
        statuses = list(send(files, peer).values())
    assert statuses[0].stored
    assert statuses[1] == NOT_NEGOTIATED


def test_nothing_negotiated_is_refused_for_each(make_slices):
    with archive() as peer:
        statuses = send(make_slices(2, SOPClassUID=MRImageStorage), peer)
    assert list(statuses.values()) == [NOT_NEGOTIATED] * 2


@LEAVES_ITS_SOCKET
def test_nobody_there_may_be_tried_again(ct_series, free_port):
    with pytest.raises(Unreachable, match="cannot be reached"):
        send(ct_series, Peer(ae_title="GONE", host="127.0.0.1", port=free_port()))


def test_a_name_without_address_may_be_tried_again(ct_series):
    with pytest.raises(Unreachable):
        send(ct_series, Peer(ae_title="GONE", host="no-such-host.invalid", port=104))


def test_a_wrong_called_title_is_refused_for_good(ct_series):
    with archive(require_called="yes") as peer, pytest.raises(Refused, match="called ae title not recognised"):
        send(ct_series, peer.model_copy(update={"ae_title": "OTHER"}))


def test_too_many_associations_may_be_tried_again(ct_series):
    with archive(maximum_associations=1) as peer:
        holder = AE().associate(peer.host, peer.port, [*AE().supported_contexts, *_verification()])
        with pytest.raises(Unreachable, match="transient"):
            send(ct_series, peer)
        holder.release()


def _verification():
    entity = AE()
    entity.add_requested_context(Verification)
    return entity.requested_contexts


def test_an_abort_in_the_middle_may_be_tried_again(ct_series):
    def abort(event):
        event.assoc.abort()
        return 0x0000

    with archive(answer=abort) as peer, pytest.raises(Unreachable):
        send(ct_series, peer)


def test_what_is_no_dicom_file_is_refused_before_anybody_is_called(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(Refused, match="meta information"):
        send([tmp_path / "notes.txt"], Peer(ae_title="ANY", host="127.0.0.1", port=104))


def test_more_kinds_than_an_association_holds_are_split(tmp_path):
    items = [
        Outgoing(tmp_path, generate_uid(), generate_uid(), JPEGLosslessSV1 if number % 2 else ExplicitVRLittleEndian)
        for number in range(200)
    ]
    parts = list(batches(items))
    assert [item for part in parts for item in part] == items
    assert len(parts) == 3  # 200 classes, half of them in two syntaxes: 300 contexts
    for part in parts:
        assert len({(item.sop_class_uid, syntax) for item in part for syntax in item.syntaxes}) <= MAX_CONTEXTS


@pytest.mark.peer
def test_orthanc_takes_what_we_send(listen, orthanc, ct_series):
    statuses = send(ct_series, Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port))
    assert {str(status) for status in statuses.values()} == {"0x0000"}
    (series,) = orthanc.series(dcmread(ct_series[0]).StudyInstanceUID)
    assert len(series["Instances"]) == 3


@pytest.mark.peer
def test_echo_is_answered_by_dcmtk(storescp):
    scp = storescp("-v")
    echo(Peer(ae_title=scp.aet, host="127.0.0.1", port=scp.port))
    assert scp.echoes() == 1


@LEAVES_ITS_SOCKET
def test_echo_says_when_nobody_answers(free_port):
    with pytest.raises(Unreachable):
        echo(Peer(ae_title="GONE", host="127.0.0.1", port=free_port()))


def test_dicom_files_are_found_by_what_they_are_not_by_name(ct_series, tmp_path):
    folder = ct_series[0].parent
    ct_series[0].rename(folder / "IM0001")
    (folder / "notes.dcm").write_text("hello")
    found = find_dicom(folder)
    assert [path.name for path in found] == ["002.dcm", "003.dcm", "IM0001"]
    assert find_dicom(found[0]) == [found[0]]
