"""A shipped network over a CT of 512 x 512 x 300, beside MONAI's sliding_window_inference: `make bench`.

python tests/benchmarks/network.py [--task liver_tumour] [--rounds 2] [--device cpu]. The same weights see the same
phantom, which is laid onto 300 slices of 512 x 512. MONAI's way: the working grid, cropped to the recipe's region as
ours is, float32 (with --amp: autocast to bfloat16, or float16 on a GPU that lacks it), windows of the bundle's size
that share a half, weighed by a Gaussian, two at a time (eight on a GPU). Ours: what `segnode` runs, by OpenVINO on a
CPU where it is installed, in windows that share a half as well (--overlap, which MONAI keeps at 0.5). Both
ways begin with the volume in memory and end with labels on its own grid; MONAI's does what lies between by our CPU's
way. The limit is the network's own seconds: every other second is ours to lose.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from harness import Comparison, Record, options, report, take_turns
from monai.inferers import sliding_window_inference
from numpy.typing import NDArray

from inference.answer import convinced, on_source
from inference.backends import build
from inference.backends.bundle import LoadedBundle
from inference.engine import engines
from inference.phantom import make_case
from inference.prepare import prepare
from inference.sliding import autocast, probabilities
from inference.tasks import TASKS
from inference.transforms.geometry import canonical, grid_at_spacing, resample
from inference.volume import Spacing, Volume

SLICES, ROWS = 300, 512
BUNDLES = Path(__file__).resolve().parents[2] / "inference" / "bundles"
SEED = 5000  # a phantom that chose weights, and so is none to score with


class Run(NamedTuple):
    """Seconds in all, and of the network with its windows; the labels uint8 (z, y, x)."""

    seconds: float
    network_s: float
    labels: NDArray[np.uint8]


def large_ct(task: str, slices: int = SLICES) -> Volume:
    """The phantom on as many voxels as a scanner gives."""
    volume = canonical(next(iter(make_case(task, SEED).volumes.values())))
    spacing = [size * step / wanted for size, step, wanted in
               zip(volume.grid.shape, volume.grid.spacing, (slices, ROWS, ROWS), strict=True)]
    return resample(volume, grid_at_spacing(volume.grid, Spacing(*spacing)), fill=-1024.0)


def loaded(task: str, engine: str, device: str, overlap: float) -> LoadedBundle:
    """A shipped bundle, its windows sharing so much."""
    bundle = build({"kind": "bundle", "path": str(BUNDLES / task), "engine": engine}).load(device)
    files = replace(bundle.files, card=bundle.files.card.model_copy(update={"overlap": overlap}))
    return replace(bundle, files=files)


def ours(bundle: LoadedBundle, volumes: dict[str, Volume], task: str) -> Run:
    """As the node does it."""
    started = time.perf_counter()
    answer = bundle.segment(volumes, TASKS[task], lambda *_: None)
    return Run(time.perf_counter() - started, answer.seconds["network"], answer.labels)


def by_monai(bundle: LoadedBundle, volumes: dict[str, Volume], task: str, *, amp: bool) -> Run:
    """As who takes MONAI's inferer does it: the same channels and the same way back, the windows by MONAI.

    The volume is cropped to the same region: what a network says near a window's edge hangs on where windows lie.
    """
    plan, device = bundle.plan.within(TASKS[task]), bundle.device
    started = time.perf_counter()
    prepared = prepare(volumes, plan.recipe)
    at_network = time.perf_counter()
    with torch.inference_mode(), autocast(device, "auto" if amp else "fp32"):
        logits = sliding_window_inference(
            torch.from_numpy(prepared.array)[None].to(device), plan.window, 8 if device.startswith("cuda") else 2,
            bundle.network, overlap=0.5, mode="gaussian")  # fmt: skip
        array = logits[0].float().cpu().numpy()
    network_s = time.perf_counter() - at_network
    mean = probabilities(array, prepared.foreground, plan.output)
    labels = on_source(convinced(mean, plan.output), prepared, plan.output).labels
    return Run(time.perf_counter() - started, network_s, labels)


def dice_of(labels: NDArray[np.uint8], others: NDArray[np.uint8]) -> dict[int, float]:
    """Of every label that either has."""
    found = sorted((set(np.unique(labels)) | set(np.unique(others))) - {0})
    return {int(k): round(2 * float(((labels == k) & (others == k)).sum()) /
                          float((labels == k).sum() + (others == k).sum()), 4) for k in found}  # fmt: skip


def main() -> None:
    parser = options(__doc__, rounds=2)
    parser.add_argument("--task", choices=("liver_tumour", "lung_nodule"), default="liver_tumour")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--engine", choices=("torch", "openvino"))
    parser.add_argument("--overlap", type=float, default=0.5, help="of our windows")
    parser.add_argument("--amp", action="store_true", help="MONAI under autocast")
    chosen = parser.parse_args()
    task, amp = chosen.task, chosen.amp
    volume = large_ct(task)
    volumes = {TASKS[task].primary: volume}
    engine = chosen.engine or engines(chosen.device)[-1]
    bundle, plain = (loaded(task, name, chosen.device, chosen.overlap) for name in (engine, "torch"))
    contestants: dict[str, Callable[[], Run]] = {
        "segnode": partial(ours, bundle, volumes, task),
        "MONAI": partial(by_monai, plain, volumes, task, amp=amp),
    }
    found = take_turns(contestants, chosen.rounds, warm_ups=int(chosen.device != "cpu" or engine != "torch"))
    alike = dice_of(found["segnode"][-1].labels, found["MONAI"][-1].labels)
    name = f"MONAI {'AMP' if amp else 'fp32'}, overlap 0.5"
    lines = []
    for what, field in (("labels from a volume", "seconds"), ("network over windows", "network_s")):
        mine, theirs = ([getattr(run, field) for run in found[key]] for key in ("segnode", "MONAI"))
        wanted = (2.0 if amp else 4.0) if field == "seconds" else None
        lines.append(Comparison(f"{task}, 300 x 512 x 512, {chosen.device}: {what}", "s", (f"segnode, {engine}", mine),
                                (name, theirs), wanted=wanted))  # fmt: skip
    spent = median(run.seconds - run.network_s for run in found["segnode"])
    remark = f"{task}, by {engine}: Dice of the two masks, label by label: {alike}"
    remarks = [f"{remark}; of ours {spent:.1f} s are not the network's."]
    tools = ["monai", *(["openvino"] if engine == "openvino" else [])]
    record = Record(f"network-{task}-{chosen.device.split(':')[0]}{'-amp' if amp else ''}", lines, remarks,
                    {tool: metadata.version(tool) for tool in tools})  # fmt: skip
    report(record, chosen.record)
    sys.exit(any(share < 0.995 for share in alike.values()))


if __name__ == "__main__":
    main()
