"""Files are renewed while the node runs; broken ones change nothing and are told."""

import logging
import shutil
import ssl

import pytest

from dicom_node.errors import BadTlsFiles
from dicom_node.network.tls.settings import ClientTls, ServerTls
from dicom_node.network.tls.tls_keeper import Keeper, keeper_of, state_of


def put(identity, folder):
    """Replace the files as `mv` does."""
    for source, name in ((identity.certificate, "node.crt"), (identity.key, "node.key")):
        shutil.copy(source, folder / "beside")
        (folder / "beside").replace(folder / name)


@pytest.fixture
def tls(ours, hospital, tmp_path) -> ServerTls:
    put(ours, tmp_path)
    return ServerTls(
        certificate=tmp_path / "node.crt", key=tmp_path / "node.key", authorities=hospital.certificate
    )


def test_the_same_files_are_the_same_context(tls):
    keeper = Keeper(tls)
    assert keeper.context() is keeper.context()


def test_new_files_are_a_new_context(tls, hospital, tmp_path, caplog):
    keeper = Keeper(tls)
    before = keeper.context()
    put(hospital.issue("new.hospital.example"), tmp_path)
    with caplog.at_level(logging.INFO):
        assert keeper.context() is not before
    assert "renewed" in caplog.text
    assert (keeper.state()["certificate"], keeper.trouble) == ("new.hospital.example", "")


def test_broken_files_leave_the_old_context_in_use_until_they_are_mended(tls, scanner, ours, tmp_path, caplog):
    keeper = Keeper(tls)
    before = keeper.context()
    shutil.copy(scanner.key, tmp_path / "node.key")  # the new key came, its certificate did not yet
    assert keeper.context() is before
    assert "is not the key of the certificate" in keeper.state()["trouble"]
    keeper.context()
    assert len([r for r in caplog.records if r.levelno == logging.ERROR]) == 1  # told once, not at every association
    shutil.copy(scanner.certificate, tmp_path / "node.crt")
    assert keeper.context() is not before
    assert keeper.state()["trouble"] == ""


def test_a_file_that_is_gone_leaves_the_old_context_in_use(tls, tmp_path):
    keeper = Keeper(tls)
    before = keeper.context()
    (tmp_path / "node.crt").unlink()
    assert keeper.context() is before
    assert keeper.state() == {
        "certificate": "", "expires_at": 0.0, "trouble": f"certificate {tmp_path / 'node.crt'} is not there",
    }  # fmt: skip


def test_without_good_files_there_is_no_keeper(tls, tmp_path):
    (tmp_path / "node.key").write_text("")
    with pytest.raises(BadTlsFiles):
        Keeper(tls)


def test_a_destination_has_one_keeper_and_wrong_files_are_looked_at_again(hospital, tmp_path):
    tls = ClientTls(authorities=tmp_path / "ca.pem")
    assert "is not there" in state_of(tls)["trouble"]
    shutil.copy(hospital.certificate, tmp_path / "ca.pem")
    assert state_of(tls)["trouble"] == ""
    assert keeper_of(tls) is keeper_of(ClientTls(authorities=tmp_path / "ca.pem"))
    assert isinstance(keeper_of(tls).context(), ssl.SSLContext)
