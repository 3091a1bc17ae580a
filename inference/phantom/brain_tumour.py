"""Gliomas: where they grow, what they push aside, and their necrosis, enhancing rim and oedema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.phantom.brain_anatomy import CANVAS_MM, Anatomy, Tissue, canvas_axes
from inference.phantom.shapes import Array, Box, Points, box_around, lumpy_ellipsoid, smooth_noise

NECROSIS, OEDEMA, ENHANCING = 1, 2, 3  # labels of BraTS 2023; tumour that does not enhance shares the label of necrosis
Label = NDArray[np.uint8]


class Focus(NamedTuple):
    """One tumour core: centre and radii in canonical mm (z, y, x); `push` is its mass effect, 0 none to 1 strong."""

    centre: NDArray[np.float64]
    radii: NDArray[np.float64]
    enhances: bool
    push: float
    bare: float = 0.5  # chance that no oedema is around it, where it does not enhance

    @property
    def radius(self) -> float:
        """Mean radius in mm."""
        return float(np.mean(self.radii))


@dataclass(frozen=True, eq=False)
class Tumour:
    """Truth labels (z, y, x) on the canvas, and where in them tissue is solid without enhancing, or a cyst."""

    labels: Label
    solid: NDArray[np.bool_]
    cyst: NDArray[np.bool_]


def plan_foci(rng: np.random.Generator, enhancing: float = 0.8, bare: float = 0.5) -> tuple[Focus, ...]:
    """Where tumours will grow: mostly one, in 15 % two to four, in 7 % none; `enhancing`: share whose tumours do.

    Of those that do not, the share `bare` has no oedema.
    """
    draw = rng.random()
    count = 0 if draw < 0.07 else int(rng.integers(2, 5)) if draw > 0.85 else 1
    enhances = rng.random() > 1 - enhancing
    foci = []
    for k in range(count):
        radius = rng.uniform(8, 30) if k == 0 else rng.uniform(5, 14)
        if not enhances:
            radius = max(radius, 10.0)
        radii = radius * rng.uniform(0.75, 1.25, 3)
        foci.append(Focus(_white_matter_point(radius, rng), radii, enhances, rng.uniform(0, 0.45), bare))
    return tuple(foci)


def _white_matter_point(radius: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A point in canonical mm inside the hemispheres' white matter, in 8 % inside the cerebellum's."""
    if rng.random() < 0.08 and radius < 18:
        return np.array([-42, 46, rng.choice([-1, 1]) * 24]) + rng.normal(0, 4, 3)
    while True:
        point = rng.uniform((-22, -64, -48), (48, 64, 48))
        shell = np.sqrt((((point - (8, 0, 0)) / (48, 70, 52)) ** 2).sum())
        temporal = point[0] < -6 and (abs(point[2]) < 24 or abs(point[1] + 10) > 30)
        if shell < 1 and abs(point[2]) > 11 and not temporal:
            return point


def push_aside(points: Points, foci: tuple[Focus, ...]) -> Points:
    """Coordinates seen through the mass effect: tissue moves away from each focus, fading out over about two radii."""
    mesh = canvas_axes()
    z, y, x = (p.copy() for p in points)
    for focus in foci:
        offsets = [m - np.float32(c) for m, c in zip(mesh, focus.centre, strict=True)]
        distance = np.sqrt(offsets[0] ** 2 + offsets[1] ** 2 + offsets[2] ** 2) + np.float32(1e-3)
        moved = np.minimum(focus.push * focus.radius, 0.7 * distance)
        moved = moved * np.exp(-np.clip(distance / focus.radius - 1, 0, None))
        shell = np.sqrt(((mesh[0] - 8) / 62) ** 2 + (mesh[1] / 85) ** 2 + (mesh[2] / 67) ** 2)
        moved *= np.clip((1 - shell) * 5, 0, 1) / distance  # the skull does not give way
        z, y, x = (p - moved * o for p, o in zip((z, y, x), offsets, strict=True))
    return z, y, x


def draw_tumour(anatomy: Anatomy, foci: tuple[Focus, ...], rng: np.random.Generator) -> Tumour:
    """Labels of every focus; cores keep inside the brain, oedema follows white matter and stops at CSF."""
    shape = anatomy.tissue.shape
    tumour = Tumour(np.zeros(shape, np.uint8), np.zeros(shape, bool), np.zeros(shape, bool))
    for focus in foci:
        reach = focus.radii.max() * 2.8 + 6
        box = box_around(canvas_axes(), focus.centre - reach, focus.centre + reach)
        _draw_focus(anatomy, focus, box, tumour, rng)
    return tumour


def outlined(tumour: Tumour, anatomy: Anatomy) -> Label:
    """Labels (z, y, x) as readers draw them: around all that shows, one voxel of the canvas further out, not into CSF.

    In FLAIR of two gliomas of TCGA, labelled for BraTS, 57 and 62 % of the contrast are left 1.1 mm inside of the
    border and 16 % as far outside of it. At the painted border a phantom has 75 and 40 %, at this one 60 and 30 %.
    """
    labels = tumour.labels.copy()
    free = (labels == 0) & (anatomy.depth > 0) & (anatomy.tissue != Tissue.CSF)
    for label, beside in ((NECROSIS, (NECROSIS,)), (OEDEMA, (OEDEMA, ENHANCING))):
        labels[ndimage.binary_dilation(np.isin(tumour.labels, beside)) & free] = label
    return labels


def _draw_focus(anatomy: Anatomy, focus: Focus, box: Box, tumour: Tumour, rng: np.random.Generator) -> None:
    axes = canvas_axes()
    points = (axes[0][box[0]], axes[1][:, box[1]], axes[2][:, :, box[2]])
    tissue, brain = anatomy.tissue[box], anatomy.depth[box] > 0.8
    noise = [smooth_noise(tissue.shape, max(6.0, focus.radius / CANVAS_MM), rng) for _ in range(3)]
    centre, radii = focus.centre, focus.radii
    core = (lumpy_ellipsoid(points, centre, radii, noise[0], 0.28) < 1) & brain
    within = radii * (1 - rng.uniform(0.12, 0.4))
    heart = centre + rng.normal(0, 0.1 * focus.radius, 3)
    necrotic = core & (lumpy_ellipsoid(points, heart, within, noise[1], 0.3) < 1)
    if rng.random() > 0.8 or focus.radius < 10:
        necrotic[:] = False
    enhancing = core & ~necrotic
    if not focus.enhances:
        enhancing[:] = False
    elif rng.random() < 0.2:  # patchy enhancement
        enhancing &= smooth_noise(tissue.shape, 8, rng) > -0.5
    swelling = lumpy_ellipsoid(points, centre, radii * rng.uniform(1.3, 2.6), noise[2], 0.36)
    oedema = _oedema(tissue, brain, core, swelling)
    if not focus.enhances and rng.random() < focus.bare:
        oedema[:] = False
    cyst = core & (lumpy_ellipsoid(points, centre, within * 0.8, noise[0], 0.2) < 1)
    if rng.random() > 0.1:
        cyst[:] = False
    enhancing &= ~cyst
    labels = tumour.labels[box]
    labels[oedema & (labels == 0)] = OEDEMA
    labels[core] = np.where(enhancing, ENHANCING, NECROSIS)[core]
    tumour.solid[box] |= core & ~enhancing & ~cyst & (~necrotic | (not focus.enhances))
    tumour.cyst[box] |= cyst


def _oedema(tissue: Label, brain: NDArray[np.bool_], core: NDArray[np.bool_], radius: Array) -> NDArray[np.bool_]:
    """Oedema that hangs together with the core: far along white matter, hardly into cortex, not into CSF."""
    white = ndimage.gaussian_filter(np.isin(tissue, (Tissue.WHITE, Tissue.GLIOSIS)).astype(np.float32), 0.8)
    fluid = ndimage.gaussian_filter((tissue == Tissue.CSF).astype(np.float32), 0.6)
    swollen = (radius < 0.55 + 0.6 * white - 0.8 * fluid) & brain & (tissue != Tissue.CSF) & ~core
    parts, _ = ndimage.label(swollen | core)
    held = np.unique(parts[core])
    return swollen & np.isin(parts, held[held > 0])
