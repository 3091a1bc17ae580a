"""nnU-Net v2 model folders as its training leaves them, with a network of a few hundred random weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inference.backends import LoadedBackend, build
from inference.backends.pins import hashes_of

NORM = {"eps": 1e-5, "affine": True}
RESAMPLING = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
ARCHITECTURE = {
    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "arch_kwargs": {
        "n_stages": 2, "features_per_stage": [4, 8], "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[3, 3, 3], [3, 3, 3]], "strides": [[1, 1, 1], [2, 2, 2]], "n_conv_per_stage": [1, 1],
        "n_conv_per_stage_decoder": [1], "conv_bias": True, "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": NORM, "dropout_op": None, "dropout_op_kwargs": None, "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    },
    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
}
RESIDUAL = {
    **ARCHITECTURE, "network_class_name": "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet",
    "arch_kwargs": {"n_blocks_per_stage" if key == "n_conv_per_stage" else key: value
                    for key, value in ARCHITECTURE["arch_kwargs"].items()},
}
OLD_ARCHITECTURE = {  # the same networks in the words of plans of 2023, but for the class
    "UNet_base_num_features": 4, "unet_max_num_features": 8,
    "n_conv_per_stage_encoder": [1, 1], "n_conv_per_stage_decoder": [1], "num_pool_per_axis": [1, 1, 1],
    "pool_op_kernel_sizes": [[1, 1, 1], [2, 2, 2]], "conv_kernel_sizes": [[3, 3, 3], [3, 3, 3]],
}
LIVER = {"background": 0, "liver": 1, "tumor": 2}
OUTPUTS = {"liver": "Liver", "tumor": "Liver tumour"}
BY_TORCH = {  # how nnU-Net's planners whose names end in torchres_sepz have logits resampled
    "resampling_fn_probabilities": "resample_torch_fornnunet",
    "resampling_fn_probabilities_kwargs": {"is_seg": False, "force_separate_z": None,
                                           "separate_z_anisotropy_threshold": 3, "memefficient_seg_resampling": False},
}
BRATS_REGIONS = {"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": [3]}


def model(folder: Path, **keys: Any) -> LoadedBackend:
    """The folder as a model of liver and tumour, where `keys` say nothing else, on the CPU."""
    return build({"kind": "nnunet", "path": folder, "sha256": hashes_of(folder), "outputs": OUTPUTS,
                  "precision": "fp32", **keys}).load("cpu")


def nnunet_folder(parent: Path, *, channels: Sequence[str] = ("CT",), labels: dict[str, Any] | None = None,
                  spacing: Sequence[float] = (3.0, 2.0, 2.0), transpose: Sequence[int] = (0, 1, 2),
                  reader: str = "SimpleITKIO", folds: Sequence[int] = (0,), trainer: str = "nnUNetTrainer",
                  mirror_axes: Sequence[int] | None = (0, 1, 2), old_plans: bool = False,
                  residual: bool = False, architecture: dict[str, Any] | None = None,
                  of_logits: dict[str, Any] | None = None) -> Path:
    """A folder for patches of 16 voxels; each fold has weights of its own, the same ones every time."""
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    labels, made = labels or LIVER, RESIDUAL if residual else ARCHITECTURE
    folder = parent / "Dataset003_Toy" / f"{trainer}__nnUNetPlans__3d_fullres"
    folder.mkdir(parents=True)
    _dataset(folder, channels, labels)
    plans = _plans(len(channels), spacing, transpose, reader)
    plans["configurations"]["3d_fullres"] |= (
        OLD_ARCHITECTURE | {"UNet_class_name": made["network_class_name"].rpartition(".")[2]} if old_plans
        else {"architecture": architecture or made})
    plans["configurations"]["3d_fullres"] |= of_logits or {}
    (folder / "plans.json").write_text(json.dumps(plans))
    heads = len(labels) - 1 if any(isinstance(value, list) for value in labels.values()) else len(labels)
    for fold in folds:
        torch.manual_seed(fold)
        network = get_network_from_plans(
            made["network_class_name"], made["arch_kwargs"], made["_kw_requires_import"], len(channels), heads,
            deep_supervision=False)
        torch.nn.init.normal_(network.decoder.seg_layers[-1].weight, std=8.0)  # so that no class wins everywhere
        (folder / f"fold_{fold}").mkdir()
        torch.save(_checkpoint(network, trainer, mirror_axes), folder / f"fold_{fold}" / "checkpoint_final.pth")
    return folder


def _checkpoint(network: torch.nn.Module, trainer: str, mirror_axes: Sequence[int] | None) -> dict[str, Any]:
    """With numpy's numbers in the log of scores, as the trainer writes them."""
    log = {"mean_fg_dice": [np.float64(0.5), np.float32(0.75)], "epoch_end_timestamps": [np.float64(1.0)],
           "dice_per_class": [np.array([0.5, 0.25])]}
    return {"network_weights": network.state_dict(), "optimizer_state": {}, "grad_scaler_state": None, "logging": log,
            "_best_ema": np.float64(0.5), "current_epoch": 1, "init_args": {"configuration": "3d_fullres", "fold": 0},
            "trainer_name": trainer, "inference_allowed_mirroring_axes": mirror_axes}


def _dataset(folder: Path, channels: Sequence[str], labels: dict[str, Any]) -> None:
    dataset = {"channel_names": {str(n): name for n, name in enumerate(channels)}, "labels": labels,
               "numTraining": 2, "file_ending": ".nii.gz"}
    if any(isinstance(value, list) for value in labels.values()):
        dataset["regions_class_order"] = list(range(1, len(labels)))
    (folder / "dataset.json").write_text(json.dumps(dataset))


def _plans(channels: int, spacing: Sequence[float], transpose: Sequence[int], reader: str) -> dict[str, Any]:
    values = {"max": 3000.0, "mean": 50.0, "median": 50.0, "min": -1000.0, "percentile_00_5": -200.0,
              "percentile_99_5": 300.0, "std": 100.0}
    resampling = {f"resampling_fn_{what}": "resample_data_or_seg_to_shape" for what in ("data", "seg", "probabilities")}
    return {
        "dataset_name": "Dataset003_Toy", "plans_name": "nnUNetPlans", "image_reader_writer": reader,
        "transpose_forward": list(transpose), "transpose_backward": [list(transpose).index(n) for n in range(3)],
        "original_median_spacing_after_transp": list(spacing), "original_median_shape_after_transp": [20, 30, 34],
        "experiment_planner_used": "ExperimentPlanner", "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {str(n): values for n in range(channels)},
        "configurations": {"3d_fullres": {
            "data_identifier": "toy", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2,
            "patch_size": [16, 16, 16], "median_image_size_in_voxels": [20, 30, 34], "spacing": list(spacing),
            "normalization_schemes": ["CTNormalization" if channels == 1 else "ZScoreNormalization"] * channels,
            "use_mask_for_norm": [False] * channels, "batch_dice": False, **resampling,
            "resampling_fn_data_kwargs": RESAMPLING, "resampling_fn_seg_kwargs": RESAMPLING | {"is_seg": True,
                                                                                               "order": 1},
            "resampling_fn_probabilities_kwargs": RESAMPLING | {"order": 1},
        }},
    }
