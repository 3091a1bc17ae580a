"""Where the time goes from a complete study to its results in an archive: `make bench`.

python tests/benchmarks/study.py [--rounds 3] [--images 400] [--studies ct,mr]. `segnode serve` as shipped gets a CT of
400 slices for a model without weights, and a phantom's four MR series for a network of one layer at 1 mm, registered
and with their shading taken out; SEG and SR go to Orthanc. Time counts from *complete* (the quiet time before is shown
apart) until the last object is stored; the network's own is taken off. Every round is another patient: the same images
again would be no work. Nobody is beside it: what is wanted stands in place of another's figure.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from harness import Comparison, Record, options, report
from running_node import RunningNode, laid_out

from dicom_node.network.ports import free_port
from inference.phantom import make_case, write_study
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

ROWS = 512
WANTED_S = {"ct": 4.0, "mr": 20.0}
WHAT = {"ct": "CT of {images} slices", "mr": "MR of four series, registered, shading taken out"}
MODELS = """models:
  bright: {task: liver_tumour, kind: threshold, lower: 150, upper: 3000, label: 2}
  layer:
    task: brain_tumour
    kind: torchscript
    path: layer.ts
    intended_use: demonstration
    recipe:
      primary: T1ce
      channels: [{role: T1, scale: zscore}, {role: T1ce, scale: zscore}, {role: T2, scale: zscore},
                 {role: FLAIR, scale: zscore}]
      spacing_mm: [1, 1, 1]
      register_roles: true
      bias_field: true
      roi: head
    output: {activation: sigmoid, regions: [{name: bright}]}
    outputs: {bright: Oedema}
    window: [64, 64, 64]
    precision: fp32
"""
ROUTES = """routes:
  - name: ct
    when: {kind: modality, any_of: [CT]}
    select: {kind: one_series, role: CT}
    task: liver_tumour
    model: bright
    outputs: [seg, sr]
    destinations: [pacs]
  - name: mr
    when: {kind: all, of: [{kind: modality, any_of: [MR]}, {kind: nature}]}
    select: {kind: mr_brain}
    task: brain_tumour
    model: layer
    outputs: [seg, sr]
    destinations: [pacs]
"""
NODE = """quiet_s: 1
devices: [cpu]
web: {{port: null}}
destinations:
  pacs: {{kind: dimse, ae_title: ORTHANC, host: 127.0.0.1, port: {pacs}, accepts: [demonstration], commitment: "off"}}
"""


class Step(NamedTuple):
    """A step of a study's way and how many seconds it took."""

    name: str
    seconds: float


@contextlib.contextmanager
def orthanc(folder: Path) -> Iterator[int]:
    """Debian's Orthanc, which takes all; gives its DICOM port."""
    program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    port = free_port()
    folder.mkdir()
    settings = {"StorageDirectory": str(folder), "IndexDirectory": str(folder), "HttpServerEnabled": False,
                "DicomAet": "ORTHANC", "DicomPort": port, "DicomCheckCalledAet": False, "DicomAlwaysAllowStore": True,
                "UnknownSopClassAccepted": True, "Plugins": []}
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log,
                                   env={**os.environ, "TCP_NODELAY": "1"})
    try:
        yield port
    finally:
        process.terminate()
        process.wait(20)


def node_in(folder: Path, pacs: int) -> RunningNode:
    node = laid_out(folder, NODE.format(pacs=pacs), models=MODELS, routes=ROUTES)
    write_layer(node.conf / "layer.ts")
    pinned = node.run("models", "pin", "layer")
    assert pinned.returncode == 0, pinned.stderr
    node.start()
    return node


def write_layer(path: Path) -> None:
    """A network that finds what is bright on FLAIR."""
    import torch

    layer = torch.nn.Conv3d(4, 1, 1)
    with torch.no_grad():
        layer.weight[:] = torch.tensor([0.0, 0.0, 0.0, 4.0])[None, :, None, None, None]
        layer.bias[:] = -8.0
    torch.jit.trace(layer.eval(), torch.zeros(1, 4, 64, 64, 64)).save(str(path))


def ct(folder: Path, number: int, images: int) -> str:
    """A noisy body with bright balls; its Study Instance UID."""
    rng, (z, y, x) = np.random.default_rng(number), np.ogrid[0:images, 0:ROWS, 0:ROWS]
    array = rng.normal(0, 12, (images, ROWS, ROWS)).astype(np.float32)
    array += np.where((x - 256)**2 + 2 * (y - 256)**2 < 48_000, 40.0, -990.0)
    for place in range(6):
        far = (x - 160 - 38 * place)**2 + (y - 256)**2 + (z - images * (place + 1) // 8)**2
        array[far < (8 + 2 * place)**2] = 400
    affine = regular_affine((0, 0, number), np.eye(3)[:, ::-1], Spacing(1, 0.7, 0.7))
    grid = Grid(array.shape, affine, f"1.2.3.{number}")
    study = StudyDetails.of(f"study-{number}")
    write_series(Volume(np.rint(array), grid, "HU"), Acquisition.ct(study), folder)
    return study.study_instance_uid


def mr(folder: Path, number: int, images: int) -> str:
    """A phantom's four series; its Study Instance UID."""
    del images  # its scanner decides
    case = make_case("brain_tumour", 9001 + number)
    write_study(case, folder)
    return str(case.acquisitions[case.primary].study.study_instance_uid)


STUDIES = {"ct": ct, "mr": mr}


def steps_of(node: RunningNode, uid: str) -> tuple[list[Step], float]:
    """The steps after *complete* in their order, and the quiet time before."""
    with node.database.reading() as tx:
        study, (job,), deliveries = tx.studies.get(uid), tx.jobs.of_study(uid), tx.deliveries.of_study(uid)
        complete = max(entry.at for entry in tx.journal.of_study(uid) if entry.event == "complete")
    assert job.state == "DONE", job.reason
    (delivery,) = deliveries
    known = dict(job.summary["seconds"])
    begin, end, sent = job.started_at, job.finished_at, delivery.sent_at
    assert begin is not None
    assert end is not None
    assert sent is not None
    steps = [Step("routed", job.created_at - complete), Step("taken up", begin - job.created_at),
             *(Step(name, seconds) for name, seconds in known.items()),
             Step("handed over, stored", end - begin - sum(known.values())), Step("delivered", sent - end)]
    return steps, complete - study.changed_at


def main() -> None:
    parser = options(__doc__, rounds=3)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--studies", default=",".join(STUDIES))
    chosen = parser.parse_args()
    lines: list[Comparison] = []
    remarks: list[str] = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = node_in(folder / "node", stack.enter_context(orthanc(folder / "orthanc")))
        stack.callback(node.stop)
        for kind in chosen.studies.split(","):
            rounds = [walk(node, kind, folder / f"{kind}-{number}", number, chosen.images)
                      for number in range(chosen.rounds + 1)][1:]  # the first loads the model
            what = WHAT[kind].format(images=chosen.images)
            waited = [sum(step.seconds for step in steps if step.name != "network") for steps, _ in rounds]
            lines.append(Comparison(f"{what}, complete to stored, without the network", "s", ("ours", waited),
                                    ("at most", [WANTED_S[kind]]), wanted=1.0))
            remarks.append(f"{what}: {shares(rounds)}.")
    report(Record("study", lines, remarks), chosen.record)


def walk(node: RunningNode, kind: str, folder: Path, number: int, images: int) -> tuple[list[Step], float]:
    """Send a study and wait for its results; its steps and its quiet time."""
    uid = STUDIES[kind](folder, number, images)
    node.send(sorted(path for path in folder.rglob("*") if path.is_file()))
    node.until_delivered(uid)
    return steps_of(node, uid)


def shares(rounds: list[tuple[list[Step], float]]) -> str:
    """Every step's median seconds and its share of all of them."""
    names = [step.name for step in rounds[0][0]]
    took = {name: median(step.seconds for steps, _ in rounds for step in steps if step.name == name) for name in names}
    whole = sum(took.values())
    told = ", ".join(f"{name} {seconds:.2f} s ({seconds / whole:.0%})" for name, seconds in took.items())
    return f"{told}; quiet time before {median(quiet for _, quiet in rounds):.2f} s"


if __name__ == "__main__":
    main()
