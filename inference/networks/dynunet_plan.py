"""Kernels and strides that nnU-Net's rules derive from a patch and its spacing (Isensee et al. 2021, supplement)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LEAST = 4  # voxels that an axis keeps on the coarsest grid
LEAST_ALONE = 6  # where no other axis is halved with it, before halving: twice this


@dataclass(frozen=True)
class Plan:
    """Kernel and stride of each level, finest first, along each axis."""

    kernels: tuple[tuple[int, ...], ...]
    strides: tuple[tuple[int, ...], ...]


def plan(patch: Sequence[int], spacing: Sequence[float]) -> Plan:
    """The plan for a patch in voxels of `spacing` mm, both ([z,] y, x).

    A level halves the axes that keep `LEAST` voxels and whose spacing is less than twice the finest of these. Along
    an axis the kernel is 3 from the level on whose spacing is less than twice the finest, and 1 before; at the bottom
    it is 3. ValueError where the patch is no multiple of what halving asks for.
    """
    if len(patch) != len(spacing) or len(patch) not in (2, 3):
        raise ValueError(f"a patch and its spacing have 2 or 3 axes, not {len(patch)} and {len(spacing)}")
    sizes, steps, axes = list(patch), list(spacing), range(len(patch))
    kernels, strides = [], [(1,) * len(patch)]
    kernel = [1] * len(patch)
    while halved := _halved(sizes, steps):
        kernel = [3 if kernel[axis] == 3 or steps[axis] < 2 * min(steps) else 1 for axis in axes]
        kernels.append(tuple(kernel))
        strides.append(tuple(2 if axis in halved else 1 for axis in axes))
        for axis in halved:
            sizes[axis], steps[axis] = -(-sizes[axis] // 2), 2 * steps[axis]
    kernels.append((3,) * len(patch))
    for size, divisor in zip(patch, divisors(strides), strict=True):
        if size % divisor:
            raise ValueError(f"an axis of {size} voxels is halved to 1/{divisor}: take a patch of "
                             f"{size // divisor * divisor} or {-(-size // divisor) * divisor}")
    return Plan(tuple(kernels), tuple(strides))


def divisors(strides: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """What each axis of the input must be a multiple of: the product of its strides."""
    found = [1] * len(strides[0])
    for stride in strides:
        found = [product * step for product, step in zip(found, stride, strict=True)]
    return tuple(found)


def _halved(sizes: Sequence[int], steps: Sequence[float]) -> list[int]:
    """Axes that the next level halves."""
    able = [axis for axis, size in enumerate(sizes) if size >= 2 * LEAST]
    halved = [axis for axis in able if steps[axis] < 2 * min(steps[other] for other in able)]
    alone = len(halved) == 1 and sizes[halved[0]] < 2 * LEAST_ALONE
    return [] if alone else halved
