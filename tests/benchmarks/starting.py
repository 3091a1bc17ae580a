"""How long `segnode serve` takes until it listens, and `segnode --help` until it has answered.

python tests/benchmarks/starting.py [--rounds 7] [--record FOLDER]. The node is `segnode serve` with the shipped
settings but for its folder and ports, on a database that is there already (an administrator restarts; the very first
start, which makes the database, has a line of its own). It listens when a C-ECHO is answered. The limit is what
Python takes to import pynetdicom, without which nobody listens. Exits with 1 where a wanted time is missed.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from harness import Comparison, Record, options, report, take_turns

from dicom_node.errors import PeerError
from dicom_node.network.client import echo
from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port

SERVE_S, HELP_S = 2.0, 0.3
PATIENCE_S = 60.0
LIMIT = [sys.executable, "-c", "import pynetdicom"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # as installed
SEGNODE = [sys.executable, "-m", "dicom_node.cli"]


def seconds(command: list[str]) -> float:
    """From a process's start to its end."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)
    return time.perf_counter() - start


def listening(conf: Path, port: int) -> float:
    """From the start of `segnode serve` to its answer to a C-ECHO; then it is told to stop."""
    peer = Peer(ae_title="SEGNODE", host="127.0.0.1", port=port)
    start = time.perf_counter()
    node = subprocess.Popen([*SEGNODE, "serve", "--conf", str(conf)], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, start_new_session=True, env=ENVIRONMENT)  # fmt: skip
    try:
        until_it_answers(node, peer, start + PATIENCE_S)
        return time.perf_counter() - start
    finally:
        node.terminate()
        node.wait(PATIENCE_S)


def until_it_answers(node: subprocess.Popen[bytes], peer: Peer, deadline: float) -> None:
    """Knock at the port, which costs the node nothing, and once it is open ask for the answer."""
    while True:
        if node.poll() is not None or time.perf_counter() > deadline:
            raise SystemExit("the node ended, or did not listen")
        with socket.socket() as door:
            open_ = door.connect_ex((peer.host, peer.port)) == 0
        if open_:
            with contextlib.suppress(PeerError):
                echo(peer, calling_aet="BENCH")
                return
        time.sleep(0.005)


def conf_in(folder: Path) -> tuple[Path, int]:
    """Settings that touch nothing outside the folder."""
    dicom, console = free_port(), free_port()
    folder.mkdir()
    (folder / "node.yaml").write_text(
        f"host: 127.0.0.1\nport: {dicom}\ndata_folder: {folder / 'data'}\nweb: {{port: {console}}}\n"
        "destinations: {pacs: {kind: dimse, ae_title: PACS, host: 127.0.0.1, port: 104}}\n"
    )
    return folder, dicom


def main() -> None:
    asked = options(__doc__, rounds=7).parse_args()
    with tempfile.TemporaryDirectory() as place:
        first = listening(*conf_in(Path(place, "first")))
        conf, port = conf_in(Path(place, "node"))
        listening(conf, port)  # makes its database
        found = take_turns(
            {
                "serve": lambda: listening(conf, port),
                "help": lambda: seconds([*SEGNODE, "--help"]),
                "import": lambda: seconds(LIMIT),
                "python": lambda: seconds([sys.executable, "-c", "pass"]),
            },
            asked.rounds,
        )
    limit = ("import pynetdicom", found["import"])
    record = Record(
        "starting",
        [
            Comparison("`segnode serve` listens", "s", ("segnode", found["serve"]), limit),
            Comparison("`segnode --help`", "s", ("segnode", found["help"]), ("python, nothing", found["python"])),
        ],
        [f"wanted: listening in {SERVE_S:g} s, help in {HELP_S:g} s",
         f"the very first start, which makes the database: {first:.2f} s",
         f"load of the machine when it was measured: {os.getloadavg()[0]:.1f}"],
    )  # fmt: skip
    report(record, asked.record)
    sys.exit(median(found["serve"]) > SERVE_S or median(found["help"]) > HELP_S)


if __name__ == "__main__":
    main()
