"""A PACS that speaks TLS alone takes from us and sends to us."""

import pytest
from pydicom import dcmread

from dicom_node.errors import PeerError
from dicom_node.network.client import send
from dicom_node.network.peer import Peer
from dicom_node.network.tls.settings import ClientTls, ServerTls

pytestmark = pytest.mark.peer


@pytest.fixture
def orthanc_settings(hospital) -> dict:
    pacs = hospital.issue("pacs.hospital.example")
    return {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(pacs.certificate),
        "DicomTlsPrivateKey": str(pacs.key),
        "DicomTlsTrustedCertificates": str(hospital.certificate),
    }


def test_orthanc_takes_and_sends_by_tls(orthanc, listen, ours, hospital, ct_series):
    tls = ClientTls(certificate=ours.certificate, key=ours.key, authorities=hospital.certificate)
    peer = Peer(ae_title=orthanc.aet, host="localhost", port=orthanc.port, tls=tls)
    assert {str(status) for status in send(ct_series, peer).values()} == {"0x0000"}
    with pytest.raises(PeerError):
        send(ct_series, peer.model_copy(update={"tls": None}))

    own = ServerTls(certificate=ours.certificate, key=ours.key, authorities=hospital.certificate)
    ear = listen(port=None, tls=own.model_copy(update={"port": 0}))
    there = {"AET": "SEGNODE", "Host": "127.0.0.1", "Port": ear.server.port, "UseDicomTls": True}
    orthanc.put("/modalities/segnode", there)
    uid = dcmread(ct_series[0]).StudyInstanceUID
    orthanc.send("segnode", [orthanc.study(uid)["ID"]])
    assert len(ear.instances(uid)) == 3
