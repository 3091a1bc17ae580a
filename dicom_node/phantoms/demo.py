"""`make demo`: an embedded archive, a real node, and a scanner that plays three phantom studies.

Everything runs as in a hospital, on loopback: the node is the supervisor with its role processes, the
studies arrive by C-STORE, the pictures are painted from the SEG that the archive received.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from dicom_node.errors import PeerError, Unreachable
from dicom_node.network.client import echo
from dicom_node.network.embedded_archive import EmbeddedArchive
from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port
from dicom_node.phantoms import demo_report
from dicom_node.phantoms.playing import Played, play, watch
from dicom_node.settings import load
from dicom_node.terminal.present import console, said
from inference.phantom import make_case
from storage.database import Database

TASKS = ("brain_tumour", "liver_tumour", "lung_nodule")
START_LIMIT_S = 180.0  # also on a machine that is busy with other things
RESULT_LIMIT_S = 900.0
QUIET_S = 2.0
SCANNER = "SCANNER"

NODE_YAML = """\
# Written by `segnode demo`.
ae_title: SEGNODE
host: 127.0.0.1
port: {port}
data_folder: {data}
quiet_s: {quiet}
web: {{port: null}}
destinations:
  pacs:
    kind: dimse
    ae_title: {pacs.ae_title}
    host: {pacs.host}
    port: {pacs.port}
    accepts: [demonstration]
"""


@dataclass
class Stage:
    """Where the demo plays: folders, peers, and the node's database to watch."""

    folder: Path
    node: Peer
    pacs: Peer
    archive: EmbeddedArchive | None
    console: Console = field(default_factory=console)

    @property
    def conf(self) -> Path:
        return self.folder / "conf"

    @property
    def pictures(self) -> Path:
        return self.folder / "pictures"


def run_demo(seed: int, output: Path | None, pacs: Peer | None) -> int:
    """Play the demo; 0 when every study's result arrived."""
    folder = output or Path(tempfile.mkdtemp(prefix="segnode-demo-"))
    embedded = EmbeddedArchive(folder / "archive") if pacs is None else None
    with embedded or nullcontext():
        there = pacs or Peer(ae_title="ARCHIVE", host="127.0.0.1", port=embedded.port if embedded else 0)
        stage = Stage(folder, Peer(ae_title="SEGNODE", host="127.0.0.1", port=free_port()), there, embedded)
        _write_configuration(stage)
        with _node(stage):
            played = [_play(stage, task, seed) for task in TASKS]
            database = Database.open(load(stage.conf).node.database)
            try:
                watch(database, played, stage.console, RESULT_LIMIT_S)
            finally:
                database.close()
            finished = all(study.delivered for study in played)
        demo_report.show(stage.console, played, folder, _delivered(stage))
    return 0 if finished else 1


def _write_configuration(stage: Stage) -> None:
    stage.conf.mkdir(parents=True, exist_ok=True)
    text = NODE_YAML.format(port=stage.node.port, data=stage.folder / "data", quiet=QUIET_S, pacs=stage.pacs)
    (stage.conf / "node.yaml").write_text(text)
    load(stage.conf)  # a mistake shows here, not in the node's log


@contextmanager
def _node(stage: Stage) -> Iterator[None]:
    """The real thing: `segnode serve` as a process, until the demo is over."""
    command = [sys.executable, "-m", "dicom_node.cli", "serve", "--conf", str(stage.conf)]
    log = stage.folder / "node.log"
    with log.open("wb") as sink, subprocess.Popen(command, stdout=sink, stderr=sink) as process:
        try:
            _await_echo(stage, process)
            where = said(f"{stage.node} is up; results go to {stage.pacs}; log in {log}")
            stage.console.print(f"[bold]Node[/] {where}")
            yield
        finally:
            process.terminate()


def _await_echo(stage: Stage, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            return echo(stage.node, calling_aet=SCANNER)
        except PeerError as silence:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unreachable(f"the node did not start; see {stage.folder / 'node.log'}") from silence
            time.sleep(0.2)


def _play(stage: Stage, task: str, seed: int) -> Played:
    with stage.console.status(f"making phantom {task} {seed}"):
        case = make_case(task, seed)
    return play(case, stage.folder / "sent" / task, stage.node, SCANNER, stage.console)


def _delivered(stage: Stage) -> dict[str, Path]:
    """Files that the embedded archive holds, by SOP instance UID; nothing where a real PACS has them."""
    return {kept.sop_instance_uid: kept.path for kept in stage.archive.kept()} if stage.archive else {}
