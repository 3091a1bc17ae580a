"""What a network wants to see and what its answer means: data, shared by training, bundles and inference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from inference.volume import Spacing


class Channel(BaseModel):
    """One input channel: a role's voxels as z-scores inside the region, a window of HU as 0..1, or as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str
    scale: Literal["zscore", "window", "none"]
    low: float = 0.0  # window only, in units of the role (HU for CT)
    high: float = 0.0

    @model_validator(mode="after")
    def _window_has_ends(self) -> Self:
        if self.scale == "window" and self.high <= self.low:
            raise ValueError(f"the window of {self.role} needs low < high")
        return self


class Recipe(BaseModel):
    """How the inputs of a task become channels on one working grid (paper Table 2).

    The working grid has `spacing_mm` (z, y, x), runs along the primary series' own axes in their order nearest
    to LPS, and covers the region of interest `roi` with `margin_mm` around it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    primary: str
    channels: tuple[Channel, ...] = Field(min_length=1)
    spacing_mm: tuple[float, float, float]
    register_roles: bool = False  # lay the other roles onto the primary one first
    bias_field: bool = False  # divide coil shading out (MR)
    denoise: Literal["none", "median", "gaussian"] = "none"
    denoise_mm: float = Field(default=0.7, gt=0)  # sigma of the Gaussian
    roi: Literal["all", "body", "head", "lungs"] = "all"
    margin_mm: float = Field(default=8.0, ge=0)

    @property
    def spacing(self) -> Spacing:
        """Working spacing (z, y, x) in mm."""
        return Spacing(*self.spacing_mm)

    @property
    def roles(self) -> tuple[str, ...]:
        """Every role that a channel shows, once, the primary one first."""
        return tuple(dict.fromkeys((self.primary, *(channel.role for channel in self.channels))))


class Region(BaseModel):
    """One output channel: where it exceeds `threshold` the answer is `label`; 0 is a channel that is left out.

    `members` are the labels of the truth that the channel was trained to cover (whole tumour: 1, 2, 3). A connected
    part that nowhere reaches `peak` is not found: the network was not sure of any of its voxels. Logits are divided by
    `temperature` before the sigmoid, so that a probability is as often right as it says (Guo et al. 2017, 4.2).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    label: int = Field(ge=0, le=255)
    members: tuple[int, ...] = Field(min_length=1)
    threshold: float = Field(default=0.5, gt=0, lt=1)  # sigmoid only
    peak: float = Field(default=0.0, ge=0, lt=1)  # sigmoid only
    temperature: float = Field(default=1.0, gt=0)  # sigmoid only

    @model_serializer(mode="wrap")
    def _said_where_it_changes_something(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a temperature of 1: what was written before there were any keeps its hash."""
        fields: dict[str, Any] = dump(self)
        if self.temperature == 1.0:
            del fields["temperature"]
        return fields


class Output(BaseModel):
    """What the network's channels mean (paper Table 3, output layer).

    sigmoid: one channel a region; regions may overlap and a later one is written over an earlier one.
    softmax: channel 0 is background, channel n the n-th region; the largest wins.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    activation: Literal["sigmoid", "softmax"]
    regions: tuple[Region, ...] = Field(min_length=1)

    @property
    def channels(self) -> int:
        """How many channels the network answers with."""
        return len(self.regions) + (1 if self.activation == "softmax" else 0)

    def foreground(self) -> Iterator[tuple[int, Region]]:
        """Every region with the channel that it has; what is left out still competes where the largest wins."""
        softmax = self.activation == "softmax"
        for channel, region in enumerate(self.regions, start=1 if softmax else 0):
            if softmax or region.label:
                yield channel, region
