"""A node's ear on loopback, with its storage."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from upper_layers import ear  # noqa: F401 (a fixture of test_upper_layer*)

from dicom_node.network.admission import Admittance
from dicom_node.network.peer import Peer
from dicom_node.network.server import Server
from dicom_node.network.tls.settings import ServerTls
from storage.archive import NOTE, Archive
from storage.database import Database
from storage.files.folder_archive import FolderArchive


@dataclass(frozen=True)
class Listen:
    ae_title: str = "SEGNODE"
    host: str = "127.0.0.1"
    port: int | None = 0
    tls: ServerTls | None = None
    require_called_aet: bool = True
    accept_calling_aets: tuple[str, ...] = ()
    admission: tuple[Admittance, ...] = ()
    max_associations: int = 8
    max_connections: int = 64
    max_pdu_bytes: int = 65536
    max_object_bytes: int = 2**30
    associate_s: float = 20.0
    idle_s: float = 20.0
    balancers: tuple[str, ...] = ()
    drain_s: float = 10.0
    lease_term_s: float = 30.0

    @property
    def called_titles(self) -> tuple[str, ...]:
        return (self.ae_title,)


@dataclass
class Ear:
    """A running server, and what it stores into."""

    server: Server
    database: Database
    archive: Archive
    peer: Peer
    root: Path = field(repr=False)

    def instances(self, study_uid: str):
        with self.database.reading() as tx:
            return tx.studies.instances(study_uid=study_uid, conflicts=True)

    def journal(self) -> list[tuple[str, str]]:
        with self.database.reading() as tx:
            return [(entry.event, entry.text) for entry in tx.journal.recent(50)]

    def files(self) -> list[Path]:
        return [path for path in self.root.rglob("*") if path.is_file() and path.name != NOTE]


@pytest.fixture
def database(tmp_path, empty_sqlite) -> Iterator[Database]:
    database = Database.open(empty_sqlite(tmp_path / "node.sqlite"))
    yield database
    database.close()


PARTS = ("device_uids", "commitment", "audit", "counts")  # of a server, beside its settings


@pytest.fixture
def listen(database, tmp_path) -> Iterator[Callable[..., Ear]]:
    """Starts a server; keyword arguments replace its settings, or are handed to `Server`."""
    with ExitStack() as stack:

        def start(*, archive=None, **changes) -> Ear:
            parts = {name: changes.pop(name) for name in PARTS if name in changes}
            settings = replace(Listen(), **changes)
            store = archive or FolderArchive(tmp_path / "archive")
            server = stack.enter_context(Server(settings, database, store, "test", **parts))
            peer = Peer(ae_title=settings.ae_title, host="127.0.0.1", port=server.port)
            return Ear(server, database, store, peer, store.root)

        yield start


@pytest.fixture
def orthanc_peer(orthanc) -> Peer:
    return Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port)
