"""What the benchmarks share: contestants take turns, medians are compared, and a record says where and with what.

A benchmark makes `Comparison`s and gives them to `report`, which prints a Markdown table and, with `--record FOLDER`,
keeps them as FOLDER/NAME.json; `table.py FOLDER` makes the table of all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

Figure = TypeVar("Figure")

PACKAGES = ("pynetdicom", "pydicom", "highdicom", "numpy", "torch", "monai", "SimpleITK", "SQLAlchemy")
HEAD = "| what | ours | beside | times as good | wanted |\n|---|---|---|---|---|"


@dataclass(frozen=True)
class Comparison:
    """One line: figures of every round of ours and of another's, in `unit`; `wanted` is the least ratio, if one is."""

    what: str
    unit: str
    ours: tuple[str, Sequence[float]]
    other: tuple[str, Sequence[float]]
    less_is_better: bool = True
    wanted: float | None = None

    @property
    def ratio(self) -> float:
        """How many times as good ours is, of the medians."""
        ours, other = median(self.ours[1]), median(self.other[1])
        return other / ours if self.less_is_better else ours / other

    def line(self) -> str:
        """As a row of the table."""
        ours, other = (f"{name} {median(values):.4g} {self.unit}" for name, values in (self.ours, self.other))
        wanted = "" if self.wanted is None else f"{self.wanted:g}" + ("" if self.ratio >= self.wanted else " (missed)")
        return f"| {self.what} | {ours} | {other} | {self.ratio:.2f} | {wanted} |"


@dataclass(frozen=True)
class Record:
    """A benchmark that was run: its lines, remarks (the limit, what is not boasted of), machine and versions."""

    name: str
    comparisons: Sequence[Comparison]
    remarks: Sequence[str] = ()
    tools: Mapping[str, str] = field(default_factory=dict)

    def save(self, folder: Path) -> Path:
        """Write it as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.name}.json"
        lines = [{**asdict(one), "ratio": round(one.ratio, 3), "line": one.line()} for one in self.comparisons]
        whole = {"name": self.name, "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(),
                 "versions": {**versions(), **self.tools}, "comparisons": lines,
                 "remarks": list(self.remarks)}  # fmt: skip
        file.write_text(json.dumps(whole, indent=1) + "\n")
        return file


def take_turns(
    contestants: Mapping[str, Callable[[], Figure]], rounds: int, warm_ups: int = 1
) -> dict[str, list[Figure]]:
    """What each gives in every round, one after another in each, so that a busy machine slows all alike."""
    for _ in range(warm_ups):
        for run in contestants.values():
            run()
    found: dict[str, list[Figure]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            found[name].append(run())
    return found


def options(description: str | None, rounds: int) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--record", type=Path, help="folder that the figures are kept in")
    return parser


def report(record: Record, folder: Path | None) -> None:
    """Print the table, and keep it where a folder is named."""
    print(HEAD)
    for one in record.comparisons:
        print(one.line())
    for remark in record.remarks:
        print(f"- {remark}")
    if folder is not None:
        print(record.save(folder))


def machine() -> dict[str, object]:
    """Processor, cores and memory of this machine."""
    cpu, memory = Path("/proc/cpuinfo"), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    name = re.search(r"^model name\s*:\s*(.+)$", cpu.read_text(), re.MULTILINE) if cpu.exists() else None
    release = ".".join(platform.release().split(".")[:2])
    return {"processor": name[1] if name else platform.processor(), "cores": os.cpu_count(),
            "memory_gib": round(memory / 2**30), "system": f"{platform.system()} {release}"}  # fmt: skip


def versions() -> dict[str, str]:
    """Of Python and the packages that matter."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not here"  # a GPU machine needs no network services, and its figures are not to be lost for that
