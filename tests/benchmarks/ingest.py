"""How many images a second are taken, and kept so that a power cut loses none: `make bench-ingest`.

python tests/benchmarks/ingest.py [--rounds 5] [--images 300] [--only ct1 ct4 mr1 mr4 tls] [--record FOLDER]

`segnode serve` as shipped beside Debian's Orthanc with its defaults, and beside the limit: a plain copy from a socket
to a file that keeps the same promise (file synced, folder synced, row committed with synchronous=FULL). Senders are
DCMTK's storescu, one process an association, each of which proposes what it sends; with TCP_NODELAY=1, but for the line
that says otherwise. The receivers take turns; every round sends instances that nobody has seen. Sources lie in memory,
what is received on the disk of temporary files (or of --disk FOLDER).
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median

import numpy as np
from harness import Comparison, Record, options, report, take_turns
from receivers import ENVIRONMENT, Receiver, node, orthanc, socket_copy

from certificates import Authority, Identity  # isort: skip (harness shows where it lies)

from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.acquisition import Acquisition
from inference.writers.dicom_series import StudyDetails, write_series

MEMORY = Path("/dev/shm")
COPY_SENDER = Path(__file__).with_name("copy_sender.py")
SIZES = {"ct": (512, 512), "mr": (274, 274)}  # 0.52 MB and 0.15 MB
WANTED = {1: 1.5, 4: 1.7}
OF_THE_LIMIT, OF_PLAIN = 0.6, 0.7
UNTUNED_IMAGES = 20


@dataclass(frozen=True)
class Turn:
    """What one turn of one receiver gave."""

    images_a_s: float
    cpu_ms: float  # an image


@dataclass
class Images:
    """An image as a scanner would write it, of which any number of new ones are made by giving them other UIDs."""

    template: bytes
    uids: Sequence[bytes]  # of study, series, instance
    numbers: count = field(default_factory=lambda: count(1))

    @classmethod
    def of(cls, modality: str, folder: Path) -> Images:
        """0.52 MB of CT, or 0.15 MB of MR."""
        array = np.random.default_rng(7).normal(300, 100, (1, *SIZES[modality])).astype(np.float32)
        grid = Grid(array.shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(1, 0.7, 0.7)), "1.2.3.4")
        study = StudyDetails.of(f"ingest-{modality}-{time.time_ns()}")
        is_ct = modality == "ct"
        acquisition = Acquisition.ct(study) if is_ct else Acquisition.mr(study, "T1")
        (path,) = write_series(Volume(array, grid, "HU" if is_ct else ""), acquisition, folder / f"template-{modality}")
        return cls.like(path)

    @classmethod
    def like(cls, path: Path) -> Images:
        """More of what this file is."""
        return cls(path.read_bytes(), _uids_of(path))

    def write(self, folder: Path, images: int) -> list[Path]:
        """New images of one new series."""
        folder.mkdir(parents=True)
        study, series, instance = self.uids
        base = self.template.replace(study, self._other(study)).replace(series, self._other(series))
        paths = [folder / f"{number:04d}.dcm" for number in range(images)]
        for path in paths:
            path.write_bytes(base.replace(instance, self._other(instance)))
        return paths

    def _other(self, uid: bytes) -> bytes:
        """A UID of the same length that was never used."""
        return uid[:-7] + b"%07d" % next(self.numbers)  # its last component has 30 digits or more


def _uids_of(path: Path) -> list[bytes]:
    from pydicom import dcmread

    header = dcmread(path, stop_before_pixels=True)
    return [str(header[name].value).encode() for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]


class Bench:
    """Sends images of one kind over a number of associations, and keeps the time."""

    def __init__(self, images: Images, place: Path, number: int, associations: int) -> None:
        self._images, self._place, self._number, self._associations = images, place, number, associations

    def turn(self, receiver: Receiver, send: Callable[[Receiver, list[Path]], None]) -> Turn:
        """One turn: all associations begin at once; the last answer ends it."""
        with tempfile.TemporaryDirectory(dir=self._place) as folder:
            each = self._number // self._associations
            parts = [self._images.write(Path(folder) / str(n), each) for n in range(self._associations)]
            cpu, start = receiver.cpu_s(), time.perf_counter()
            with ThreadPoolExecutor(self._associations) as pool:
                list(pool.map(send, [receiver] * self._associations, parts))
            seconds, cpu = time.perf_counter() - start, receiver.cpu_s() - cpu
        sent = each * self._associations
        return Turn(sent / seconds, 1000 * cpu / sent)


def scanner(*extra: object, tls: bool = False, tuned: bool = True) -> Callable[[Receiver, list[Path]], None]:
    """DCMTK's storescu, called by `extra`."""

    def send(receiver: Receiver, files: list[Path]) -> None:
        port = receiver.tls_port if tls else receiver.port
        command = ["storescu", "-R", "-aec", receiver.aet, *map(str, extra), "localhost", str(port), *map(str, files)]
        environment = {**ENVIRONMENT} if tuned else {k: v for k, v in ENVIRONMENT.items() if k != "TCP_NODELAY"}
        subprocess.run(command, check=True, capture_output=True, env=environment)

    return send


def copier(receiver: Receiver, files: list[Path]) -> None:
    """The copy's own sender, as a process of its own like the others."""
    command = [sys.executable, "-S", str(COPY_SENDER), str(receiver.port), *map(str, files)]
    subprocess.run(command, check=True, capture_output=True)


def _rates(turns: Sequence[Turn]) -> list[float]:
    return [turn.images_a_s for turn in turns]


def _beside(bench: str, found: dict[str, list[Turn]], wanted: float) -> list[Comparison]:
    ours = ("segnode", _rates(found["segnode"]))
    cost = ("segnode", [turn.cpu_ms for turn in found["segnode"]])
    return [
        Comparison(f"{bench}, beside Orthanc", "images/s", ours, ("Orthanc", _rates(found["Orthanc"])), False, wanted),
        Comparison(f"{bench}, beside a synced socket copy", "images/s", ours, ("copy", _rates(found["copy"])), False,
                   OF_THE_LIMIT),
        Comparison(f"{bench}, processor time an image", "ms", cost,
                   ("Orthanc", [turn.cpu_ms for turn in found["Orthanc"]])),
    ]  # fmt: skip


def main() -> None:
    parser = options(__doc__, rounds=5)
    parser.add_argument("--images", type=int, default=300, help="in each turn")
    parser.add_argument("--only", nargs="+", default=["ct1", "ct4", "mr1", "mr4", "tls", "untuned"])
    parser.add_argument("--disk", type=Path, help="folder that the receivers keep their data in")
    chosen = parser.parse_args()
    memory = MEMORY if MEMORY.is_dir() else None
    lines: list[Comparison] = []
    remarks: list[str] = ["Ingest: the limit is a socket copy with the same promise, written in Python like the node."]
    with contextlib.ExitStack() as stack:
        disk = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=chosen.disk)))
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory)))
        hospital = Authority(disk / "pki")
        caller: Identity = hospital.issue("ct1")
        ours = stack.enter_context(node(disk / "node", hospital, hospital.issue("segnode")))
        theirs = stack.enter_context(orthanc(disk / "orthanc"))
        copy = stack.enter_context(socket_copy(disk / "copy"))
        kinds = {modality: Images.of(modality, place) for modality in SIZES}
        for modality, associations in (("ct", 1), ("ct", 4), ("mr", 1), ("mr", 4)):
            if f"{modality}{associations}" not in chosen.only:
                continue
            bench = Bench(kinds[modality], place, chosen.images, associations)
            found = take_turns(
                {
                    "segnode": lambda bench=bench: bench.turn(ours, scanner()),
                    "Orthanc": lambda bench=bench: bench.turn(theirs, scanner()),
                    "copy": lambda bench=bench: bench.turn(copy, copier),
                },
                chosen.rounds,
            )
            name = f"{modality.upper()} {len(kinds[modality].template) / 1e6:.2f} MB, {associations} association(s)"
            lines += _beside(name, found, WANTED[associations])
        if "tls" in chosen.only:
            lines += _with_tls(Bench(kinds["ct"], place, chosen.images, 1), ours, hospital, caller, chosen.rounds)
        if "untuned" in chosen.only:
            remarks.append(_untuned(Bench(kinds["ct"], place, UNTUNED_IMAGES, 1), ours, theirs))
    report(Record("ingest", lines, remarks, tools()), chosen.record)


def _with_tls(bench: Bench, ours: Receiver, hospital: Authority, caller: Identity, rounds: int) -> list[Comparison]:
    secured = scanner("+tls", caller.key, caller.certificate, "+cf", hospital.certificate, tls=True)
    found = take_turns(
        {"plain": lambda: bench.turn(ours, scanner()), "TLS": lambda: bench.turn(ours, secured)}, rounds
    )
    pair = (("segnode with TLS", _rates(found["TLS"])), ("segnode without", _rates(found["plain"])))
    return [Comparison("CT with TLS, 1 association", "images/s", *pair, False, OF_PLAIN)]


def _untuned(bench: Bench, ours: Receiver, theirs: Receiver) -> str:
    """Senders whose packets wait for acknowledgements, as Debian ships DCMTK; nobody is compared by that."""
    slow = scanner(tuned=False)
    found = take_turns({"segnode": lambda: bench.turn(ours, slow), "Orthanc": lambda: bench.turn(theirs, slow)}, 2, 0)
    rates = ", ".join(f"{name} {median(_rates(turns)):.0f}" for name, turns in found.items())
    return f"Ingest without TCP_NODELAY in the sender's environment, CT images a second and association: {rates}."


def tools() -> dict[str, str]:
    """Versions of the peers."""
    told = subprocess.run(["storescu", "--version"], capture_output=True, text=True, check=True).stdout
    orthancs = subprocess.run(["/usr/sbin/Orthanc", "--version"], capture_output=True, text=True, check=False).stdout
    return {"DCMTK": told.split()[2].strip("v"), "Orthanc": (orthancs.split() or ["", "?"])[1]}


if __name__ == "__main__":
    main()
