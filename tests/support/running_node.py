"""A real node for whole trips: `segnode serve` as a process, with real sockets and its own folder."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from dicom_node.cli.main import main
from dicom_node.errors import PeerError
from dicom_node.network.client import echo, send
from dicom_node.network.embedded_archive import EmbeddedArchive
from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port
from dicom_node.settings import load
from dicom_node.views.node import explain_view, study_view
from storage.database import Database
from storage.errors import NotFound, StorageError

QUIET_S = 0.5
TRIP_LIMIT_S = 240.0
START_LIMIT_S = 180.0  # also on a machine that is busy with other things
ONE_AFTER_ANOTHER = """
import json, sys
from dicom_node.cli.main import main

codes = []
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as ended:
        codes.append(ended.code or 0)
sys.exit(max(codes))
"""


@dataclass
class RunningNode:
    """A node under test and the archive that its results go to."""

    folder: Path
    peer: Peer
    archive: EmbeddedArchive | None
    roles: str = ""  # those that run there; "": all
    process: subprocess.Popen[bytes] | None = None

    @property
    def conf(self) -> Path:
        return self.folder / "conf"

    def start(self, **environment: str) -> None:
        command = [sys.executable, "-m", "dicom_node.cli", "serve", "--conf", str(self.conf)]
        command += ["--roles", self.roles] if self.roles else []
        self._log = (self.folder / "node.log").open("ab")
        self.process = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, start_new_session=True, env={**os.environ, **environment}
        )
        deadline = time.monotonic() + START_LIMIT_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "node.log").read_text()[-3000:])
            time.sleep(0.1)

    def _answers(self) -> bool:
        """Whether it listens; where no role does that, whether each has told that it is alive."""
        if self.roles and "receive" not in self.roles:
            return set(self.roles.split(",")) <= self.alive()
        try:
            echo(self.peer, calling_aet="TESTER")
        except PeerError:
            return False
        return True

    def alive(self) -> set[str]:
        """The roles of this process that were heard of."""
        assert self.process is not None
        ours = {child.pid for child in psutil.Process(self.process.pid).children()}
        with contextlib.suppress(StorageError), self.database.reading() as tx:
            return {row.role for row in tx.processes.list(time.time()) if row.pid in ours}
        return set()

    def kill(self) -> None:
        """End every process of it at once, as a power cut does; `start` may follow."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()
        self.process = None

    def drain(self) -> int:
        """Tell it to end, and wait until it has by itself; its exit code. `start` may follow."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(TRIP_LIMIT_S)
        self._log.close()
        self.process = None
        return code

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()
        self.database.close()
        self.process = None

    def send(self, paths: list[Path], calling_aet: str = "SCANNER") -> None:
        statuses = send(paths, self.peer, calling_aet=calling_aet)
        assert all(status.stored for status in statuses.values()), statuses

    def command(self, *args: str, ok: tuple[int, ...] = (0,)) -> Any:
        """Run a `segnode` command on this node's configuration, without the start of a process; its JSON."""
        done = CliRunner().invoke(main, [*args, "--conf", str(self.conf), "--json"], catch_exceptions=False)
        assert done.exit_code in ok, done.output
        return json.loads(done.stdout)

    def exit_code(self, *args: str) -> int:
        """Run a `segnode` command that knows no `--json`, without the start of a process."""
        return CliRunner().invoke(main, [*args, "--conf", str(self.conf)], catch_exceptions=False).exit_code

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a `segnode` command on this node's configuration, in a process as a person does."""
        command = [sys.executable, "-m", "dicom_node.cli", *args, "--conf", str(self.conf)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def run_all(self, *commands: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """The same for several, in one process that loads everything once; its exit code is the highest of theirs."""
        lines = [[*words, "--conf", str(self.conf)] for words in commands]
        command = [sys.executable, "-c", ONE_AFTER_ANOTHER, json.dumps(lines)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def study(self, uid: str) -> dict[str, Any]:
        """What `segnode study` shows, without the start of a process."""
        with self.database.reading() as tx:
            return study_view(tx, uid, time.time())

    def explain(self, uid: str) -> dict[str, Any]:
        """What `segnode explain` shows."""
        with self.database.reading() as tx:
            return explain_view(tx, uid, time.time())

    @cached_property
    def database(self) -> Database:
        return Database.open(load(self.conf).node.database)

    def until(self, uid: str, ended: Callable[[dict[str, Any]], bool], limit_s: float = TRIP_LIMIT_S) -> dict[str, Any]:
        """Wait for the study's view to satisfy `ended`."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            with contextlib.suppress(NotFound):
                view = self.study(uid)
                if ended(view):
                    return view
            time.sleep(0.2)
        log = (self.folder / "node.log").read_text()[-3000:]
        raise AssertionError(f"not in {limit_s} s: {json.dumps(self.explain(uid), indent=1)[-3000:]}\n{log}")

    def until_delivered(self, uid: str) -> dict[str, Any]:
        view = self.until_over(uid)
        assert view["deliveries"], [(job["task"], job["state"], job["reason"]) for job in view["jobs"]]
        return view

    def until_over(self, uid: str) -> dict[str, Any]:
        return self.until(uid, lambda view: view["state"] == "NOT_ROUTED" or (bool(view["jobs"]) and _over(view)))

    def journal(self, uid: str, event: str) -> list[str]:
        return [entry["text"] for entry in self.explain(uid)["history"] if entry["event"] == event]


def laid_out(
    folder: Path, more: str, archive: EmbeddedArchive | None = None, *, roles: str = "", data: Path | None = None,
    **files: str,
) -> RunningNode:  # fmt: skip
    """A node on a free port that does not run yet; `more` are lines of its node.yaml, `files` the others by name.

    `roles` are those that run there, and `data` its data folder, where they are not all of them and not its own.
    """
    node = RunningNode(folder, Peer(ae_title="SEGNODE", host="127.0.0.1", port=free_port()), archive, roles)
    node.conf.mkdir(parents=True)
    where = f"ae_title: SEGNODE\nhost: 127.0.0.1\nport: {node.peer.port}\ndata_folder: {data or folder / 'data'}\n"
    for name, text in {"node": where + more, **files}.items():
        (node.conf / f"{name}.yaml").write_text(text)
    return node


def _over(view: dict[str, Any]) -> bool:
    return all(job["state"] not in ("PENDING", "RUNNING") for job in view["jobs"]) and all(
        delivery["state"] != "PENDING" for delivery in view["deliveries"]
    )


def _tls_of(pacs: Peer) -> str:
    """The destination's TLS settings as a line of YAML."""
    if pacs.tls is None:
        return ""
    return f"    tls: {json.dumps(pacs.tls.model_dump(mode='json', exclude_unset=True))}\n"


MakeNode = Callable[..., RunningNode]


@pytest.fixture
def make_node(tmp_path: Path) -> Iterator[MakeNode]:
    """`make_node(routes=YAML, models=YAML, pacs=Peer)` starts a node; without `pacs` it has an archive of its own.

    `profile` is that archive's, `web` the console's port, `beside` is YAML of further destinations. The database of a
    node that is `installed` is there before it starts.
    """
    with _nodes(tmp_path) as make:
        yield make


@pytest.fixture(scope="module")
def make_shared_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeNode]:
    """The same for a module, whose tests each look at a study of their own: a start costs seven CPU seconds."""
    with _nodes(tmp_path_factory.mktemp("shared")) as make:
        yield make


@contextlib.contextmanager
def _nodes(place: Path) -> Iterator[MakeNode]:
    number = itertools.count(1)
    with contextlib.ExitStack() as stack:

        def make(
            *,
            routes: str = "",
            models: str = "",
            pacs: Peer | None = None,
            node: str = "",
            iocm: bool = False,
            profile: str = "standard",
            beside: str = "",
            web: int | None = None,
            installed: bool = False,
        ) -> RunningNode:
            archive = None
            folder = place / f"node-{next(number)}"
            if pacs is None:
                archive = stack.enter_context(EmbeddedArchive(folder / "archive"))
                pacs = Peer(ae_title="ARCHIVE", host="127.0.0.1", port=archive.port)
            settings = (
                f"quiet_s: {QUIET_S}\nlease_term_s: 5\n{node}\n"
                f"web: {{port: {web or 'null'}}}\n"
                f"destinations:\n  pacs:\n    kind: dimse\n    ae_title: {pacs.ae_title}\n    host: {pacs.host}\n"
                f"    port: {pacs.port}\n    accepts: [demonstration]\n    iocm: {str(iocm).lower()}\n"
                f"    profile: {profile}\n{_tls_of(pacs)}{beside}"
            )
            files = {name: text for name, text in (("routes", routes), ("models", models)) if text}
            running = laid_out(folder, settings, archive, **files)
            stack.callback(running.stop)
            if installed:
                Database.open(load(running.conf).node.database).close()
            running.start()
            return running

        yield make
