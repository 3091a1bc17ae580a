"""An archive that takes results by C-STORE."""

import pytest
from pydantic import ValidationError
from pydicom import dcmread

from dicom_node.destinations.dimse import DimseDestination, require_stored
from dicom_node.errors import Refused, Unreachable
from dicom_node.network import client
from dicom_node.network.peer import Peer
from dicom_node.network.statuses import meaning_of
from dicom_node.network.tls.settings import ClientTls
from inference.findings import IntendedUse

PEER = Peer(ae_title="PACS", host="pacs.example", port=104)


@pytest.mark.peer
def test_results_arrive_and_may_be_delivered_twice(ct_series, storescp):
    scp = storescp()
    destination = DimseDestination(ae_title=scp.aet, host="127.0.0.1", port=scp.port)
    for _ in range(2):
        statuses = destination.deliver(ct_series)
        assert {str(status) for status in statuses.values()} == {"0x0000"}
    assert len(scp.files()) == 3
    assert {dcmread(path).SOPInstanceUID for path in scp.files()} == set(statuses)


@pytest.mark.peer
def test_results_travel_by_tls_where_the_destination_says_so(ct_series, storescp, ours, hospital):
    scp = storescp("+tls", str(ours.key), str(ours.certificate), "+cf", str(hospital.certificate))
    tls = ClientTls(certificate=ours.certificate, key=ours.key, authorities=hospital.certificate)
    destination = DimseDestination(ae_title=scp.aet, host="127.0.0.1", port=scp.port, tls=tls)
    assert {str(status) for status in destination.deliver(ct_series).values()} == {"0x0000"}
    with pytest.raises(Unreachable):
        destination.model_copy(update={"tls": None}).deliver(ct_series)


def test_a_warning_counts_as_stored_and_is_handed_on(monkeypatch):
    answers = {"1.2": meaning_of(0x0000), "1.3": meaning_of(0xB006)}
    monkeypatch.setattr(client, "send", lambda *_, **__: answers)
    assert DimseDestination(ae_title="PACS", host="pacs.example", port=104).deliver([]) == answers


def test_a_no_is_told_with_its_reason():
    with pytest.raises(Refused, match=r"PACS@pacs.example:104 did not keep 1 of 2 objects: 0xA900 data set does not"):
        require_stored({"1.2": meaning_of(0), "1.3": meaning_of(0xA900)}, PEER)


def test_trouble_that_may_pass_comes_before_a_no():
    with pytest.raises(Unreachable, match="0xA700"):
        require_stored({"1.2": meaning_of(0xA700), "1.3": meaning_of(0xA900)}, PEER)


def test_only_clinical_results_are_accepted_unless_said_otherwise():
    assert DimseDestination(ae_title="PACS", host="h", port=104).accepts == (IntendedUse.CLINICAL,)


@pytest.mark.parametrize(
    "wrong",
    [{"ae_title": "X" * 17}, {"ae_title": "A\\B"}, {"ae_title": " "}, {"port": 0}, {"accepts": []}, {"colour": "red"}],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        DimseDestination(**{"ae_title": "PACS", "host": "h", "port": 104, **wrong})
