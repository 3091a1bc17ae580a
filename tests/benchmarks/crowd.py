"""How fast a scanner sends while a crowd holds connections open, against its rate alone: `make bench-crowd`.

python tests/benchmarks/crowd.py [--rounds 5] [--images 200] [--silent 200] [--idle 200] [--record FOLDER]. The node is
`segnode serve` as shipped, the scanner is DCMTK's dcmsend. Rounds alone and in the crowd take turns, so that a busy
machine slows both alike. The crowd lives in a process of its own: connections that say nothing, and associations that
are established and then idle.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from harness import Comparison, Record, options, report, take_turns
from running_node import RunningNode, laid_out
from wire import Wire

from dicom_node.network.peer import Peer
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.acquisition import Acquisition
from inference.writers.dicom_series import StudyDetails, write_series

ROWS = 512


def node_in(folder: Path, crowd: int) -> RunningNode:
    """A node that lets the whole crowd in and has patience with it; it routes nothing."""
    patient = f"quiet_s: 3600\nmax_associations: {crowd + 16}\nmax_connections: {2 * crowd + 16}\n"
    node = laid_out(folder, f"{patient}associate_s: 3600\nidle_s: 3600\n", routes="routes: []\n")
    node.start()
    return node


def images(folder: Path, number: int, count: int) -> Path:
    """A CT of its own for each round: the same images again would not be written again."""
    array = np.random.default_rng(number).normal(40, 20, (count, ROWS, ROWS)).astype(np.float32)
    grid = Grid(array.shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(1, 0.7, 0.7)), f"1.2.3.{number}")
    target = folder / f"round-{number}"
    write_series(Volume(array, grid, "HU"), Acquisition.ct(StudyDetails.of(f"crowd-{number}")), target)
    return target


def send(folder: Path, peer: Peer) -> float:
    """Seconds that dcmsend takes for a folder."""
    command = ["dcmsend", "-aec", peer.ae_title, "+sd", "+r", peer.host, str(peer.port), str(folder)]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "TCP_NODELAY": "1"})
    return time.perf_counter() - start


@contextlib.contextmanager
def crowd(port: int, silent: int, idle: int) -> Iterator[None]:
    """While it is open, so many connections are too; RuntimeError where one was closed before the end."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_stand_about, args=(theirs, port, silent, idle))
    process.start()
    try:
        ours.recv()
        yield
        ours.send("go")
        if closed := ours.recv():
            raise RuntimeError(f"{closed} of {silent + idle} connections were closed by the node")
    finally:
        process.join()


def _stand_about(pipe: Connection, port: int, silent: int, idle: int) -> None:
    here = [Wire(port) for _ in range(silent)]
    here += [Wire(port).associated(calling=f"IDLE{number}") for number in range(idle)]
    pipe.send("here")
    pipe.recv()
    pipe.send(sum(_closed(wire) for wire in here))
    for wire in here:
        wire.socket.close()


def _closed(wire: Wire) -> bool:
    """Nobody writes to a crowd: whatever there is to read is the end of the connection."""
    wire.socket.setblocking(False)
    try:
        return wire.socket.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def main() -> None:
    parser = options(__doc__, rounds=5)
    for name, value in (("images", 200), ("silent", 200), ("idle", 200)):
        parser.add_argument(f"--{name}", type=int, default=value)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        node, numbers = node_in(Path(folder), chosen.silent + chosen.idle), itertools.count()

        def alone() -> float:
            return chosen.images / send(images(Path(folder), next(numbers), chosen.images), node.peer)

        def beset() -> float:
            series = images(Path(folder), next(numbers), chosen.images)
            with crowd(node.peer.port, chosen.silent, chosen.idle):
                return chosen.images / send(series, node.peer)

        try:
            found = take_turns({"alone": alone, "in the crowd": beset}, chosen.rounds)
        finally:
            node.process.terminate()
            node.process.wait(30)
    what = f"a scanner beside {chosen.silent} silent connections and {chosen.idle} idle associations"
    line = Comparison(what, "images/s", ("in the crowd", found["in the crowd"]), ("alone", found["alone"]),
                      less_is_better=False)  # fmt: skip
    report(Record("crowd", [line]), chosen.record)


if __name__ == "__main__":
    main()
