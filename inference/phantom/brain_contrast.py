"""How tissues and tumours look in the four contrasts of a glioma protocol, and how far that varies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.phantom.brain_anatomy import Anatomy, Tissue
from inference.phantom.brain_tumour import ENHANCING, NECROSIS, OEDEMA, Tumour
from inference.phantom.shapes import Array, smooth_noise

CONTRASTS = ("T1", "T1ce", "T2", "FLAIR")


class Look(NamedTuple):
    """Relative signal in each contrast, in the order of `CONTRASTS`."""

    t1: float
    t1ce: float
    t2: float
    flair: float


TISSUE_SIGNAL: dict[Tissue, Look] = {
    Tissue.AIR: Look(0.0, 0.0, 0.0, 0.0),
    Tissue.FAT: Look(1.20, 1.25, 0.90, 0.95),
    Tissue.SKIN: Look(0.60, 0.75, 0.50, 0.55),
    Tissue.MUSCLE: Look(0.50, 0.62, 0.28, 0.38),
    Tissue.BONE: Look(0.06, 0.07, 0.05, 0.05),
    Tissue.MARROW: Look(0.80, 0.90, 0.50, 0.55),
    Tissue.CSF: Look(0.15, 0.15, 1.00, 0.12),
    Tissue.GREY: Look(0.55, 0.57, 0.60, 0.62),
    Tissue.WHITE: Look(0.80, 0.78, 0.42, 0.48),
    Tissue.DEEP_GREY: Look(0.63, 0.65, 0.50, 0.56),
    Tissue.CEREBELLAR_CORTEX: Look(0.60, 0.62, 0.58, 0.58),
    Tissue.BLOOD: Look(0.22, 1.20, 0.10, 0.18),
    Tissue.MUCOSA: Look(0.50, 1.00, 0.70, 0.70),
    Tissue.VITREOUS: Look(0.20, 0.20, 1.05, 0.16),
    Tissue.GLIOSIS: Look(0.64, 0.64, 0.74, 0.86),
}
NECROTIC_LOOK = Look(0.30, 0.28, 0.85, 0.45)
SOLID_LOOK = Look(0.44, 0.47, 0.78, 0.76)  # tumour that does not enhance
OEDEMA_LOOK = Look(0.45, 0.45, 0.85, 0.95)
ENHANCING_LOOK = Look(0.50, 1.10, 0.62, 0.75)


class Texture(NamedTuple):
    """Unit noise shared by the four contrasts of a patient: fine and coarse, and how soft and faint its oedema is."""

    fine: Array
    coarse: Array
    oedema_blur: float
    fading: float = 0.0  # of oedema away from the core: 0 it ends sharply, 1 in nothing


def patient_texture(shape: tuple[int, int, int], rng: np.random.Generator) -> Texture:
    """One patient's noise fields on the canvas."""
    return Texture(smooth_noise(shape, 5, rng), smooth_noise(shape, 24, rng), rng.uniform(0.8, 2.0))


def render(contrast: str, anatomy: Anatomy, tumour: Tumour, texture: Texture, rng: np.random.Generator) -> Array:
    """The canvas' signal (z, y, x) in one contrast, white matter of T1 being about 0.8."""
    column = CONTRASTS.index(contrast)
    signal = _tissue_table(contrast, rng)[anatomy.tissue]
    signal *= 1 + 0.03 * texture.fine
    grey_or_white = (anatomy.tissue >= Tissue.GREY) & (anatomy.tissue <= Tissue.CEREBELLAR_CORTEX)
    signal *= 1 + rng.uniform(0, 0.07) * np.tanh(2 * texture.coarse) * grey_or_white  # sub-clusters of grey and white
    if contrast == "FLAIR":  # CSF that pulsates is not fully suppressed
        pulsation = rng.uniform(0, 0.25) * np.clip(texture.coarse - 0.8, 0, 2)
        signal += pulsation * (anatomy.tissue == Tissue.CSF)
    signal = ndimage.gaussian_filter(signal, 0.45)
    return _overlay(signal, tumour, texture, column, rng)


def _jitter(value: float, rng: np.random.Generator) -> float:
    return max(0.0, value * rng.normal(1, 0.10) + rng.normal(0, 0.03))


def _tissue_table(contrast: str, rng: np.random.Generator) -> Array:
    column = CONTRASTS.index(contrast)
    table = np.array([_jitter(TISSUE_SIGNAL[t][column], rng) for t in Tissue], dtype=np.float32)
    table[Tissue.AIR] = 0.0
    if contrast != "T1ce":
        if rng.random() < 0.3:  # fat saturation
            table[Tissue.FAT] *= 0.35
            table[Tissue.MARROW] *= 0.5
        if rng.random() < 0.3:  # slow flow is bright before contrast, too
            table[Tissue.BLOOD] = rng.uniform(0.3, 0.9)
    return table


def _overlay(signal: Array, tumour: Tumour, texture: Texture, column: int, rng: np.random.Generator) -> Array:
    """Tumour parts with soft edges over the healthy signal."""
    labels = tumour.labels
    inside = ndimage.find_objects((labels > 0).astype(np.uint8))
    if not inside:
        return signal
    box = tuple(slice(max(0, s.start - 6), s.stop + 6) for s in inside[0])
    labels, solid, cyst, view = labels[box], tumour.solid[box], tumour.cyst[box], signal[box]
    parts = ((labels == OEDEMA, OEDEMA_LOOK, texture.oedema_blur, 0.06),
             ((labels == NECROSIS) & ~solid & ~cyst, NECROTIC_LOOK, 0.6, 0.12),
             ((labels == NECROSIS) & solid, SOLID_LOOK, 0.9, 0.10),
             (labels == ENHANCING, ENHANCING_LOOK, 0.5, 0.15),
             (cyst, TISSUE_SIGNAL[Tissue.CSF], 0.6, 0.05))
    total = np.zeros(view.shape, dtype=np.float32)
    painted = np.zeros(view.shape, dtype=np.float32)
    noise = texture.coarse[box] * 0.5 + texture.fine[box] * 0.8
    for where, look, blur, grain in parts:
        value = _jitter(look[column], rng)
        if not where.any():
            continue
        weight = ndimage.gaussian_filter(where.astype(np.float32), blur)
        if look is OEDEMA_LOOK and texture.fading:
            weight *= 1 - texture.fading * _way_out(labels)
        painted += weight * value * (1 + grain * noise)
        total += weight
    view[:] = view * (1 - np.clip(total, 0, 1)) + painted / np.maximum(total, 1)
    return signal


def _way_out(labels: NDArray[np.uint8]) -> Array:
    """How far a voxel of oedema lies out from the core, 0 beside it, 1 where oedema is farthest."""
    outside = ~np.isin(labels, (NECROSIS, ENHANCING))
    distance = ndimage.distance_transform_edt(outside).astype(np.float32)
    return np.minimum(distance / max(1.0, float(distance[labels == OEDEMA].max())), 1)
