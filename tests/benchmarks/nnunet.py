"""An nnU-Net v2 folder over a CT of 512 x 512, beside nnunetv2's own predictor: `make bench`.

python tests/benchmarks/nnunet.py [--slices 300] [--rounds 1] [--steps 80] [--width 16]. A network of nnU-Net's
(PlainConvUNet, five levels) first learns for some steps to tell soft tissue from bone on the phantom that is then
segmented: random weights would decide nothing, and rounding would turn every voxel over. Both ways begin with the CT in
memory and end with labels on its own grid, ours by OpenVINO where it is installed, theirs by torch; one fold, no
mirroring, windows that share a half.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from harness import Comparison, Record, options, report, take_turns
from network import large_ct
from nnunet_folders import ARCHITECTURE, nnunet_folder
from numpy.typing import NDArray

from inference.backends import build
from inference.backends.base import LoadedBackend
from inference.backends.nnunet_folder import read_checkpoint, read_folder
from inference.backends.pins import hashes_of
from inference.engine import engines
from inference.tasks import TASKS
from inference.volume import Volume

TASK = "liver_tumour"
SPACING = (1.5, 1.5, 1.5)
PATCH = 96
SOFT_HU, BONE_HU = -50.0, 250.0


class Run(NamedTuple):
    """Seconds, and labels uint8 (z, y, x)."""

    seconds: float
    labels: NDArray[np.uint8]


def architecture(width: int) -> dict:
    """A five-level PlainConvUNet with so many channels at the finest level, ten times that at the coarsest at most."""
    stages = 5
    arguments = {**ARCHITECTURE["arch_kwargs"], "n_stages": stages,
                 "features_per_stage": [min(width * 2**level, 10 * width) for level in range(stages)],
                 "kernel_sizes": [[3, 3, 3]] * stages, "strides": [[1, 1, 1], *[[2, 2, 2]] * (stages - 1)],
                 "n_conv_per_stage": [2] * stages, "n_conv_per_stage_decoder": [2] * (stages - 1)}  # fmt: skip
    return {**ARCHITECTURE, "arch_kwargs": arguments}


def trained_folder(parent: Path, volume: Volume, width: int, steps: int) -> Path:
    """A trained-model folder whose network answers soft tissue and bone."""
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    folder, made = nnunet_folder(parent, spacing=SPACING, mirror_axes=None), architecture(width)
    plans = json.loads((folder / "plans.json").read_text())
    plans["configurations"]["3d_fullres"] |= {"architecture": made, "patch_size": [PATCH] * 3}
    (folder / "plans.json").write_text(json.dumps(plans))
    torch.manual_seed(0)
    network = get_network_from_plans(made["network_class_name"], made["arch_kwargs"], made["_kw_requires_import"],
                                     1, 3, deep_supervision=False)  # fmt: skip
    learn(network, np.asarray(volume.array, dtype=np.float32)[::2, ::2, ::2], steps)
    file = folder / "fold_0" / "checkpoint_final.pth"
    checkpoint = torch.load(file, weights_only=False)  # it is ours
    torch.save({**checkpoint, "network_weights": network.state_dict()}, file)
    return folder


def learn(network: torch.nn.Module, array: NDArray[np.float32], steps: int) -> None:
    """Soft tissue and bone, from patches of 48 voxels, seen as nnU-Net normalises a CT with the folder's figures."""
    rng, optimizer = np.random.default_rng(0), torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(steps):
        corners = [[int(rng.integers(0, size - 48)) for size in array.shape] for _ in range(2)]
        patches = np.stack([array[z:z + 48, y:y + 48, x:x + 48] for z, y, x in corners])
        truth = torch.from_numpy((patches > SOFT_HU).astype(np.int64) + (patches > BONE_HU))
        seen = torch.from_numpy((np.clip(patches, -200, 300) - 50) / 100)[:, None]
        loss = torch.nn.functional.cross_entropy(network(seen), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()


def ours(loaded: LoadedBackend, volume: Volume) -> Run:
    """As the node does it."""
    started = time.perf_counter()
    answer = loaded.segment({"CT": volume}, TASKS[TASK], lambda *_: None)
    return Run(time.perf_counter() - started, answer.labels)


def by_nnunet(folder: Path, volume: Volume) -> Run:
    """nnU-Net's own predictor as its documentation has it, its network and weights loaded before the clock runs."""
    predictor = own_predictor(folder)
    started = time.perf_counter()
    array = np.ascontiguousarray(volume.array, dtype=np.float32)[None]
    labels = predictor.predict_single_npy_array(array, {"spacing": list(volume.grid.spacing)}, None, None, False)
    return Run(time.perf_counter() - started, labels.astype(np.uint8))


def own_predictor(folder: Path):
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    files = read_folder(folder)
    plans = PlansManager(files.plans)
    configuration = plans.get_configuration("3d_fullres")
    network = nnUNetTrainer.build_network_architecture(
        plans, configuration, 1, plans.get_label_manager(files.dataset).num_segmentation_heads, False)  # fmt: skip
    predictor = nnUNetPredictor(device=torch.device("cpu"), use_mirroring=False, perform_everything_on_device=False,
                                allow_tqdm=False)  # fmt: skip
    weights = [read_checkpoint(folder / "fold_0" / "checkpoint_final.pth").weights]
    predictor.manual_initialization(network, plans, configuration, weights, files.dataset, "", None)
    return predictor


def main() -> None:
    parser = options(__doc__, rounds=1)
    for name, value in (("slices", 300), ("steps", 80), ("width", 16)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--engine", choices=("torch", "openvino"))
    chosen = parser.parse_args()
    engine = chosen.engine or engines("cpu")[-1]
    volume = large_ct(TASK, chosen.slices)
    with tempfile.TemporaryDirectory() as place:
        folder = trained_folder(Path(place), volume, chosen.width, chosen.steps)
        settings = {"kind": "nnunet", "path": str(folder), "sha256": hashes_of(folder),
                    "engine": engine, "outputs": {"liver": "Liver", "tumor": "Liver tumour"}}  # fmt: skip
        loaded = build(settings).load("cpu")
        contestants: dict[str, Callable[[], Run]] = {
            "segnode": partial(ours, loaded, volume),
            "nnunetv2": partial(by_nnunet, folder, volume),
        }
        found = take_turns(contestants, chosen.rounds, warm_ups=int(engine != "torch"))  # OpenVINO compiles once
    mine, theirs = (found[name][-1].labels for name in contestants)
    same = float((mine == theirs).mean())
    line = Comparison(f"nnU-Net folder, {chosen.slices} x 512 x 512, labels from a volume", "s",
                      (f"segnode, {engine}", [run.seconds for run in found["segnode"]]),
                      ("nnunetv2", [run.seconds for run in found["nnunetv2"]]), wanted=3.0)  # fmt: skip
    shares = np.bincount(theirs.ravel(), minlength=3) / theirs.size
    remarks = [f"nnU-Net: {same:.4%} of the labels are the same; {shares[1]:.0%} soft tissue, {shares[2]:.0%} bone."]
    report(Record("nnunet", [line], remarks, {"nnunetv2": metadata.version("nnunetv2")}), chosen.record)
    sys.exit(same < 0.999)


if __name__ == "__main__":
    main()
