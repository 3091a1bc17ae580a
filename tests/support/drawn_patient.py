"""Patients to follow: a drawn abdomen that moves between scans, at three dates, and what befalls its lesions."""

from __future__ import annotations

import math
from datetime import date
from typing import NamedTuple

import numpy as np

from inference.phantom.abdomen import PORTAL, Abdomen
from inference.phantom.ct_canvas import STEP_MM, Box, Canvas, Point
from inference.phantom.trunk import Physique
from inference.transforms.geometry import resample
from inference.volume import Grid, Spacing, Volume, regular_affine

ALONG_LPS = np.eye(3)[:, ::-1]
PATIENT = Physique(125, 86, 16, 14, 170, bone_hu=0.7, muscle_hu=55, fat_hu=-102)  # bones below 600 HU
MIDDLE = np.array([0.0, 0.0, -100.0])  # of the drawn abdomen, LPS mm
DATES = (date(2026, 1, 10), date(2026, 4, 10), date(2026, 7, 9))  # 90 days apart
SHAPE = np.array([1.0, 1.06, 0.96])  # of every lesion's radii along x, y, z
LESION_HU, THRESHOLD_HU = 1260.0, 640.0  # halfway to soft tissue, above every bone
# Where lesions lie in the body (LPS mm), and their mean radii at the three dates; 0 is not there.
LESIONS = {
    "grows": ((-75, 10, -70), (13.0, 14.2, 16.0)),
    "shrinks": ((-35, -20, -105), (16.0, 14.5, 13.0)),
    "left twin": ((52, -28, -120), (13.0, 13.5, 14.0)),
    "right twin": ((83, -28, -120), (13.0, 13.5, 14.0)),  # 3 mm from the other in the end
    "still": ((80, 30, -60), (13.5, 13.5, 13.5)),
    "vanishes": ((-70, 20, -150), (14.0, 13.5, 0.0)),
    "appears": ((0, -45, -160), (0.0, 13.5, 15.0)),
}
# How the patient lies (degrees, mm), the field of view's low corner and size, and the spacing (z, y, x).
SCANS = (
    ((0, 0, 0), (0, 0, 0), (-165, -125, -215), (330, 250, 225), Spacing(1.25, 1.0, 1.0)),
    ((3, -2, 8), (15, -10, 12), (-145, -130, -200), (320, 250, 220), Spacing(1.0, 0.9, 0.9)),
    ((-4, 3, -6), (-30, 8, -15), (-190, -115, -215), (310, 235, 205), Spacing(1.25, 1.1, 1.1)),
)


class Visit(NamedTuple):
    volume: Volume
    motion: np.ndarray


def grid_of(low: tuple[float, float, float], size_mm: tuple[float, float, float], spacing: Spacing) -> Grid:
    """A grid along LPS from `low` (x, y, z) over `size_mm` (x, y, z)."""
    shape = tuple(int(size // step) for size, step in zip(size_mm[::-1], spacing, strict=True))
    return Grid(shape, regular_affine(low, ALONG_LPS, spacing))


def motion_of(degrees: tuple[float, float, float], shift: tuple[float, float, float],
            about: np.ndarray = MIDDLE) -> np.ndarray:
    matrix = np.eye(4)
    for (i, j), angle in zip(((1, 2), (0, 2), (0, 1)), np.radians(degrees), strict=True):
        turn = np.eye(4)
        turn[[i, j], [i, j]] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    matrix[:3, 3] = about + shift - matrix[:3, :3] @ about
    return matrix


def body_of(seed: int, physique: Physique) -> Volume:
    canvas = Canvas(Box(Point(-165, -125, -215), Point(165, 125, 10)), np.random.default_rng(seed))
    Abdomen(canvas, physique, PORTAL, prone=False).paint()
    low = (float(canvas.xs[0]), float(canvas.ys[0]), float(canvas.zs[0]))
    grid = Grid(canvas.shape, regular_affine(low, ALONG_LPS, Spacing(STEP_MM, STEP_MM, STEP_MM)))
    return Volume(canvas.hu, grid, "HU")


def scanned_by(body: Volume, moved: np.ndarray, grid: Grid) -> Volume:
    return resample(body, grid, fill=-1024.0 if body.units == "HU" else 0.0, motion=np.linalg.inv(moved))


def true_ml(name: str, visit: int) -> float:
    return 4 / 3 * math.pi * LESIONS[name][1][visit] ** 3 * float(SHAPE.prod()) / 1000


def add_lesions(image: np.ndarray, grid: Grid, motion: np.ndarray, visit: int) -> None:
    back = np.linalg.inv(motion)
    for centre, radii in LESIONS.values():
        radius = radii[visit]
        if not radius:
            continue
        reach = np.ceil(1.2 * radius / np.array(grid.spacing)).astype(int)
        middle = np.rint(grid.to_index(motion[:3, :3] @ centre + motion[:3, 3])).astype(int)
        box = tuple(slice(m - r, m + r + 1) for m, r in zip(middle, reach, strict=True))
        points = grid.to_lps(np.moveaxis(np.indices(2 * reach + 1), 0, -1) + middle - reach)
        offsets = (points @ back[:3, :3].T + back[:3, 3] - centre) / (radius * SHAPE)
        depth = (1 - np.linalg.norm(offsets, axis=-1)) * radius
        image[box] += np.clip(depth / grid.spacing.x + 0.5, 0, 1) * (LESION_HU - image[box])


def visit_of(number: int, body: Volume, noise_hu: float = 15.0) -> Visit:
    """The patient's scan at one of the three dates; `body` is the abdomen without lesions."""
    degrees, shift, low, size, spacing = SCANS[number]
    moved, grid = motion_of(degrees, shift), grid_of(low, size, spacing)
    image = np.array(scanned_by(body, moved, grid).array)
    add_lesions(image, grid, moved, number)
    image += noise_hu * np.random.default_rng(number).standard_normal(image.shape, dtype=np.float32)
    return Visit(Volume(image, grid, "HU"), moved)


def drawn_at(place: np.ndarray, motion: np.ndarray) -> str:
    """The name of the lesion that was drawn at a place (LPS mm) of a moved patient."""
    there = {name: motion[:3, :3] @ centre + motion[:3, 3] for name, (centre, _) in LESIONS.items()}
    name = min(there, key=lambda n: float(np.linalg.norm(there[n] - place)))
    assert np.linalg.norm(there[name] - place) < 1.0
    return name
