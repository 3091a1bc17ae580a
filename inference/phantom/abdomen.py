"""Contrast-enhanced CT of a procedural abdomen with liver tumours (task `liver_tumour`).

Truth: 1 liver, 2 liver tumour. Attenuations follow the phase; hollow organs, spleen, kidneys and muscle share
the liver's and the tumours' HU on purpose, so that no threshold finds either.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from inference.phantom.ct_canvas import Array, Canvas, Inside, Point, cut, join, largest_part
from inference.phantom.ct_tubes import Growth, Segment, grow
from inference.phantom.trunk import Physique, Trunk


class Phase(NamedTuple):
    """Attenuation of the organs in one contrast phase, HU."""

    name: str
    liver: float
    spleen: float
    kidney: float
    medulla: float
    aorta: float
    portal: float
    soft: float  # walls of hollow organs, pancreas


PORTAL = Phase("portal venous", liver=110, spleen=120, kidney=180, medulla=165, aorta=150, portal=158, soft=88)
ARTERIAL = Phase("arterial", liver=76, spleen=118, kidney=190, medulla=95, aorta=300, portal=95, soft=80)
NATIVE = Phase("native", liver=56, spleen=48, kidney=34, medulla=30, aorta=41, portal=40, soft=42)


def draw_phase(rng: np.random.Generator) -> Phase:
    """Mostly portal venous; each attenuation its own by some 10 %, and one liver in seven fatty."""
    nominal = (PORTAL, ARTERIAL, NATIVE)[rng.choice(3, p=(0.8, 0.12, 0.08))]
    values = np.array(nominal[1:]) * rng.normal(1.0, 0.09, 7)
    phase = Phase(nominal.name, *(float(v) for v in values))
    return phase._replace(liver=phase.liver - float(rng.uniform(15, 45))) if rng.random() < 0.14 else phase


class Abdomen:
    """The belly's organs on one canvas: depth fields first, then strokes from the back to the front."""

    def __init__(self, canvas: Canvas, physique: Physique, phase: Phase, *, prone: bool) -> None:
        self.canvas, self.physique, self.phase, self.rng = canvas, physique, phase, canvas.rng
        self.trunk = Trunk(canvas, physique, prone=prone)
        self.wide, self.deep = physique.half_width / 125, physique.half_depth / 86
        self.below = np.minimum(self.trunk.hull - 4, -self.trunk.above_diaphragm - 3)
        self.aorta_at = (float(self.rng.uniform(4, 14)), self.trunk.spine_y - 28)
        self.cava_at = (float(self.rng.uniform(-26, -18)), self.trunk.spine_y - 30)
        self.hilum = Point(-24 * self.wide, 4.0, float(self.rng.uniform(-85, -68)))
        self.right_kidney = self._kidney(-54, -128)
        self.left_kidney = self._kidney(56, -108)
        self.gallbladder = self._organ(Point(-34, -42, -98), Point(14, 15, 28), tilt_deg=25)
        self.liver = self._liver()

    def _organ(self, centre: Point, radii: Point, tilt_deg: float = 0.0) -> Array:
        """An ellipsoid scaled to the build, its place, size and tilt a little different in each patient."""
        rng = self.rng
        place = Point(centre.x * self.wide + rng.normal(0, 4), centre.y * self.deep + rng.normal(0, 3),
                      centre.z + rng.normal(0, 5))
        grown = Point(*(np.array(radii) * (self.wide, self.deep, 1.0) * rng.uniform(0.88, 1.14, 3)))
        field = self.canvas.ellipsoid(place, grown, tilt_deg=tilt_deg + float(rng.normal(0, 6)))
        return np.minimum(field, self.below)

    def _kidney(self, x: float, z: float) -> Array:
        return self._organ(Point(x, 47, z), Point(27, 26, 52), tilt_deg=12)

    def _liver(self) -> Array:
        c, rng = self.canvas, self.rng
        right = self._organ(Point(-62, 4, -60), Point(70, 78, 84))
        left = self._organ(Point(14, -38, -36), Point(float(rng.uniform(55, 88)), 38, 42))
        liver = join(right, left, 14) + float(rng.uniform(0.3, 2.2)) * c.noise(28)
        slope = float(rng.uniform(0.45, 0.8))
        hollow = 14 * np.exp(-(((c.x + 30) / 35) ** 2 + ((c.y - 15) / 40) ** 2))
        underside = (c.z - (float(rng.uniform(-92, -66)) + slope * np.minimum(c.x, 25) + hollow)) / 1.2
        liver = cut(liver, -underside, 9)
        for organ, gap in ((self.right_kidney, 4), (self.gallbladder, 0.5), (self.trunk.spine, 14)):
            liver = cut(liver, organ + gap, 5)
        liver = cut(liver, c.column(*self.cava_at, 14, 13), 4)
        fissure = 1.6 - np.abs(c.x + 12 + 0.25 * (c.y + 40) + 6 * c.noise(80))
        fissure = np.minimum(fissure, np.minimum(-c.y - 30, -c.z - 62))
        return largest_part(np.minimum(cut(liver, fissure, 2), self.below))

    def paint(self) -> None:
        """Everything but the vessels inside the liver and the lesions."""
        trunk, phase, c = self.trunk, self.phase, self.canvas
        trunk.paint_couch()
        trunk.paint_wall()
        trunk.paint_spine()
        trunk.paint_ribs()
        trunk.heart_hu = 0.9 * phase.aorta
        trunk.paint_lungs(-850 + 25 * c.noise(12) + 0.5 * np.clip(c.y, -60, 80))
        trunk.paint_diaphragm()
        self._paint_gut()
        self._paint_stomach()
        self._paint_retroperitoneum()
        spleen = self._organ(Point(96, 36, -48), Point(29, 50, 52), tilt_deg=-15)
        spleen = cut(spleen, join(self.liver, self.left_kidney, 2) + 2)
        mottle = 28.0 if phase.name == ARTERIAL.name else 4.0
        c.paint(spleen, phase.spleen + mottle * c.noise(16))
        c.paint(self.liver, phase.liver + 4 * c.noise(30))
        c.paint(cut(self.gallbladder, self.gallbladder - 2), phase.soft)
        c.paint(self.gallbladder - 2, float(self.rng.uniform(0, 22)))

    def _paint_gut(self) -> None:
        """Loops of bowel with wall and contents: fluid, food, oral contrast, gas on top."""
        c, rng = self.canvas, self.rng
        loops = 11.0 * (np.abs(c.noise(62)) - 0.30) - 1.0
        room = np.minimum(self.below - 3, np.minimum(-c.z - 62, 0.2 * self.physique.half_depth + 9 * c.noise(50) - c.y))
        loops = np.minimum(loops, room)
        c.paint(loops, self.phase.soft)
        filling = c.noise(70)
        contents = np.where(filling > 0, float(rng.uniform(5, 40)), 50 + 28 * c.noise(9))
        if rng.random() < 0.35:
            contents = np.where(filling > 0.6, float(rng.uniform(150, 420)), contents)
        contents = np.where(c.noise(48) - 0.012 * self.trunk.down * c.y > 1.2, -990.0, contents)
        c.paint(loops - 2.5, contents)

    def _paint_stomach(self) -> None:
        """The stomach under the left dome: wall, contents, and a level of gas in front."""
        c, rng = self.canvas, self.rng
        size = rng.uniform(0.65, 1.15)
        stomach = self._organ(Point(58, -22, -48), Point(44 * size, 38 * size, 46 * size), tilt_deg=-20)
        stomach = cut(stomach, self.liver + 1.5, 3)
        contents = (float(rng.uniform(0, 35)) + 0 * c.x, 55 + 35 * c.noise(10), 180 + 60 * c.noise(25))
        filling = contents[rng.choice(3, p=(0.5, 0.35, 0.15))]
        down = self.trunk.down
        level = -22 * self.deep * down - float(rng.uniform(0, 25)) * size
        c.paint(stomach, self.phase.soft)
        c.paint(stomach - 4.5, np.where(down * c.y < level, -990.0, filling))

    def _paint_retroperitoneum(self) -> None:
        """Psoas, pancreas, kidneys, aorta and inferior vena cava."""
        c, phase = self.canvas, self.phase
        psoas = c.column(-36, self.trunk.spine_y + 2, 15, 17)
        psoas = np.maximum(psoas, c.column(36, self.trunk.spine_y + 2, 15, 17))
        c.paint(np.minimum(np.minimum(psoas, -c.z - 85), self.below), self.physique.muscle_hu)
        pancreas = self._organ(Point(18, -2, -92), Point(52, 11, 15))
        c.paint(pancreas + 2 * c.noise(14), phase.soft + 8 * c.noise(12))
        for kidney in (self.right_kidney, self.left_kidney):
            c.paint(kidney, phase.kidney)
            c.paint(kidney - 7 + 2.5 * c.noise(14), phase.medulla)
            c.paint(kidney - 16 + 2 * c.noise(20), -60.0)
        c.paint(c.column(*self.aorta_at, 10.5, 10.5), phase.aorta)
        c.paint(np.minimum(c.column(*self.cava_at, 12, 10), self.below + 6), 0.5 * (phase.portal + phase.soft))

    def vessels(self) -> list[Segment]:
        """Portal vein and hepatic veins, from their stems to where they leave the liver."""
        h, rng = self.hilum, self.rng
        ways = [(-20, 6, 6), (-16, -8, -14), (16, -14, 12), (-14, 12, 16)]
        portal = [Segment(h, _beyond(h, way, 8), float(rng.uniform(3.2, 4.6))) for way in ways]
        mouth = Point(*self.cava_at, -20.0)
        fans = [(-30, -6, -16), (-14, -30, -14), (22, -34, -10), (-26, 12, -24)]
        veins = [Segment(mouth, _beyond(mouth, way, 10), float(rng.uniform(2.8, 4.2))) for way in fans]
        growth = Growth(step_mm=6.0, fork=0.26, shrink=0.78, wander=0.2, spread=0.6, thinnest_mm=0.9, most=520)
        trunk = [Segment(Point(4, h.y - 2, h.z - 42), h, 6.0)]
        return trunk + grow(portal, growth, self._in_liver(-6), rng) + grow(veins, growth, self._in_liver(-8), rng)

    def _in_liver(self, least_mm: float) -> Inside:
        return self.canvas.within(self.liver, least_mm)


def _beyond(start: Point, way: tuple[float, float, float], length: float) -> Point:
    return Point(*(np.array(start) + length * np.array(way) / np.linalg.norm(way)))
