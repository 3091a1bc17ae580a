"""Every kind of network as settings: the class is its YAML, a bundle's `network_def` and the way to build it.

No torch here; it is loaded by `build`.
"""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from inference.errors import ModelError
from inference.networks.dynunet_plan import divisors, plan

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)

Width = Annotated[int, Field(ge=1)]
Levels = Annotated[tuple[Width, ...], Field(min_length=2)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
ResNetWidths = Annotated[tuple[Width, ...], Field(min_length=5, max_length=5)]
PerLevel = tuple[Width | tuple[Width, ...], ...]


class NetworkSettings(BaseModel, ABC):
    """Settings of one kind; the fields are the YAML under `network:` and, but for `kind`, its class's arguments."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: ClassVar[str]  # the class, as a bundle names it
    not_arguments: ClassVar[frozenset[str]] = frozenset({"kind"})

    @property
    @abstractmethod
    def divisor(self) -> int:
        """What every axis of a patch must be a multiple of."""

    def arguments(self, in_channels: int, out_channels: int, dimensions: int = 3) -> dict[str, Any]:
        """Every argument of the class's constructor, as plain JSON values."""
        return {"in_channels": in_channels, "out_channels": out_channels, "dimensions": dimensions,
                **self.model_dump(mode="json", exclude=set(self.not_arguments))}

    def definition(self, in_channels: int, out_channels: int, dimensions: int = 3) -> dict[str, Any]:
        """A bundle's `network_def`."""
        return {"_target_": self.target, **self.arguments(in_channels, out_channels, dimensions)}

    def build(self, in_channels: int, out_channels: int, dimensions: int = 3) -> nn.Module:
        """The network with its first weights; ModelError where it cannot be built."""
        module, _, name = self.target.rpartition(".")
        try:
            network: nn.Module = getattr(import_module(module), name)(
                **self.arguments(in_channels, out_channels, dimensions))
        except ValueError as fault:
            raise ModelError(f"the network {name} cannot be built: {fault}") from fault
        return network


class _Pretrained(NetworkSettings, ABC):
    """A network with a ResNet encoder, which may start from the weights in a file."""

    not_arguments = frozenset({"kind", "pretrained"})

    pretrained: Path | None = None  # state dict of ImageNet (torchvision) or MedicalNet

    def build(self, in_channels: int, out_channels: int, dimensions: int = 3) -> nn.Module:
        network = super().build(in_channels, out_channels, dimensions)
        if self.pretrained:
            from inference.networks.pretrained import load_pretrained

            log.info("pretrained weights: %s", load_pretrained(network, self.pretrained))
        return network


class Hybrid(_Pretrained):
    """The paper's network (Table 3) and its ablations."""

    target = "inference.networks.hybrid_unet_transformer.HybridUNetTransformer"

    kind: Literal["hybrid"] = "hybrid"
    widths: Levels = (8, 16, 32, 64, 128)  # channels of each level, finest first
    transformer_layers: int = Field(default=2, ge=0)  # 0: no transformer
    heads: int = Field(default=4, ge=1)
    dropout: Dropout = 0.1
    attention_gates: bool = True  # on the skip connections, where there are such
    skips: bool = True  # False: a single scale, the coarsest
    encoder: Literal["plain", "resnet34"] = "plain"
    deep_supervision: bool = False

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.transformer_layers and self.widths[-1] % self.heads:
            raise ValueError(f"the widest level of {self.widths[-1]} channels is no multiple of {self.heads} heads")
        if self.encoder == "resnet34" and not 3 <= len(self.widths) <= 6:
            raise ValueError(f"with a ResNet-34 encoder there are 3 to 6 widths, not {len(self.widths)}")
        if self.pretrained and self.encoder != "resnet34":
            raise ValueError("pretrained weights need the encoder resnet34")
        return self

    @property
    def divisor(self) -> int:
        return 2 ** (len(self.widths) - 1)


class UNet(NetworkSettings):
    """U-Net, the paper's comparator."""

    target = "inference.networks.unet.UNet"

    kind: Literal["unet"] = "unet"
    widths: Levels = (64, 128, 256, 512, 1024)
    dropout: Dropout = 0.0
    deep_supervision: bool = False

    @property
    def divisor(self) -> int:
        return 2 ** (len(self.widths) - 1)


class SegNet(NetworkSettings):
    """SegNet, the paper's comparator."""

    target = "inference.networks.segnet.SegNet"

    kind: Literal["segnet"] = "segnet"
    widths: Annotated[tuple[Width, ...], Field(min_length=1, max_length=5)] = (64, 128, 256, 512, 512)

    @property
    def divisor(self) -> int:
        return 2 ** len(self.widths)


class DeepLabV3Plus(_Pretrained):
    """DeepLabv3+ on ResNet-34, the paper's comparator."""

    target = "inference.networks.deeplabv3plus.DeepLabV3Plus"

    kind: Literal["deeplabv3plus"] = "deeplabv3plus"
    widths: ResNetWidths = (64, 64, 128, 256, 512)
    rates: Annotated[tuple[Width, ...], Field(min_length=1)] = (6, 12, 18)  # dilations on 1/16 of the grid
    dropout: Dropout = 0.1

    @property
    def divisor(self) -> int:
        return 16


class DynUNet(NetworkSettings):
    """nnU-Net's network. Kernels and strides are given, or follow from `patch` in voxels and `spacing_mm`."""

    target = "inference.networks.dynunet.DynUNet"
    not_arguments = frozenset({"kind", "patch", "spacing_mm"})

    kind: Literal["dynunet"] = "dynunet"
    patch: tuple[Width, ...] | None = None  # ([z,] y, x)
    spacing_mm: tuple[Annotated[float, Field(gt=0)], ...] | None = None
    kernels: PerLevel = (3, 3, 3, 3, 3, 3)
    strides: PerLevel = (1, 2, 2, 2, 2, 2)
    widths: Levels | None = None
    deep_supervision: bool = False

    @model_validator(mode="after")
    def _one_plan(self) -> Self:
        given = {"kernels", "strides"} & self.model_fields_set
        if (self.patch is None) != (self.spacing_mm is None):
            raise ValueError("a plan follows from patch and spacing_mm together")
        if self.patch and given:
            raise ValueError("either patch and spacing_mm, from which the plan follows, or kernels and strides")
        kernels, strides = self._plan()
        axes = {len(level) for level in (*kernels, *strides) if isinstance(level, tuple)}
        if len(axes) > 1:
            raise ValueError("kernels and strides have a number a level, or one for each axis, the same everywhere")
        if not len(kernels) == len(strides) >= 3:
            raise ValueError(f"kernels and strides have 3 or more levels, the same number of each, not {len(kernels)} "
                             f"and {len(strides)}")
        if self.widths and len(self.widths) != len(strides):
            raise ValueError(f"the plan has {len(strides)} levels, widths {len(self.widths)}")
        return self

    @property
    def divisor(self) -> int:
        axes = max(len(stride) if isinstance(stride, tuple) else 1 for stride in self._plan()[1])
        return max(divisors([stride if isinstance(stride, tuple) else (stride,) * axes for stride in self._plan()[1]]))

    def arguments(self, in_channels: int, out_channels: int, dimensions: int = 3) -> dict[str, Any]:
        if self.patch and len(self.patch) != dimensions:
            raise ModelError(f"a network of {dimensions} dimensions has no patch of {len(self.patch)} axes")
        kernels, strides = self._plan()
        return {**super().arguments(in_channels, out_channels, dimensions),
                "kernels": _listed(kernels), "strides": _listed(strides)}

    def _plan(self) -> tuple[PerLevel, PerLevel]:
        if self.patch is None or self.spacing_mm is None:
            return self.kernels, self.strides
        derived = plan(self.patch, self.spacing_mm)
        return derived.kernels, derived.strides


class SegResNet(NetworkSettings):
    """SegResNet, a yardstick of the field."""

    target = "inference.networks.segresnet.SegResNet"

    kind: Literal["segresnet"] = "segresnet"
    width: Width = 16  # channels of the finest level, doubled with each halving
    blocks: Levels = (1, 2, 2, 4)  # residual blocks of each level on the way down
    dropout: Dropout = 0.0

    @property
    def divisor(self) -> int:
        return 2 ** (len(self.blocks) - 1)


class OfParts(NetworkSettings, ABC):
    """A network made of hybrid ones."""

    whole_parts: ClassVar[tuple[str, ...]]  # those that take the channels of the whole: they may be trained alone
    kind: str

    @property
    def parts(self) -> dict[str, Hybrid]:
        """The hybrid networks by their names in it."""
        return {name: part for name, part in self if isinstance(part, Hybrid)}

    @model_validator(mode="after")
    def _plain_parts(self) -> Self:
        if any(part.pretrained or part.deep_supervision for part in self.parts.values()):
            raise ValueError(f"no part of {self.kind} has pretrained weights or deep supervision")
        return self

    def arguments(self, in_channels: int, out_channels: int, dimensions: int = 3) -> dict[str, Any]:
        parts = {name: part.model_dump(mode="json", exclude=set(part.not_arguments))
                 for name, part in self.parts.items()}
        return {**super().arguments(in_channels, out_channels, dimensions), **parts}


class CoarseToFine(OfParts):
    """A hybrid network on half the grid, and another one that corrects it on the whole grid."""

    target = "inference.networks.coarse_to_fine.CoarseToFine"
    not_arguments = frozenset({"kind", "window"})  # a window changes how it learns, not what it is
    whole_parts = ("coarse",)

    kind: Literal["coarse_to_fine"] = "coarse_to_fine"
    coarse: Hybrid = Hybrid()
    fine: Hybrid = Hybrid()
    window: Annotated[tuple[Width, ...], Field(min_length=3, max_length=3)] | None = None  # all that `fine` learns by

    @property
    def divisor(self) -> int:
        return max(2 * self.coarse.divisor, self.fine.divisor)

    @model_validator(mode="after")
    def _window_fits(self) -> Self:
        if any(size % self.fine.divisor for size in self.window or ()):
            raise ValueError(f"window is in multiples of {self.fine.divisor}, as the fine network halves its grid")
        return self

    def build(self, in_channels: int, out_channels: int, dimensions: int = 3) -> nn.Module:
        from inference.networks import coarse_to_fine

        network = super().build(in_channels, out_channels, dimensions)
        assert isinstance(network, coarse_to_fine.CoarseToFine)
        if self.window:
            network.learn_in(self.window)
        return network


class TwoScales(OfParts):
    """A hybrid network for what is small, and another one on a third of the grid for what is large."""

    target = "inference.networks.two_scales.TwoScales"
    whole_parts = ("near", "far")

    kind: Literal["two_scales"] = "two_scales"
    near: Hybrid = Hybrid()
    far: Hybrid = Hybrid()

    @property
    def divisor(self) -> int:
        return math.lcm(self.near.divisor, 3 * self.far.divisor)


KINDS: dict[str, type[NetworkSettings]] = {
    kind.model_fields["kind"].default: kind
    for kind in (Hybrid, UNet, SegNet, DeepLabV3Plus, DynUNet, SegResNet, CoarseToFine, TwoScales)
}


def _hybrid_unless_said(settings: Any) -> Any:
    return {"kind": "hybrid", **settings} if isinstance(settings, Mapping) else settings


AnyNetwork = Annotated[
    Annotated[Hybrid | UNet | SegNet | DeepLabV3Plus | DynUNet | SegResNet | CoarseToFine | TwoScales,
              Field(discriminator="kind")],
    BeforeValidator(_hybrid_unless_said),
]

_ADAPTER: TypeAdapter[NetworkSettings] = TypeAdapter(AnyNetwork)


def network_settings(settings: Mapping[str, Any]) -> NetworkSettings:
    """The settings that a mapping describes, of kind hybrid where it says none; ModelError where it is wrong."""
    try:
        return _ADAPTER.validate_python(dict(settings))
    except ValidationError as fault:
        raise ModelError(f"the network's settings are wrong: {fault}") from fault


def complete(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A bundle's `network_def` with every argument that it leaves at its default written out, fit for comparing.

    ModelError where it names no network of this program or an argument that it does not have.
    """
    settings, channels = _read(definition)
    return settings.definition(*channels)


def alone(definition: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What of a network may be trained alone, by its name in it, each definition complete; "" is all of it."""
    settings, channels = _read(definition)
    parts = {name: settings.parts[name] for name in settings.whole_parts} if isinstance(settings, OfParts) else {}
    return {name: part.definition(*channels) for name, part in {"": settings, **parts}.items()}


def _read(definition: Mapping[str, Any]) -> tuple[NetworkSettings, tuple[int, int, int]]:
    """The settings and the channels and dimensions."""
    fields = dict(definition)
    target = fields.pop("_target_", None)
    kind = next((name for name, settings in KINDS.items() if settings.target == target), None)
    if kind is None:
        raise ModelError(f"{target!r} is no network of this program; there are "
                         f"{', '.join(settings.target for settings in KINDS.values())}")
    try:
        channels = int(fields.pop("in_channels")), int(fields.pop("out_channels")), int(fields.pop("dimensions", 3))
    except (KeyError, TypeError, ValueError) as fault:
        raise ModelError(f"the definition of {target} names no channels: {type(fault).__name__} {fault}") from fault
    return network_settings({"kind": kind, **fields}), channels


def _listed(levels: PerLevel) -> list[int | list[int]]:
    return [level if isinstance(level, int) else list(level) for level in levels]
