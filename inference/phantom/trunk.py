"""The trunk that chest and abdomen share: skin, fat, muscle, spine, ribs, diaphragm and the couch below."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from inference.phantom.ct_canvas import Array, Canvas, Point, cut, ellipse_depth, join

_RIB_PITCH_MM = 29.0


@dataclass(frozen=True)
class Physique:
    """A patient's build: half-width and half-depth of the chest wall's inside, layers outside it, in mm."""

    half_width: float
    half_depth: float
    muscle: float
    fat: float
    apex_mm: float  # height of the lungs' tops above the dome of the diaphragm
    bone_hu: float
    muscle_hu: float
    fat_hu: float

    @property
    def width_mm(self) -> float:
        """Outer width of the trunk."""
        return 2 * (self.half_width + self.muscle + self.fat)


def draw_physique(rng: np.random.Generator) -> Physique:
    """A build by chance: slim to heavy, young to old bones."""
    return Physique(half_width=float(rng.uniform(112, 138)), half_depth=float(rng.uniform(74, 98)),
                    muscle=float(rng.uniform(13, 20)), fat=float(rng.gamma(3.0, 5.0) + 4) % 42,
                    apex_mm=float(rng.uniform(150, 195)), bone_hu=float(rng.uniform(0.7, 1.25)),
                    muscle_hu=float(rng.normal(55, 8)), fat_hu=float(rng.normal(-102, 8)))


class Trunk:
    """Depth fields of the trunk's large parts on one canvas, and the strokes that paint them."""

    def __init__(self, canvas: Canvas, physique: Physique, *, prone: bool) -> None:
        self.canvas = canvas
        self.physique = physique
        self.down = -1.0 if prone else 1.0  # which way along y things fall, and where the couch is
        self.spine_y = 0.52 * physique.half_depth
        self.dome_drop = float(canvas.rng.uniform(6, 18))  # the left dome stands lower than the right
        self.dome_curve = float(canvas.rng.uniform(110, 160))

    @cached_property
    def hull(self) -> Array:
        """Inside of the chest and belly wall: two lobes beside the spine and one in front, rounded to an apex."""
        c, p = self.canvas, self.physique
        above = np.clip((c.z - 30) / (p.apex_mm - 30), 0, 0.999)
        scale = np.sqrt(1 - above**2.6, dtype=np.float32)
        side_x, side_r = 0.46 * p.half_width, 0.54 * p.half_width
        u, v = np.abs(c.x) / scale, c.y / scale
        sides = ellipse_depth(u - side_x, v - 6, side_r, p.half_depth)
        front = ellipse_depth(u, v + 14, 0.8 * p.half_width, p.half_depth - 6)
        depth = join(sides, front, 12.0) * scale
        return np.where(c.z > p.apex_mm, np.minimum(depth, p.apex_mm - c.z), depth)

    @cached_property
    def skin(self) -> Array:
        """The body's surface; an outer ellipse keeps back and shoulders round."""
        p = self.physique
        layers = p.muscle + p.fat
        outer = self.canvas.column(0, 6, p.half_width + layers, p.half_depth + layers)
        return join(np.maximum(self.hull, -60) + layers, outer, 10.0)

    @cached_property
    def above_diaphragm(self) -> Array:
        """Height in mm above the two domes, corrected for their slope."""
        c = self.canvas

        def dome(centre_x: float, top: float) -> Array:
            r2 = (c.x - centre_x) ** 2 + 0.8 * (c.y - 2) ** 2
            return np.asarray(top - r2 / self.dome_curve)

        tops = np.maximum(dome(-66, 0.0), dome(68, -self.dome_drop))
        return np.asarray((c.z - tops) / 1.25, dtype=np.float32)

    @cached_property
    def spine(self) -> Array:
        """The vertebral bodies' outline."""
        return self.canvas.column(0, self.spine_y, 21, 17)

    def paint_wall(self) -> None:
        """Skin, fat and muscle; everything inside the hull begins as fat."""
        c, p = self.canvas, self.physique
        c.paint(self.skin, p.fat_hu + 6 * c.noise(25))
        back = join(self._beside(34, 44, 26, 20), self._beside(62, 36, 24, 13), 6)
        wall = join(self.hull + p.muscle, np.minimum(back, self.skin - 5), 5)
        strands = c.noise(14)
        wall_hu = np.where(strands > 1.1, p.muscle_hu - 60, p.muscle_hu) + 5 * strands
        c.paint(np.minimum(wall, self.skin - 2), wall_hu)
        c.paint(self.hull, p.fat_hu + 5 * c.noise(25))
        c.paint(cut(self.skin, self.skin - 2), 20.0)

    def _beside(self, x: float, behind: float, radius_x: float, radius_y: float) -> Array:
        c = self.canvas
        return ellipse_depth(np.abs(c.x) - x, c.y - self.spine_y - behind, radius_x, radius_y)

    def paint_spine(self) -> None:
        """Vertebrae with cortex, marrow, discs, canal and processes."""
        c, hard = self.canvas, self.physique.bone_hu
        phase = np.mod(c.z + 7, 31.0) - 15.5
        disc = 4.0 - np.abs(phase)
        processes = join(c.column(0, self.spine_y + 44, 4, 17), self._beside(24, 22, 20, 5), 3)
        processes = np.minimum(processes, 8 - np.abs(phase - 6))
        arch = cut(c.column(0, self.spine_y + 25, 17, 15), c.column(0, self.spine_y + 25, 10, 10))
        c.paint(join(processes, arch, 2), 480 * hard)
        c.paint(self.spine, 620 * hard)
        c.paint(self.spine - 2.5, 210 * hard + 35 * c.noise(10))
        c.paint(np.minimum(self.spine - 0.5, disc), 85.0)
        c.paint(c.column(0, self.spine_y + 25, 9, 8), 28.0)

    def paint_ribs(self) -> None:
        """Ribs that run down and forward in the wall, cartilage in front, and the breastbone."""
        c, p = self.canvas, self.physique
        angle = np.arctan2(np.abs(c.x), c.y - 0.2 * p.half_depth).astype(np.float32)
        along = np.mod(c.z + 0.62 * p.half_width * angle, _RIB_PITCH_MM) - _RIB_PITCH_MM / 2
        shell = 4.5 - np.abs(self.hull + 6.5)
        rib = np.minimum(shell, 5.5 - np.abs(along))
        rib = np.minimum(rib, (2.75 + np.minimum(c.z, 0) * 0.011 - angle) * 60)
        rib = np.minimum(rib, p.apex_mm + 8 - c.z)
        cartilage = np.clip((angle - 2.2) / 0.1, 0, 1)
        c.paint(rib, 720 * p.bone_hu * (1 - cartilage) + 115 * cartilage)
        c.paint(rib - 2.2, 230 * p.bone_hu * (1 - cartilage) + 105 * cartilage)
        sternum = c.ellipsoid(Point(0, -p.half_depth - 2, 85), Point(17, 6, 75))
        c.paint(sternum, 420 * p.bone_hu)
        c.paint(sternum - 2, 160 * p.bone_hu)

    def paint_shoulder_blades(self) -> None:
        """Two thin blades behind the upper ribs."""
        c, p = self.canvas, self.physique
        slope = c.y - 0.62 * p.half_depth + 0.55 * (np.abs(c.x) - 0.72 * p.half_width)
        blade = np.minimum(4.0 - np.abs(slope), self.skin - 8)
        blade = np.minimum(blade, ellipse_depth(np.abs(c.x) - 0.78 * p.half_width, c.z - 135, 38, 55))
        c.paint(np.minimum(blade, -self.hull - 9), 520 * p.bone_hu)

    def paint_couch(self) -> None:
        """The scanner's couch below the patient: a shell of carbon fibre around foam."""
        c, p = self.canvas, self.physique
        back = p.half_depth + p.muscle + p.fat + 10 * self.down
        x, y = c.xs[None, None, :], self.down * c.ys[None, :, None]
        inside = (11.0 - np.abs(y - back - 13 + 0.0005 * x**2) + 0 * c.z).astype(np.float32)
        c.paint(np.minimum(inside, -self.skin - 2), 40.0)
        c.paint(np.minimum(inside - 2.5, -self.skin - 4), -870.0)

    def paint_lungs(self, hu: Array | float) -> Array:
        """Air-filled lung above the diaphragm beside the mediastinum; returns its depth field."""
        c, p = self.canvas, self.physique
        high = np.clip((c.z - 20) / 110, 0, 1)
        lung = np.minimum(self.hull - 1.5, self.above_diaphragm - 2.5)
        middle = ellipse_depth(c.x - 3, c.y + 6, 30 - 8 * high, p.half_depth + 10)
        lung = cut(lung, join(middle, self.spine + 5, 6), 4)
        heart = c.ellipsoid(Point(16, -0.32 * p.half_depth, 26), Point(58, 47, 50))
        lung = cut(lung, heart + 4, 4)
        c.paint(lung, hu)
        c.paint(np.minimum(heart, -lung - 1), self.heart_hu)
        return lung

    heart_hu: float = 110.0

    def paint_diaphragm(self) -> None:
        """The muscle sheet between lungs and belly."""
        sheet = np.minimum(2.0 - np.abs(self.above_diaphragm), self.hull)
        self.canvas.paint(sheet, self.physique.muscle_hu)
