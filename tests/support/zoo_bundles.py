"""Miniatures of five bundles of the MONAI Model Zoo: the form of their configurations, networks a thousandth as large.

Each differs where the real ones do: how weights are loaded, where the device is named, what order steps come in, and
what breaks on a host that is not their maker's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

SCRIPTS = Path(__file__).parent / "zoo_scripts"
CUDA_OR_CPU = "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')"
Config = dict[str, Any]


def step(target: str, **arguments: Any) -> Config:
    return {"_target_": target, **arguments}


def chain(*steps: Config) -> Config:
    return {"_target_": "Compose", "transforms": list(steps)}


def base(network: Config, preprocessing: Config, postprocessing: Config, roi: list[int], **inferer: Any) -> Config:
    """What all of them share."""
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "output_dir": "$@bundle_root + '/eval'",
        "dataset_dir": "/workspace/data/nowhere",
        "datalist": "$list(sorted(glob.glob(@dataset_dir + '/imagesTs/*.nii.gz')))",
        "device": CUDA_OR_CPU,
        "network_def": network,
        "network": "$@network_def.to(@device)",
        "preprocessing": preprocessing,
        "dataset": step("Dataset", data="$[{'image': i} for i in @datalist]", transform="@preprocessing"),
        "dataloader": step("DataLoader", dataset="@dataset", batch_size=1, shuffle=False, num_workers=4),
        "inferer": step("SlidingWindowInferer", roi_size=roi, **inferer),
        "postprocessing": postprocessing,
        "handlers": [step("StatsHandler", iteration_log=False)],
        "evaluator": step("SupervisedEvaluator", device="@device", val_data_loader="@dataloader", network="@network",
                          inferer="@inferer", postprocessing="@postprocessing", val_handlers="@handlers", amp=True),
        "checkpointloader": step("CheckpointLoader", load_path="$@bundle_root + '/models/model.pt'",
                                 load_dict={"model": "@network"}),
        "initialize": ["$monai.utils.set_determinism(seed=123)", "$@checkpointloader(@evaluator)"],
        "run": ["$@evaluator.run()"],
    }


def by_handler(config: Config) -> Config:
    """Weights loaded by a handler when the evaluator starts, as some bundles do."""
    handler = config.pop("checkpointloader")
    config["initialize"] = ["$monai.utils.set_determinism(seed=123)"]
    config["handlers"].insert(0, handler)
    return config


def ct(*, low: float, high: float, load: Config | None = None) -> Config:
    return chain(
        load or step("LoadImaged", keys="image"),
        step("EnsureChannelFirstd", keys="image"),
        step("Orientationd", keys="image", axcodes="RAS"),
        step("Spacingd", keys="image", pixdim=[2.5, 2.5, 3.0], mode="bilinear"),
        step("ScaleIntensityRanged", keys="image", a_min=low, a_max=high, b_min=0.0, b_max=1.0, clip=True),
        step("EnsureTyped", keys="image"),
    )


def invert(*, nearest: bool) -> Config:
    return step("Invertd", keys="pred", transform="@preprocessing", orig_keys="image", nearest_interp=nearest,
                to_tensor=True)


def spleen() -> Config:
    unet = step("UNet", spatial_dims=3, in_channels=1, out_channels=2, channels=[4, 8], strides=[2], num_res_units=1,
                norm="batch")
    after = chain(step("Activationsd", keys="pred", softmax=True), invert(nearest=False),
                  step("AsDiscreted", keys="pred", argmax=True),
                  step("SaveImaged", keys="pred", output_dir="@output_dir", output_postfix="trans"))
    return base(unet, ct(low=-57, high=164), after, [16, 16, 16], sw_batch_size=4, overlap=0.5)


def whole_body() -> Config:
    net = step("SegResNet", spatial_dims=3, in_channels=1, out_channels=4, init_filters=8, blocks_down=[1, 1],
               blocks_up=[1], dropout_prob=0.2)
    before = chain(step("LoadImaged", keys="@image_key"), step("EnsureTyped", keys="@image_key"),
                   step("EnsureChannelFirstd", keys="@image_key"),
                   step("Orientationd", keys="@image_key", axcodes="RAS"),
                   step("Spacingd", keys="@image_key", pixdim="@pixdim", mode="bilinear"),
                   step("NormalizeIntensityd", keys="@image_key", nonzero=True),
                   step("ScaleIntensityd", keys="@image_key", minv=-1.0, maxv=1.0))
    after = chain(step("Activationsd", keys="pred", softmax=True), step("AsDiscreted", keys="pred", argmax=True),
                  invert(nearest=True), step("SaveImaged", keys="pred", output_dir="@output_dir"))
    config = base(net, before, after, [16, 16, 16], sw_batch_size="@displayable_configs#sw_batch_size",
                  overlap="@displayable_configs#sw_overlap", padding_mode="replicate", mode="gaussian",
                  device=CUDA_OR_CPU)
    config["checkpointloader"]["load_path"] = "$@bundle_root + '/models/' + @modelname"
    return {"displayable_configs": {"highres": True, "sw_overlap": 0.25, "sw_batch_size": 1}, "image_key": "image",
            "pixdim": "$[2.5, 2.5, 2.5] if @displayable_configs#highres else [4.0, 4.0, 4.0]",
            "modelname": "$'model.pt' if @displayable_configs#highres else 'model_lowres.pt'", **config}


def swin() -> Config:
    net = step("SwinUNETR", spatial_dims=3, img_size=32, in_channels=1, out_channels=3, feature_size=12,
               depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], use_checkpoint=False)
    after = chain(step("Activationsd", keys="pred", softmax=True), invert(nearest=False),
                  step("AsDiscreted", keys="pred", argmax=True),
                  step("SaveImaged", keys="pred", output_dir="@output_dir"))
    return by_handler(base(net, ct(low=-175, high=250), after, [64, 32, 32], sw_batch_size=1, overlap=0.25))


def brats() -> Config:
    net = step("SegResNet", blocks_down=[1, 1], blocks_up=[1], init_filters=8, in_channels=4, out_channels=3,
               dropout_prob=0.2)
    before = chain(step("LoadImaged", keys="image"),
                   step("NormalizeIntensityd", keys="image", nonzero=True, channel_wise=True))
    numbered = "$lambda x: torch.where(x[[2]] > 0, 4, torch.where(x[[0]] > 0, 1, torch.where(x[[1]] > 0, 2, 0)))"
    after = chain(step("Activationsd", keys="pred", sigmoid=True), invert(nearest=False),
                  step("AsDiscreted", keys="pred", threshold=0.5), step("Lambdad", keys="pred", func=numbered),
                  step("SaveImaged", keys="pred", output_dir="@output_dir", output_dtype="uint8", resample=False))
    config = by_handler(base(net, before, after, [24, 24, 16], sw_batch_size=1, overlap=0.5))
    del config["initialize"], config["run"]  # as bundles called it before MONAI 1.2
    return config | {"evaluating": ["$setattr(torch.backends.cudnn, 'benchmark', False)", "$@evaluator.run()"]}


def lung() -> Config:
    itk = step("LoadImaged", keys="image", reader="itkreader", affine_lps_to_ras=True,
               _disabled_="@whether_resampled_luna16")
    before = ct(low=-1024, high=300, load=itk)
    before["transforms"].insert(0, step("LoadImaged", keys="image", _disabled_="@whether_raw_luna16"))
    before["transforms"][4]["_disabled_"] = "@whether_resampled_luna16"
    after = chain(
        step("ClipBoxToImaged", box_keys="box", label_keys="label", box_ref_image_keys="image", remove_empty=True),
        step("AffineBoxToWorldCoordinated", box_keys="box", box_ref_image_keys="image", affine_lps_to_ras=True),
        step("ConvertBoxModed", box_keys="box", src_mode="xyzxyz", dst_mode="cccwhd"),
        step("DeleteItemsd", keys=["image"]),
    )
    config = by_handler(base(step("scripts.bright_spots.BrightSpots", anchors=1), before, after, [64, 64, 64]))
    config["handlers"].append(step("scripts.box_writer.BoxWriter", folder="@output_dir", after="@postprocessing"))
    config["evaluator"] |= {"_target_": "scripts.box_evaluator.BoxEvaluator", "_requires_": "@detector_ops"}
    del config["evaluator"]["postprocessing"]
    config["dataloader"]["collate_fn"] = "$monai.data.utils.no_collation"
    config["inferer"] = step("scripts.box_evaluator.BoxInferer", detector="@detector")
    anchors = "monai.apps.detection.utils.anchor_utils.AnchorGeneratorWithAnchorShape"
    return config | {
        "whether_raw_luna16": False, "whether_resampled_luna16": "$(not @whether_raw_luna16)",
        "anchor_generator": step(anchors, feature_map_scales=[1], base_anchor_shapes=[[7, 7, 6]]),
        "detector": step("RetinaNetDetector", network="@network", anchor_generator="@anchor_generator", debug=False,
                         spatial_dims=3, num_classes=1, size_divisible=[4, 4, 4]),
        "detector_ops": [
            "$@detector.set_target_keys(box_key='box', label_key='label')",
            "$@detector.set_box_selector_parameters(score_thresh=0.02, topk_candidates_per_level=100, nms_thresh=0.1)",
        ],
    }


MAKERS: dict[str, Callable[[], Config]] = {
    "spleen": spleen, "whole_body": whole_body, "swin": swin, "brats": brats, "lung": lung,
}
CHANNELS = {"brats": ["T1c", "T1", "T2", "FLAIR"]}
FINDS = {"spleen": ["background", "spleen"], "whole_body": ["background", "spleen", "liver", "liver tumor"],
         "swin": ["background", "liver", "tumor"], "brats": ["Tumor core", "Whole tumor", "Enhancing tumor"]}
# What models.yaml says of each beside kind, path and trust.
ENTRIES: dict[str, Config] = {
    "spleen": {"outputs": {"spleen": "Liver"}},
    "whole_body": {"outputs": {"liver": "Liver", "liver tumor": "Liver tumour"}},
    "swin": {"outputs": {"liver": "Liver", "tumor": "Liver tumour"}},
    "brats": {"inputs": {"T1c": "T1ce", "T1": "T1", "T2": "T2", "FLAIR": "FLAIR"}, "register_roles": False,
              "labels": {"necrosis": 1, "edema": 2, "enhancing": 4},
              "outputs": {"necrosis": "Necrotic core", "edema": "Oedema", "enhancing": "Enhancing tumour"}},
    "lung": {"labels": {"nodule": 0}, "outputs": {"nodule": "Nodule"}, "boxes": {},
             "overrides": {"whether_raw_luna16": True}},
}
TASKS = {"spleen": "liver_tumour", "whole_body": "liver_tumour", "swin": "liver_tumour", "brats": "brain_tumour",
         "lung": "lung_nodule"}


def zoo_bundle(parent: Path, name: str) -> Path:
    """The bundle's folder; its network has random weights, the same ones every time."""
    config, root = MAKERS[name](), parent / f"{name}_bundle"
    for folder in ("configs", "models"):
        (root / folder).mkdir(parents=True)
    (root / "LICENSE").write_text("none\n")
    (root / "configs" / "metadata.json").write_text(json.dumps(_metadata(name)))
    (root / "configs" / "inference.json").write_text(json.dumps(config))
    if name == "lung":
        (root / "scripts").mkdir()
        for path in SCRIPTS.glob("*.py"):
            (root / "scripts" / path.name).write_text(path.read_text())
        torch.save({"gain": torch.tensor(20.0), "bias": torch.tensor(-0.5)}, root / "models" / "model.pt")
    else:
        torch.save(_weights(config["network_def"]), root / "models" / "model.pt")
    return root


def _weights(network: Config) -> dict[str, torch.Tensor]:
    from monai.networks import nets

    torch.manual_seed(1)
    known = {key: value for key, value in network.items() if key not in ("_target_", "img_size")}
    made = getattr(nets, network["_target_"])(**known)
    state: dict[str, torch.Tensor] = made.state_dict()
    last = [key for key, value in state.items() if value.ndim == 5][-1]
    state[last] = state[last] * 20  # so that no class wins everywhere
    return state


def _metadata(name: str) -> Config:
    def channels(names: list[str]) -> Config:
        return {"channel_def": {str(number): one for number, one in enumerate(names)}}

    pred = channels(FINDS[name]) if name in FINDS else {"type": "object"}
    return {"version": "0.1.0", "monai_version": "1.4.0", "pytorch_version": "2.4.0", "numpy_version": "1.24.4",
            "name": f"miniature of {name}", "task": "none", "description": "none", "authors": "none",
            "copyright": "none",
            "network_data_format": {"inputs": {"image": channels(CHANNELS.get(name, ["image"]))},
                                    "outputs": {"pred": pred}}}
