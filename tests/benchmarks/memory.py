"""Whether the memory of a node's processes grows with the studies that have gone through it.

python tests/benchmarks/memory.py [--first 20] [--studies 100] [--images 12] [--size 64] [--record FOLDER]. Studies go
one after another through a real node (`segnode serve` with a model without weights) to its archive; the resident
memory of each of its processes is read when `first` have been delivered and when all are. The long form is
--first 200 --studies 2000. The ratio is of the first to the last; exits with 1 where one is below 0.9.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import psutil
from harness import Comparison, Record, options, report
from load import node_in, study, until_delivered

from dicom_node.network.embedded_archive import EmbeddedArchive

WANTED = 0.9


def resident(node: psutil.Process) -> dict[str, float]:
    """Megabytes of each process of the node, by what it does."""
    found = {"supervisor": node.memory_info().rss / 1e6}
    for role in node.children():
        found[role.name()] = role.memory_info().rss / 1e6
        for worker in role.children():
            if any("spawn_main" in word for word in worker.cmdline()):
                found["worker"] = worker.memory_info().rss / 1e6
    return found


def through(asked: argparse.Namespace, place: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Memory after the first studies and after all."""
    with EmbeddedArchive(place / "archive") as archive:
        node = node_in(place / "node", archive)
        node.start()
        try:
            before: dict[str, float] = {}
            for number in range(1, asked.studies + 1):
                node.send(study(place, f"{number:06d}", asked.images, asked.size))
                if number == asked.first:
                    until_delivered(node, number)
                    before = resident(psutil.Process(node.process.pid))
            until_delivered(node, asked.studies)
            return before, resident(psutil.Process(node.process.pid))
        finally:
            node.stop()


def main() -> None:
    parser = options(__doc__, rounds=1)
    for name, value in (("first", 20), ("studies", 100), ("images", 12), ("size", 64)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memory-") as place:
        before, after = through(asked, Path(place))
    lines = [
        Comparison(f"memory of {name}", "MB", (f"after {asked.studies} studies", [after[name]]),
                   (f"after {asked.first}", [before[name]]), wanted=WANTED)
        for name in sorted(before.keys() & after.keys())
    ]  # fmt: skip
    report(Record("memory", lines, [f"load of the machine {os.getloadavg()[0]:.1f}"]), asked.record)
    sys.exit(any(line.ratio < WANTED for line in lines))


if __name__ == "__main__":
    main()
