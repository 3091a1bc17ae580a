"""What a peer takes, asked of Orthanc and of DCMTK's storescp in narrow configurations."""

from pathlib import Path

import pytest

from dicom_node.errors import Rejected, Unreachable
from dicom_node.network.embedded_archive import EmbeddedArchive
from dicom_node.network.peer import Peer
from dicom_node.network.probe import STORED, probe

CONTEXTS = """[[TransferSyntaxes]]
[Explicit]
TransferSyntax1 = LittleEndianExplicit
[Both]
TransferSyntax1 = LittleEndianExplicit
TransferSyntax2 = LittleEndianImplicit
[[PresentationContexts]]
[Narrow]
PresentationContext1 = VerificationSOPClass\\Both
PresentationContext2 = SecondaryCaptureImageStorage\\Both
PresentationContext3 = EnhancedSRStorage\\Explicit
[[Profiles]]
[Default]
PresentationContexts = Narrow
"""
PLAIN = ("explicit", "implicit")


def peer_of(scp, aet: str = "ARCHIVE") -> Peer:
    return Peer(ae_title=aet, host="127.0.0.1", port=scp.port)


@pytest.mark.peer
def test_dcmtk_in_a_narrow_configuration(storescp, tmp_path: Path):
    (tmp_path / "narrow.cfg").write_text(CONTEXTS)
    found = probe(peer_of(storescp("--config-file", str(tmp_path / "narrow.cfg"), "Default")), "SEGNODE")
    assert found.accepted == {"echo": ("implicit",), "enhanced": ("explicit",), "capture": PLAIN}
    assert found.takes("enhanced")
    assert not found.takes("enhanced", ["implicit"])
    assert not found.takes("seg")


@pytest.mark.peer
class TestOrthanc:
    @pytest.fixture
    def orthanc_settings(self):
        return {"AcceptedTransferSyntaxes": ["1.2.840.10008.1.2", "1.2.840.10008.1.2.5"],
                "UnknownSopClassAccepted": False}

    def test_in_a_narrow_configuration(self, orthanc):
        found = probe(peer_of(orthanc, orthanc.aet), "SEGNODE").accepted
        assert set(found) == {"echo", "commitment", *STORED} - {"labelmap"}
        assert {found[name] for name in STORED if name in found} == {("implicit", "rle")}


def test_our_own_archive_takes_everything(tmp_path: Path):
    with EmbeddedArchive(tmp_path) as archive:
        found = probe(peer_of(archive), "SEGNODE")
    assert set(STORED) <= set(found.accepted)


def test_nobody_there_is_said_so(free_port):
    with pytest.raises(Unreachable, match="cannot be reached"):
        probe(Peer(ae_title="PACS", host="127.0.0.1", port=free_port()), "SEGNODE")


@pytest.mark.peer
def test_a_peer_that_does_not_let_us_in_is_said_so(storescp):
    scp = storescp("--refuse")
    with pytest.raises(Rejected):
        probe(peer_of(scp), "SEGNODE")
