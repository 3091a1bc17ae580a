"""Lesions put into CT: into patches while training, as many different ones as there are steps, and into whole scans.

A prepared CT says where tissue is, not how many lesions could be in it. Each implant is a lump of its own size,
outline, density and place, with the noise of the tissue that it replaces (Hu et al. 2023, "Label-free liver tumor
segmentation", did so with procedural tumours in real livers).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy import ndimage

from inference.phantom.ct_canvas import Array, Point
from inference.phantom.ct_lesions import Lump, Ripple, draw_lump
from inference.phantom.ct_scan import Offsets
from inference.recipe import Channel
from inference.tasks.postprocess import Box, bounding_box

Image = NDArray[np.float32]

NOISE_SPREAD = 1.0  # voxels over which tissue is smoothed to tell it from its noise
NOISE_LIMIT = 4.0  # what differs by more medians of the difference is an edge, no noise
APART_MM = 3.0  # from lesions that are there
TRIES = 20  # places that are looked at for each lesion of a whole CT
WHOLE = Channel(role="CT", scale="window", low=-1024, high=3072)  # all that a CT of 12 bits holds


class Density(BaseModel):
    """One kind of lesion: how often it is drawn beside the others, from and to how many HU, whether it has a core.

    A core takes `core` of the radius and has a density of its own. Where they are `relative`, HU are told from the
    tissue that the lesion replaces: below 0 it is darker than its organ, whatever the phase of the contrast.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(gt=0)
    hu: tuple[float, float]
    relative: bool = False
    core: tuple[float, float] | None = None
    core_hu: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.hu[0] > self.hu[1] or (self.core is None) != (self.core_hu is None):
            raise ValueError("hu goes from low to high, and a core has a share of the radius and a density")
        return self


class ImplantSettings(BaseModel):
    """How often a patch gets a lesion, of which label, where, how large and how dense.

    Its middle lies amid tissue of `tissue_hu`. All of it lies `within` the organ of that label where one is named:
    what would reach out of it is cut off.
    Diameters are log-normal around `median_mm` with `spread`, within `smallest_mm` and `largest_mm`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(gt=0, le=1)
    label: int = Field(ge=1, le=255)
    within: int | None = Field(default=None, ge=1, le=255)
    tissue_hu: tuple[float, float] = (-2000.0, 4000.0)
    median_mm: float = Field(default=7.5, gt=0)
    spread: float = Field(default=0.55, ge=0)
    smallest_mm: float = Field(default=3.0, gt=0)
    largest_mm: float = Field(default=30.0, gt=0)
    roughness: tuple[float, float] = (0.04, 0.22)  # of the outline, as a share of the radius
    through_hu: float = Field(default=500.0, ge=0)  # denser tissue shows through up to this much: vessels, ribs
    densities: tuple[Density, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_an_organ(self) -> Self:
        if self.within == self.label:
            raise ValueError(f"a lesion of label {self.label} lies within an organ, which has another label")
        return self


def place_for(image: Image, labels: NDArray[np.uint8], channels: Sequence[Channel], settings: ImplantSettings,
              rng: np.random.Generator) -> tuple[int, int, int] | None:
    """A voxel (z, y, x) of a patch where a lesion may lie; None where there is none.

    HU are read from the first channel, whose window has to show them.
    """
    first = channels[0]
    hu = ndimage.uniform_filter(image[0], 3) * (first.high - first.low) + first.low
    low, high = settings.tissue_hu
    allowed = (hu >= low) & (hu <= high)
    allowed &= labels != settings.label if settings.within is None else labels == settings.within
    found = np.flatnonzero(allowed)
    if not found.size:
        return None
    z, y, x = np.unravel_index(int(found[rng.integers(found.size)]), labels.shape)
    return int(z), int(y), int(x)


def implant(image: Image, labels: NDArray[np.uint8], place: Sequence[int], channels: Sequence[Channel],
            spacing_mm: Sequence[float], settings: ImplantSettings, rng: np.random.Generator) -> bool:
    """Put a lesion around `place` (z, y, x) into a patch: image (channel, z, y, x), labels (z, y, x), both changed.

    False, and nothing changed, where another lesion is too near, the lesion would be less than a voxel, or less than
    half of it would lie within its organ.
    """
    diameter = np.clip(rng.lognormal(np.log(settings.median_mm), settings.spread), settings.smallest_mm,
                       settings.largest_mm)
    lump = draw_lump(Point(0, 0, 0), float(diameter) / 2, float(rng.uniform(*settings.roughness)), rng)
    offsets = _offsets(labels.shape, np.asarray(place) + rng.uniform(-0.5, 0.5, 3), spacing_mm)
    depth = lump.depth(offsets)
    width = float(np.mean(spacing_mm)) * float(rng.uniform(1.0, 1.6))
    cover = np.clip(depth / width + 0.5, 0, 1).astype(np.float32)
    whole = np.count_nonzero(cover >= 0.5)
    if settings.within is not None:
        cover *= labels == settings.within
    body = cover >= 0.5
    if not body.any() or 2 * np.count_nonzero(body) < whole or (labels[depth > -APART_MM] == settings.label).any():
        return False
    replaced = float(np.median(image[0][body])) * (channels[0].high - channels[0].low) + channels[0].low
    hu = _density(lump, depth, width, offsets, settings.densities, replaced, rng)
    for number, channel in enumerate(channels):
        tissue = ndimage.gaussian_filter(image[number], NOISE_SPREAD)
        noise = image[number] - tissue
        limit = NOISE_LIMIT * float(np.median(np.abs(noise)))
        np.clip(noise, -limit, limit, out=noise)
        shown = np.maximum(_shown(hu, channel), np.minimum(tissue, _shown(hu + settings.through_hu, channel)))
        image[number] += cover * (shown + noise - image[number])
    labels[body] = settings.label
    return True


def implant_many(hu: Image, labels: NDArray[np.uint8], count: int, spacing_mm: Sequence[float],
                 settings: ImplantSettings, rng: np.random.Generator) -> int:
    """Put up to `count` lesions into a whole CT of HU (z, y, x) with its labels, both changed; how many found room."""
    allowed = labels > 0 if settings.within is None else labels == settings.within
    box = bounding_box(allowed)
    if box is None:
        return 0
    part, marked = hu[box], labels[box]
    image = _shown(part, WHOLE)[None]
    before = image.copy()
    done = 0
    for _ in range(count * TRIES):
        place = place_for(image, marked, (WHOLE,), settings, rng) if done < count else None
        if place is None:
            break
        near = _around(place, marked.shape, settings.largest_mm + APART_MM, spacing_mm)
        inside = [at - side.start for at, side in zip(place, near, strict=True)]
        done += implant(image[:, *near], marked[near], inside, (WHOLE,), spacing_mm, settings, rng)
    changed = image[0] != before[0]  # the rest keeps what the window does not show
    part[changed] = image[0][changed] * (WHOLE.high - WHOLE.low) + WHOLE.low
    return done


def _around(place: Sequence[int], shape: Sequence[int], reach_mm: float, spacing_mm: Sequence[float]) -> Box:
    """The part of an array that lies no farther than `reach_mm` from a voxel along any axis."""
    steps = [math.ceil(reach_mm / step) for step in spacing_mm]
    z, y, x = (slice(max(0, at - step), min(size, at + step + 1))
               for at, step, size in zip(place, steps, shape, strict=True))
    return z, y, x


def _density(lump: Lump, depth: Array, width_mm: float, offsets: Offsets, densities: Sequence[Density],
             replaced_hu: float, rng: np.random.Generator) -> Image:
    """HU (z, y, x) of a lesion amid tissue of `replaced_hu`, mottled, with its core where it has one."""
    weights = np.array([one.weight for one in densities])
    chosen = densities[int(rng.choice(len(densities), p=weights / weights.sum()))]
    base = replaced_hu if chosen.relative else 0.0
    hu = base + rng.uniform(*chosen.hu) + float(rng.uniform(5, 30)) * Ripple(4.0, rng)(offsets)
    if chosen.core is not None and chosen.core_hu is not None:
        share = np.clip((depth - (1 - rng.uniform(*chosen.core)) * min(lump.radii)) / width_mm + 0.5, 0, 1)
        hu = hu + share * (base + rng.uniform(*chosen.core_hu) - hu)
    return np.asarray(hu, dtype=np.float32)


def _shown(hu: Image, channel: Channel) -> Image:
    """HU as a channel of a window shows them, 0..1."""
    return np.clip((hu - channel.low) / (channel.high - channel.low), 0, 1)


def _offsets(shape: Sequence[int], place: NDArray[np.float64], spacing_mm: Sequence[float]) -> Offsets:
    """(x, y, z) in mm from `place`, as open meshes."""
    z, y, x = (((np.arange(size) - at) * step).astype(np.float32)
               for size, at, step in zip(shape, place, spacing_mm, strict=True))
    return x[None, None, :], y[None, :, None], z[:, None, None]
