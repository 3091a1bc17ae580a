"""Patches varied: flips, rotation, scaling, elastic deformation (paper Table 2), blur, brightness, gamma, noise."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional

from inference.training.config import AugmentSettings

ELASTIC_GRID = 4  # control points along an axis of a patch


def augment(image: torch.Tensor, labels: torch.Tensor, settings: AugmentSettings,
            rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A varied copy of a patch: image (channel, z, y, x) float32, labels (z, y, x) uint8, both on one device."""
    for axis in settings.flip_axes:
        if rng.random() < 0.5:
            image, labels = image.flip(axis + 1), labels.flip(axis)
    if rng.random() < settings.deform_share:
        image, labels = _deform(image, labels, settings, rng)
    if settings.blur_share and rng.random() < settings.blur_share:
        image = _coarse(image, float(rng.uniform(1, settings.blur_factor)))
    if settings.label_offset:
        image = _relit(image, labels, settings.label_offset, rng)
    return _recolour(image, settings, rng), labels


def _deform(image: torch.Tensor, labels: torch.Tensor, settings: AugmentSettings,
            rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    shape = image.shape[1:]
    angles = rng.uniform(-1, 1, 3) * math.radians(settings.rotation_deg)
    if shape[0] == 1:  # a single plane stays in itself
        angles[:2] = 0
    turn = _rotation(angles)
    turn *= 1 + rng.uniform(-settings.scaling, settings.scaling)
    theta = _like(np.concatenate([turn, np.zeros((3, 1))], axis=1), image)[None]
    grid = functional.affine_grid(theta, [1, 1, *shape], align_corners=False)
    if settings.elastic_voxels:
        control = rng.normal(0, settings.elastic_voxels, (1, 3, ELASTIC_GRID, ELASTIC_GRID, ELASTIC_GRID))
        bend = functional.interpolate(_like(control, image), size=shape, mode="trilinear")
        grid = grid + bend.permute(0, 2, 3, 4, 1) * (2 / max(shape))
    if shape[0] == 1:
        grid[..., 2] = 0
    bent = functional.grid_sample(image[None], grid, padding_mode="border", align_corners=False)[0]
    named = labels[None, None].float()
    moved = functional.grid_sample(named, grid, mode="nearest", padding_mode="border", align_corners=False)[0, 0]
    return bent, moved.to(torch.uint8)


def _coarse(image: torch.Tensor, factor: float) -> torch.Tensor:
    """As a scan of voxels that are `factor` times as large shows it; along z only where there are several planes."""
    shape = image.shape[1:]
    small = [size if size == 1 else max(2, round(size / factor)) for size in shape]
    seen = functional.interpolate(image[None], size=small, mode="area")
    return functional.interpolate(seen, size=shape, mode="trilinear", align_corners=False)[0]


def _relit(image: torch.Tensor, labels: torch.Tensor, most: float, rng: np.random.Generator) -> torch.Tensor:
    """Every label's tissue brighter or darker, with a soft border: which is the brighter one is nothing to rely on."""
    image = image.clone()
    for label in torch.unique(labels[labels > 0]).tolist():
        tissue = (labels == label).to(image)[None, None]
        soft = functional.avg_pool3d(tissue, 3, stride=1, padding=1, count_include_pad=False)[0]
        image += soft * _like(rng.uniform(-most, most, (image.shape[0], 1, 1, 1)), image)
    return image


def _rotation(angles: np.ndarray) -> np.ndarray:
    """Rotation about x, then y, then z, angles in radians; 3x3."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def _recolour(image: torch.Tensor, settings: AugmentSettings, rng: np.random.Generator) -> torch.Tensor:
    """Each channel with its own contrast; noise over all."""
    channels = image.shape[0]
    gain = _like(rng.uniform(1 - settings.gain, 1 + settings.gain, (channels, 1, 1, 1)), image)
    offset = _like(rng.uniform(-settings.offset, settings.offset, (channels, 1, 1, 1)), image)
    image = image * gain + offset
    if settings.gamma and rng.random() < 0.5:
        low, high = image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True)
        exponent = float(np.exp(rng.uniform(-settings.gamma, settings.gamma)))
        image = ((image - low) / (high - low + 1e-6)) ** exponent * (high - low) + low
    if settings.noise and rng.random() < 0.5:
        chance = torch.Generator(image.device).manual_seed(int(rng.integers(2**63)))
        noise = torch.randn(image.shape, generator=chance, device=image.device)
        image = image + noise * float(rng.uniform(0, settings.noise))
    return image


def _like(values: np.ndarray, image: torch.Tensor) -> torch.Tensor:
    """Numbers as a tensor of the image's type, where the image is."""
    return torch.from_numpy(values).to(image)
