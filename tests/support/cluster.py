"""Several machines' worth of a node on this one: receivers behind HAProxy and pipelines, each a `segnode serve`.

They share a PostgreSQL and a folder, and nothing else. Senders are DCMTK's storescu, which try until all is taken.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
from bright_conf import MODELS, routes
from haproxy import BALANCER, running_haproxy
from private_postgres import PrivatePostgres, running_postgres
from ray_machines import machines
from reckoning import Reckoned, reckon, settled
from running_node import QUIET_S, RunningNode, laid_out

from dicom_node.network.peer import Peer
from storage.database import Database
from storage.errors import StorageError
from storage.files.folder_archive import FolderArchive

LEASE_S = 4
AGAIN_S = 0.3  # before a sender tries again
NODE = f"""quiet_s: {2 * QUIET_S}
lease_term_s: {LEASE_S}
drain_s: 8
max_crashes: 1000
balancers: [{BALANCER}]
web: {{port: null}}
delivery: {{backoff_base_s: 0.5, backoff_max_s: 2.0, pause_base_s: 0.5, pause_max_s: 2.0}}
"""


@dataclass(frozen=True)
class Engine:
    """What models run on: what node.yaml says of it, and how it loses a machine in the middle and gets another."""

    lines: str = ""
    lose_one: Callable[[], object] = lambda: None


Executor = Callable[[], AbstractContextManager[Engine]]


def processes() -> AbstractContextManager[Engine]:
    """Each pipeline's own workers."""
    return nullcontext(Engine())


@contextmanager
def two_ray_machines() -> Iterator[Engine]:
    """A Ray cluster that both pipelines use."""
    with machines("first", "second") as cluster:

        def lose_one() -> None:
            cluster.lose("second")
            cluster.add("third")

        ray = cluster.settings(workers=2).model_dump(mode="json")
        yield Engine(f"executor: ray\nray: {json.dumps(ray)}\n", lose_one)


@dataclass
class Cluster:
    """The machines by kind, and what is before and behind them. `port` is the balancer's."""

    receivers: Sequence[RunningNode]
    pipelines: Sequence[RunningNode]
    postgres: PrivatePostgres
    database: Database
    engine: Engine
    data: Path
    port: int

    @property
    def machines(self) -> Sequence[RunningNode]:
        return (*self.receivers, *self.pipelines)

    def works(self, machine: RunningNode) -> bool:
        """Whether a job runs there."""
        assert machine.process is not None
        ours = {str(child.pid) for child in psutil.Process(machine.process.pid).children()}
        with self.database.reading() as tx:
            holders = [job.lease_owner for job in tx.jobs.running(time.time())]
        return any(holder.split(":")[1] in ours for holder in holders if holder)

    def reckoned(self, slices: int) -> Reckoned:
        """What is here at the end."""
        return reckon(self.database, FolderArchive(self.data / "archive", low_water_bytes=0), slices)

    def settled(self, studies: int) -> bool:
        """Whether so many studies have come to their end; while the database is away, not."""
        try:
            return settled(self.database, studies)
        except StorageError:
            return False

    def alive(self) -> list[set[str]]:
        """The roles of each machine that were heard of."""
        return [machine.alive() for machine in self.machines]

    def logs(self) -> str:
        """The last words of every machine."""
        return "\n".join(f"{m.folder.name}: {(m.folder / 'node.log').read_text()[-1500:]}" for m in self.machines)


@contextmanager
def running_cluster(
    folder: Path, pacs: Peer, *, receivers: int, pipelines: int, executor: Executor
) -> Iterator[Cluster]:
    """Starts everything and ends it. Each pipeline's machine has a clock, too."""
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        with psycopg.connect(postgres("postgres"), autocommit=True) as admin:
            admin.execute("CREATE DATABASE node")
        url, data = postgres("node"), folder / "data"
        destination = (
            f"destinations:\n  pacs: {{kind: dimse, ae_title: {pacs.ae_title}, host: {pacs.host}, port: {pacs.port}, "
            "accepts: [demonstration], commitment: 'off'}\n"
        )
        engine = stack.enter_context(executor())
        more = f"database_url: {url}\n{NODE}{engine.lines}{destination}"
        files = {"routes": routes("seg", "sr"), "models": MODELS}

        def machine(name: str, roles: str) -> RunningNode:
            return laid_out(folder / name, more, roles=roles, data=data, **files)

        ears = [machine(f"receiver-{number}", "receive") for number in range(1, receivers + 1)]
        workers = [machine(f"pipeline-{number}", "pipeline,clock") for number in range(1, pipelines + 1)]
        database = Database.open(url)  # which makes it, so that they need not do it one after the other
        stack.callback(database.close)
        stack.callback(lambda: together([node.stop for node in (*ears, *workers)]))
        together([node.start for node in (*ears, *workers)])
        port = stack.enter_context(running_haproxy(folder, [node.peer.port for node in ears]))
        yield Cluster(ears, workers, postgres, database, engine, data, port)


def together(calls: Sequence[Callable[[], object]]) -> None:
    """Make all of these calls at once; fails where one does."""
    faults: list[BaseException] = []

    def one(call: Callable[[], object]) -> None:
        try:
            call()
        except (AssertionError, OSError) as fault:
            faults.append(fault)

    threads = [threading.Thread(target=one, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


@dataclass
class Sender(threading.Thread):
    """Sends studies by storescu, one association each, and each again until every image was taken.

    With `enough` it ends before its next study once that is set.
    """

    port: int
    studies: Iterable[Sequence[Path]]
    environment: Mapping[str, str] = field(default_factory=lambda: {**os.environ, "TCP_NODELAY": "1"})
    pause_s: float = 0.0  # between two studies
    enough: threading.Event = field(default_factory=threading.Event)
    attempts: int = 0
    most: int = 0  # attempts that one study took
    last_words: str = ""
    taken: list[Path] = field(default_factory=list)  # images

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        for study in self.studies:
            if self.enough.is_set():
                return
            before = self.attempts
            while not self._send(study):
                time.sleep(AGAIN_S)
            self.most = max(self.most, self.attempts - before)
            self.taken += study
            self.enough.wait(self.pause_s)

    def _send(self, study: Sequence[Path]) -> bool:
        self.attempts += 1
        patience = ("-to", "10", "-ta", "20", "-td", "20")
        command = ["storescu", "-R", *patience, "-aec", "SEGNODE", "127.0.0.1", str(self.port)]
        done = subprocess.run(
            [*command, *map(str, study)], env=dict(self.environment), capture_output=True, text=True, check=False
        )
        self.last_words = (done.stdout + done.stderr)[-500:]
        return done.returncode == 0
