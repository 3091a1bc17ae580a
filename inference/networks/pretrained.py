"""Pretrained weights for a ResNet encoder: ImageNet's (torchvision's names) or MedicalNet's (paper III.D).

What is done to a tensor that does not fit as it is:
- 2D weights in a 3D network are repeated along z and divided by the number of repeats, so that an image that is
  constant along z has the features it had in 2D (Carreira and Zisserman 2017, 3).
- A first convolution for another number of channels becomes the sum over its channels, spread evenly over ours, so
  that an image shown on every channel has the features it had on every channel before.
- MedicalNet's ResNet-34 has shortcuts without weights (type A: every second voxel, zeros for new channels); our
  projections begin as exactly these.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from inference.errors import ModelError
from inference.networks.recognise import recognise, resnet_blocks
from inference.networks.resnet import ResNetEncoder
from inference.networks.weights import Weights, read_weights

COUNTER = "num_batches_tracked"  # of batch normalisation; no weight, and neither used nor reported
STEM = "conv1.weight"
SHOWN = 4  # names of each kind in the line for the log
# Batch normalisation that changes nothing.
NEUTRAL = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}


@dataclass(frozen=True)
class LoadReport:
    """What became of each tensor, by its name in the encoder (`unused`: in the file).

    `adapted` to another number of channels (and inflated where need was) or begun as a shortcut without weights;
    `missing` in the file and left as they were, such as a stage that it lacks.
    """

    source: str  # file and the network it seems to hold
    loaded: tuple[str, ...]
    inflated: tuple[str, ...]
    adapted: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        """One line: how many of each, with the first names of those that need a look."""
        parts = [f"{self.source}: {len(self.loaded)} tensors loaded, {len(self.inflated)} inflated"]
        for kind, names in (("adapted", self.adapted), ("missing", self.missing), ("unused", self.unused)):
            if names:
                parts.append(f"{len(names)} {kind} ({', '.join((*names[:SHOWN], '…')[:len(names)])})")
        return "; ".join(parts)


def load_pretrained(network: nn.Module, path: Path) -> LoadReport:
    """Fill the ResNet encoder of a network from a file and say what became of each tensor.

    ModelError, and nothing changed, where the file holds another network: names the first tensor that does not fit,
    with both shapes, and what the file seems to hold.
    """
    encoder = next((module for module in network.modules() if isinstance(module, ResNetEncoder)), None)
    if encoder is None:
        raise ModelError(f"{type(network).__name__} has no ResNet encoder that {path.name} could be loaded into")
    found, own = read_weights(path), encoder.state_dict()
    fitting = _Fitting(path.name, found, own)
    for name in own:
        if not name.endswith(COUNTER):
            fitting.fill(name)
    fitting.refuse_further_blocks()
    encoder.load_state_dict({**own, **fitting.filled})
    return fitting.report()


class _Fitting:
    """Tensors of a file on their way into an encoder."""

    def __init__(self, file: str, found: Weights, own: Weights) -> None:
        self.file, self.found, self.own = file, found, own
        self.filled: Weights = {}
        self.fate: dict[str, list[str]] = {kind: [] for kind in ("loaded", "inflated", "adapted", "missing")}
        self.blocks = resnet_blocks(found)
        self.bare_shortcuts = not any(".downsample." in name for name in found)

    def fill(self, name: str) -> None:
        """Find the value of one tensor of the encoder and note what was done."""
        own = self.own[name]
        if name in self.found:
            if not self.found[name].is_floating_point():
                self._refuse(name)
            value, fate = _fitted(self.found[name].float(), own, first=name == STEM)
            if value.shape != own.shape:
                self._refuse(name)
        elif name == STEM or (name.endswith("conv1.weight") and self._stage(name) in self.blocks):
            self._refuse(name)
        elif ".downsample." in name and self.bare_shortcuts and self._stage(name) in self.blocks:
            value, fate = _bare_shortcut(name, own), "adapted"
        else:
            value, fate = own, "missing"
        self.filled[name] = value
        self.fate[fate].append(name)

    def refuse_further_blocks(self) -> None:
        """A stage of more blocks than ours is another network's, although all of ours could be filled."""
        for stage, count in resnet_blocks(self.own).items():
            if self.blocks.get(stage, count) > count:
                self._refuse(f"layer{stage}.{count}.conv1.weight")

    def report(self) -> LoadReport:
        """What was done, once every tensor was filled."""
        unused = tuple(name for name in self.found if name not in self.filled and not name.endswith(COUNTER))
        return LoadReport(f"{self.file} ({recognise(self.found)})", unused=unused,
                          **{kind: tuple(names) for kind, names in self.fate.items()})

    @staticmethod
    def _stage(name: str) -> int:
        return int(name[len("layer")]) if name.startswith("layer") else 0

    def _refuse(self, name: str) -> None:
        there, here = _shown(self.found.get(name)), _shown(self.own.get(name))
        raise ModelError(f"{self.file} does not fit: {name} is {there} in the file and {here} in the network. The file "
                         f"seems to hold {recognise(self.found)}; the encoder is {recognise(self.own)}")


def _shown(tensor: torch.Tensor | None) -> str:
    if tensor is None:
        return "absent"
    return f"{tuple(tensor.shape)}{'' if tensor.is_floating_point() else f' of {tensor.dtype}'}"


def _fitted(value: torch.Tensor, own: torch.Tensor, *, first: bool) -> tuple[torch.Tensor, str]:
    """The value as it fits, and what was done; only the first convolution may have another number of channels."""
    fate = "loaded"
    if value.dim() == 4 and own.dim() == 5:
        depth = own.shape[2]
        value, fate = value[:, :, None].expand(-1, -1, depth, -1, -1) / depth, "inflated"
    if first and value.dim() == own.dim() and value.shape[1] != own.shape[1]:
        channels = own.shape[1]
        value, fate = value.sum(1, keepdim=True).expand(-1, channels, *value.shape[2:]) / channels, "adapted"
    return value, fate


def _bare_shortcut(name: str, own: torch.Tensor) -> torch.Tensor:
    """The projection that passes every channel on and gives new ones 0, and the normalisation that changes nothing."""
    if own.dim() == 1:
        return torch.full_like(own, NEUTRAL[name.rpartition(".")[2]])
    return torch.eye(*own.shape[:2], dtype=own.dtype).reshape(own.shape)
