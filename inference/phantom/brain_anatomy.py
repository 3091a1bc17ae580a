"""The head without disease: a tissue map drawn from ellipsoids, tubes and noise, on a cubic canvas.

Canonical millimetres (z up, y to the back, x to the left) about a point in the third ventricle.
Numbers are those of an average adult; every patient varies them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.phantom.shapes import Array, Points, box_around, ellipsoid, smooth_noise, tube

CANVAS_MM = 1.3
CANVAS_SHAPE = (152, 172, 136)
HEIGHT_MM = 12.0  # the canvas' centre lies this far below the third ventricle
REACH_MM = 14.0  # no structure moves further than this from its canonical place


class Tissue(IntEnum):
    """What a voxel of the canvas is made of."""

    AIR = 0
    FAT = 1
    SKIN = 2
    MUSCLE = 3
    BONE = 4
    MARROW = 5
    CSF = 6
    GREY = 7
    WHITE = 8
    DEEP_GREY = 9
    CEREBELLAR_CORTEX = 10
    BLOOD = 11
    MUCOSA = 12  # enhances without a tumour: mucosa, dura, choroid plexus, pituitary gland
    VITREOUS = 13
    GLIOSIS = 14  # white matter hyperintensity of age


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Tissue codes (z, y, x) on the canvas, and the depth in mm below the brain's smooth hull (negative outside)."""

    tissue: NDArray[np.uint8]
    depth: Array


def canvas_axes() -> Points:
    """The canvas' open-mesh coordinates in canonical mm."""
    z, y, x = ((np.arange(n) - (n - 1) / 2) * CANVAS_MM for n in CANVAS_SHAPE)
    return ((z - HEIGHT_MM).astype(np.float32)[:, None, None], y.astype(np.float32)[None, :, None],
            x.astype(np.float32)[None, None, :])


def draw_head(points: Points, rng: np.random.Generator) -> Anatomy:
    """Anatomy at `points`, canonical coordinates (z, y, x) in mm of every canvas voxel, warped as the patient is."""
    lobes, hull = _brain_surfaces(points)
    tissue = _outside(points, hull, rng)
    age = rng.uniform(0, 1)
    inside = hull > 0
    tissue[inside] = _cerebrum(points, lobes, age, rng)[inside]
    head = _Sketch(tissue, points, canvas_axes())
    _hindbrain(head, hull, rng)
    _basal_structures(head, age, rng)
    _vessels(head, hull, rng)
    return Anatomy(tissue, hull)


class _Sketch:
    """Paints small structures into the tissue map, each within a box around its canonical place."""

    def __init__(self, tissue: NDArray[np.uint8], points: Points, mesh: Points) -> None:
        self.tissue, self.points, self.mesh = tissue, points, mesh

    def blob(self, code: Tissue, centre: tuple[float, float, float], radii: tuple[float, float, float],
             over: tuple[Tissue, ...] = ()) -> None:
        """Paints an ellipsoid; where `over` is given, only onto these tissues."""
        reach = np.array(radii) + REACH_MM
        box = box_around(self.mesh, centre - reach, centre + reach)
        self._fill(code, box, ellipsoid([p[box] for p in self.points], centre, radii) < 1, over)

    def tube(self, code: Tissue, line: Sequence[tuple[float, float, float]], radii: Sequence[float],
             over: tuple[Tissue, ...] = (), rim: tuple[Tissue, float] | None = None) -> None:
        """Paints a tube; `rim` lines its outside with another tissue, so many mm thick, onto white matter."""
        reach = max(radii) + REACH_MM
        box = box_around(self.mesh, np.min(line, axis=0) - reach, np.max(line, axis=0) + reach)
        distance = tube([p[box] for p in self.points], line, radii)
        if rim is not None:
            self._fill(rim[0], box, distance < rim[1], (Tissue.WHITE,))
        self._fill(code, box, distance < 0, over)

    def _fill(self, code: Tissue, box: tuple[slice, slice, slice], where: NDArray[np.bool_],
              over: tuple[Tissue, ...]) -> None:
        view = self.tissue[box]
        if over:
            where = where & np.isin(view, over)
        view[where] = code


def _brain_surfaces(points: Points) -> tuple[Array, Array]:
    """Depth in mm below the surface of the cerebrum alone, and below the hull of the whole brain."""
    z, _, x = points
    main = (1 - ellipsoid(points, (8, 0, 0), (62, 85, 67))) * 66
    main = np.minimum(main, z + 17)
    temporal = (1 - ellipsoid((z, points[1], np.abs(x)), (-21, -10, 39), (24, 42, 25))) * 24
    lobes = np.maximum(main, temporal)
    cerebellum = (1 - ellipsoid(points, (-41, 44, 0), (25, 31, 51))) * 26
    stem = -tube(points, [(-5, 6, 0), (-36, 3, 0), (-110, 20, 0)], [14, 14, 8])
    return lobes, np.maximum(np.maximum(lobes, cerebellum), stem)


def _outside(points: Points, hull: Array, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Everything but the brain: CSF, skull with marrow, face, neck, skin, and the air around."""
    z, y, x = points
    shape = hull.shape
    gap, skull, scalp = rng.uniform(1.5, 5), rng.uniform(4, 8), rng.uniform(3, 9)
    face = (1 - ellipsoid(points, (-72, -32, 0), (62, 66, 58))) * 58
    neck = np.minimum((1 - np.hypot((y - 18) / 62, x / 58)) * 58, -30 - z)
    orbit = (1 - ellipsoid((z, y, np.abs(x)), (-33, -63, 31), (18, 24, 19))) * 18
    depth = np.maximum(np.maximum(hull + gap + skull + scalp, face), np.maximum(neck, orbit))
    lumps, sheets = smooth_noise(shape, 22, rng), smooth_noise(shape, 16, rng)
    tissue = np.full(shape, Tissue.MUSCLE, dtype=np.uint8)
    tissue[lumps > 0.4] = Tissue.FAT
    tissue[(np.abs(sheets) < 0.1) & (lumps < 0.2)] = Tissue.BONE
    tissue[(sheets > 1.5) & (y < 20)] = Tissue.MARROW
    air = (np.hypot((y + 60) / 1.6, x) < 14) & (z < -28) & (z > -75)
    tissue[air] = np.where(np.abs(sheets) < 0.35, Tissue.MUCOSA, Tissue.AIR)[air]
    for side in (-1, 1):
        sinus = ellipsoid((z, y, x - side * 27), (-58, -62, 0), (16, 15, 13))
        tissue[sinus < 1] = Tissue.AIR
        tissue[(sinus > 1 - rng.uniform(0.05, 0.3)) & (sinus < 1)] = Tissue.MUCOSA
        tissue[ellipsoid((z, y, x - side * 54), (-42, 22, 0), (13, 14, 10)) < 1] = Tissue.AIR
    tissue[depth < scalp] = np.where(lumps > 1.1, Tissue.MUSCLE, Tissue.FAT)[depth < scalp]
    shell = hull + gap + skull
    tissue[shell > 0] = Tissue.BONE
    diploe = (shell > 0.3 * skull) & (shell < 0.72 * skull) & (lumps > -1.0)
    tissue[diploe & (z > -20)] = Tissue.MARROW
    tissue[hull > -gap] = Tissue.CSF
    tissue[(hull > -gap - 1.2) & (hull < -gap)] = Tissue.MUCOSA if rng.random() < 0.5 else Tissue.BONE
    tissue[(orbit > 0) & (shell < 0)] = Tissue.FAT
    tissue[(depth > 0) & (depth < 1.8)] = Tissue.SKIN
    tissue[(ellipsoid((z, y, np.abs(x)), (-33, -72, 31), (12, 12, 12)) < 1) & (shell < 0)] = Tissue.VITREOUS
    tissue[depth <= 0] = Tissue.AIR
    return tissue


def _cerebrum(points: Points, lobes: Array, age: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Folded cortex over white matter: sulci are radial sheets where noise on the hemisphere's shell is zero."""
    z, y, x = points
    fissure = np.abs(x) - rng.uniform(0.5, 1.2) - age
    callosum = (1 - np.hypot((z - 3) / 24, (y + 2) / 47)) * 24
    depth = np.minimum(lobes, np.maximum(fissure, callosum))
    sylvian = np.abs(z + 6 - 0.3 * (y + 5)) - rng.uniform(0.6, 1.5) - age
    depth = np.minimum(depth, np.maximum(sylvian, np.maximum(33 - np.abs(x), np.abs(y + 2) - 34)))
    sulcus = _distance_to_sulci(points, depth, rng)
    cortex = np.minimum(depth, sulcus - rng.uniform(0.3, 0.8) - 0.7 * age)
    tissue = np.full(depth.shape, Tissue.WHITE, dtype=np.uint8)
    tissue[cortex < rng.uniform(2.7, 3.4)] = Tissue.GREY
    tissue[cortex < 0] = Tissue.CSF
    return tissue


def _distance_to_sulci(points: Points, depth: Array, rng: np.random.Generator) -> Array:
    """Distance in mm to the nearest sulcus; sulci end 5 to 22 mm below the surface."""
    spacing, wavelength = 2.0, rng.uniform(19, 26)
    shape = (100, 110, 90)
    folds = smooth_noise(shape, wavelength / spacing, rng)
    slope = np.sqrt(sum(g**2 for g in np.gradient(folds, spacing)))
    sheets = folds / np.maximum(ndimage.gaussian_filter(slope, 2), 0.03)
    z, y, x = points
    radius = np.sqrt((z - 8) ** 2 + y**2 + x**2) + 1e-3
    pull = (52 + 0.3 * radius) / radius  # towards one shell, so that sulci run inwards
    bends = [rng.uniform(1.5, 3.5) * smooth_noise(depth.shape, 14 / CANVAS_MM, rng) for _ in range(3)]
    where = [((p * pull + b) / spacing + n / 2).ravel() for p, b, n in zip((z - 8, y, x), bends, shape, strict=True)]
    distance = np.abs(ndimage.map_coordinates(sheets, where, order=1, mode="mirror").reshape(radius.shape))
    distance *= np.clip(1 / pull, 0.4, 1.4)
    limit = 11 + 4 * smooth_noise(depth.shape, 30, rng)
    return np.asarray(np.hypot(distance, np.clip(depth - np.clip(limit, 5, 22), 0, None)), dtype=np.float32)


def _hindbrain(head: _Sketch, hull: Array, rng: np.random.Generator) -> None:
    """Cerebellum with folia, brain stem, and the cisterns between them and the cerebrum."""
    points, tissue = head.points, head.tissue
    z, y, x = points
    cerebellum = (1 - ellipsoid(points, (-41, 44, 0), (25, 31, 51))) * 26
    low = (hull > 0) & (z < -17 - 0.1 * y) & (y > 8) & (cerebellum > -4)
    tissue[low & (cerebellum < 0.5)] = Tissue.CSF
    tissue[low & (cerebellum < -1.5) & (np.abs(x) > 14)] = Tissue.GREY
    folia = np.sin(2 * np.pi * (cerebellum + 1.5 * smooth_noise(hull.shape, 18, rng)) / rng.uniform(5, 7))
    body = low & (cerebellum >= 0.5)
    tissue[body] = np.where(folia > 0.93, Tissue.CSF, Tissue.CEREBELLAR_CORTEX)[body]
    tissue[body & (cerebellum > 10 + 3 * folia) & (np.abs(x) > 5)] = Tissue.WHITE
    head.tube(Tissue.CSF, [(-10, 6, 0), (-36, 3, 0), (-110, 20, 0)], [17, 17, 10],
              over=(Tissue.GREY, Tissue.WHITE, Tissue.BONE, Tissue.MUSCLE, Tissue.FAT, Tissue.MARROW))
    head.tube(Tissue.WHITE, [(-2, 6, 0), (-12, 5, 0), (-28, 0, 0), (-38, 2, 0), (-110, 20, 0)], [13, 13, 15, 12, 6])
    head.blob(Tissue.CSF, (-34, 19, 0), (13, 4, rng.uniform(4, 8)))


def _basal_structures(head: _Sketch, age: float, rng: np.random.Generator) -> None:
    """Deep grey nuclei, ventricles with choroid plexus, pituitary gland, white matter hyperintensities."""
    widen = rng.uniform(0.5, 1.1) + 0.8 * age
    caps = rng.uniform(0, 1.5) + rng.uniform(0, 4) * age
    for side in (-1, 1):
        head.blob(Tissue.DEEP_GREY, (2, 6, side * 11), (9, 14, 9))
        head.blob(Tissue.DEEP_GREY, (0, -8, side * 25), (10, 18, 7))
        head.blob(Tissue.WHITE, (1, -6, side * 18), (13, 20, 2))
        head.blob(Tissue.DEEP_GREY, (9, -22, side * 15), (9, 12, 6))
        low = rng.uniform(0.8, 1.2)
        body = [(6, -36, side * 12), (16, -22, side * 10), (22, 4, side * 10), (14, 28, side * 20), (8, 50, side * 23)]
        radii = [r * widen * low for r in (4.0, 5.0, 4.5, 7.0, 2.5)]
        head.tube(Tissue.CSF, body, radii, rim=(Tissue.GLIOSIS, caps))
        head.tube(Tissue.CSF, [(14, 28, side * 20), (-8, 18, side * 33), (-20, -8, side * 33)],
                  [6 * widen, 3 * widen, 2 * widen])
        head.blob(Tissue.MUCOSA, (13, 27, side * 20), (3 + 2 * rng.random(), 6, 3), over=(Tissue.CSF,))
    head.blob(Tissue.CSF, (0, 2, 0), (9, 14, 1.2 + 2 * age))
    head.blob(Tissue.CSF, (-18, -22, 0), (7, 12, 14))
    head.blob(Tissue.MUCOSA, (-30, -24, 0), (5, 5, 7))
    for _ in range(rng.poisson(1 + 14 * age)):
        centre = (rng.uniform(0, 42), rng.uniform(-50, 55), rng.choice([-1, 1]) * rng.uniform(12, 42))
        head.blob(Tissue.GLIOSIS, centre, tuple(rng.uniform(1.2, 5, 3)), over=(Tissue.WHITE,))


def _vessels(head: _Sketch, hull: Array, rng: np.random.Generator) -> None:
    """Venous sinuses on the hull, falx, cerebral arteries, and cortical veins in the sulci."""
    z, y, x = head.points
    tissue = head.tissue
    falx = (np.abs(x) < 0.8) & (tissue == Tissue.CSF) & (z > 15)
    tissue[falx] = Tissue.MUCOSA
    rind = (hull < 2) & (hull > -5)
    tissue[rind & (np.abs(x) < 4.5) & ((z > 20) | (y > 50)) & (z > -8)] = Tissue.BLOOD
    for side in (-1, 1):
        transverse = [(-12, 82, side * 3), (-14, 66, side * 38), (-18, 44, side * 56), (-26, 24, side * 58)]
        head.tube(Tissue.BLOOD, transverse, [3.5, 3.5, rng.uniform(1.5, 4), 3])
        carotid = [(-60, 2, side * 26), (-34, -4, side * 20), (-26, -18, side * 13), (-16, -16, side * 13)]
        head.tube(Tissue.BLOOD, carotid, [3, 3, 2.5, 2])
        middle = [(-16, -16, side * 13), (-14, -14, side * 26), (-8, -8, side * 36), (0, 6, side * 44)]
        head.tube(Tissue.BLOOD, middle, [1.8, 1.6, 1.4, 1.2])
        head.tube(Tissue.BLOOD, [(-16, -18, side * 10), (-8, -30, 0), (10, -44, 0), (28, -30, 0)], [1.3] * 4)
    head.tube(Tissue.BLOOD, [(-40, -14, 0), (-18, -9, 0)], [2.2, 1.8])
    veins = smooth_noise(hull.shape, 18, rng)
    tissue[(tissue == Tissue.CSF) & (hull < 16) & (hull > -1) & (z > -20) & (np.abs(veins) < 0.07)] = Tissue.BLOOD
