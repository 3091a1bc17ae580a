"""A small hospital's certificate authority, made with the `openssl` program, for the tests of TLS."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

CA_CONF = """
[ca]
default_ca = here
[here]
database = {folder}/index.txt
serial = {folder}/serial
crlnumber = {folder}/crlnumber
new_certs_dir = {folder}
certificate = {folder}/ca.crt
private_key = {folder}/ca.key
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
default_days = 30
default_crl_days = 30
[any]
commonName = supplied
[req]
distinguished_name = req_name
[req_name]
[ca_ext]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf_ext]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True)
class Identity:
    """A certificate with its key."""

    certificate: Path
    key: Path


@dataclass
class Authority:
    """Signs what it is asked to."""

    folder: Path
    name: str = "Hospital CA"
    issued: list[Identity] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "ca.cnf").write_text(CA_CONF.format(folder=self.folder))
        (self.folder / "index.txt").write_text("")
        (self.folder / "serial").write_text("01\n")
        (self.folder / "crlnumber").write_text("01\n")
        _openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "3650", "-subj", f"/CN={self.name}",
            "-config", self.folder / "ca.cnf", "-extensions", "ca_ext",
            "-keyout", self.folder / "ca.key", "-out", self.certificate,
        )  # fmt: skip

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.crt"

    def issue(
        self,
        name: str = "localhost",
        *,
        names: str = "DNS:localhost,IP:127.0.0.1",
        begins_days: float = -2,
        ends_days: float = 30,
        password: str = "",
        key: str = "rsa:2048",
    ) -> Identity:
        """A new certificate; `names` as openssl writes them, days counted from now, the key encrypted by `password`."""
        place = self.folder / f"leaf-{len(self.issued)}"
        made = Identity(place.with_suffix(".crt"), place.with_suffix(".key"))
        request = place.with_suffix(".csr")
        protect = ("-passout", f"pass:{password}") if password else ("-nodes",)
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256") if key == "ec" else ("-newkey", key)
        _openssl(
            "req", "-new", *curve, *protect, "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}",
            "-config", self.folder / "ca.cnf", "-keyout", made.key, "-out", request,
        )  # fmt: skip
        _openssl(
            "ca", "-batch", "-notext", "-config", self.folder / "ca.cnf", "-extensions", "leaf_ext",
            "-startdate", _moment(begins_days), "-enddate", _moment(ends_days), "-in", request,
            "-out", made.certificate,
        )  # fmt: skip
        self.issued.append(made)
        return made

    def revoke(self, identity: Identity) -> None:
        _openssl("ca", "-config", self.folder / "ca.cnf", "-revoke", identity.certificate)

    def revocations(self) -> Path:
        """The list of what is revoked by now."""
        path = self.folder / "ca.crl"
        _openssl("ca", "-config", self.folder / "ca.cnf", "-gencrl", "-out", path)
        return path


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that everybody trusts."""
    return Authority(tmp_path_factory.mktemp("pki") / "hospital")


@pytest.fixture(scope="session")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("pki") / "strangers", "Strangers' CA")


@pytest.fixture(scope="session")
def ours(hospital: Authority) -> Identity:
    """A good certificate for 127.0.0.1."""
    return hospital.issue("segnode.hospital.example")


@pytest.fixture(scope="session")
def scanner(hospital: Authority) -> Identity:
    """A good certificate of a caller."""
    return hospital.issue("ct1.hospital.example")


@pytest.fixture(scope="session")
def expired(hospital: Authority) -> Identity:
    return hospital.issue("old.hospital.example", begins_days=-30, ends_days=-1)


def _moment(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")


def _openssl(*arguments: object) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{arguments[:2]}: {done.stderr}"
