"""Fetching: with Orthanc as the archive, and with hand-made ones that misbehave."""

import time

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage
from scripted_archive import archive

from dicom_node.errors import Refused, Unreachable
from dicom_node.network.retrieve import Brought, Parcel, get, move

STUDY, SERIES = "1.2.3", "1.2.3.1"


@pytest.fixture
def orthanc_settings():
    return {"DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True, "DicomAlwaysAllowGet": True}


def uids(paths):
    first = dcmread(paths[0])
    return str(first.StudyInstanceUID), str(first.SeriesInstanceUID), [str(dcmread(p).SOPInstanceUID) for p in paths]


@pytest.mark.peer
class TestOrthanc:
    def test_sends_whole_series_and_single_instances_by_c_move(self, orthanc, orthanc_peer, ct_series, listen):
        orthanc.upload(ct_series)
        study, series, instances = uids(ct_series)
        ear = listen()
        orthanc.know("segnode", "SEGNODE", ear.peer.port)
        told = []
        brought = move(orthanc_peer, "SEGNODE", [Parcel(study, series, tuple(instances[:2]))], 60.0, told.append)
        assert brought == told[-1] == Brought(2, 0)
        assert {one.sop_instance_uid for one in ear.instances(study)} == set(instances[:2])
        assert all(one.fetched for one in ear.instances(study)), "the archive says who asked for them"
        assert move(orthanc_peer, "SEGNODE", [Parcel(study, series)], 60.0) == Brought(3, 0)
        assert len(ear.instances(study)) == 3

    def test_that_does_not_know_us_sends_nothing(self, orthanc, orthanc_peer, ct_series):
        orthanc.upload(ct_series)
        study, series, _ = uids(ct_series)
        with pytest.raises((Refused, Unreachable), match=r"answers the C-MOVE with 0x"):
            move(orthanc_peer, "STRANGER", [Parcel(study, series)], 60.0)

    def test_sends_over_our_own_association_by_c_get(self, orthanc, orthanc_peer, ct_series):
        orthanc.upload(ct_series)
        study, series, instances = uids(ct_series)
        kept = []

        def store(event):
            kept.append(str(event.request.AffectedSOPInstanceUID))
            return 0x0000

        wanted = [Parcel(study, series, (instances[1],))]
        assert get(orthanc_peer, "SEGNODE", wanted, ([CTImageStorage], store), 60.0) == Brought(1)
        assert kept == [instances[1]]


@pytest.mark.parametrize(
    ("call", "service"),
    [
        (lambda peer: move(peer, "SEGNODE", [Parcel(STUDY, SERIES)], 5.0), "C-MOVE"),
        (lambda peer: get(peer, "SEGNODE", [Parcel(STUDY, SERIES)], ([CTImageStorage], lambda _: 0), 5.0), "C-GET"),
    ],
)
def test_who_does_not_offer_it_is_not_asked_again(call, service):
    with archive() as peer, pytest.raises(Refused, match=f"does not offer {service}"):
        call(peer)


def test_an_archive_that_never_ends_sending_is_left_at_the_limit():
    def slow(event):
        yield "127.0.0.1", 1
        yield 1
        time.sleep(4)
        yield 0x0000, None

    started = time.monotonic()
    with archive(move_=slow) as peer, pytest.raises(Unreachable):
        move(peer, "SEGNODE", [Parcel(STUDY, SERIES)], 1.0)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("pause_s", [0.0, 0.9])
def test_one_that_sends_image_after_image_and_never_says_how_far_it_is_is_left_at_the_limit(ct_series, pause_s):
    """The answers to C-GET that say so are optional (PS3.4 C.4.3.2.2)."""
    image = dcmread(ct_series[0])

    def endless(event):
        give_up = time.monotonic() + 8
        while time.monotonic() < give_up and event.assoc.is_established:
            event.assoc.send_c_store(image)
            time.sleep(pause_s)
        yield 0

    kept = []
    wanted = [Parcel(STUDY, SERIES)]
    started = time.monotonic()
    with archive(get_=endless) as peer, pytest.raises(Unreachable, match="has not sent everything within 1 s"):
        get(peer, "SEGNODE", wanted, ([CTImageStorage], lambda event: kept.append(event) or 0), 1.0)
    assert time.monotonic() - started < 5
    assert kept, "what came until then is kept"


def test_a_move_to_whom_the_archive_does_not_know_is_refused():
    def unknown(event):
        yield None, None

    with archive(move_=unknown) as peer, pytest.raises(Refused, match="0xA801: move destination unknown"):
        move(peer, "SEGNODE", [Parcel(STUDY, SERIES)], 5.0)


@pytest.mark.parametrize(("code", "error"), [(0xA702, Unreachable), (0xA900, Refused)])
def test_what_cannot_be_sent_of_one_series_keeps_no_other_from_being_asked_for(code, error):
    asked = []

    def fails(event):
        asked.append(str(event.identifier.SeriesInstanceUID))
        if len(asked) == 1:
            yield 1
            yield code, None
        else:
            yield 0

    parcels = [Parcel(STUDY, f"{SERIES}.{number}") for number in (1, 2, 3)]
    with archive(get_=fails) as peer, pytest.raises(error, match=f"0x{code:04X}"):
        get(peer, "SEGNODE", parcels, ([CTImageStorage], lambda _: 0), 20.0)
    assert asked == [parcel.series_instance_uid for parcel in parcels]
