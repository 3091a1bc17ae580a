"""The procedural chest: lungs with fissures and scars, heart, great vessels, airways, and what lies below."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from inference.phantom.ct_canvas import Array, Canvas, Point, coverage
from inference.phantom.ct_scan import Detail
from inference.phantom.ct_tubes import Growth, Segment, draw_tubes, draw_walls, grow
from inference.phantom.trunk import Physique, Trunk


class Aeration(NamedTuple):
    """What a patient's lungs and blood look like: HU of parenchyma and blood, and diffuse changes."""

    lung_hu: float
    blood_hu: float
    emphysema: bool
    dependent: float  # HU that the lowest centimetre of the lung is denser
    plaques: bool


def draw_aeration(rng: np.random.Generator) -> Aeration:
    """Native or contrast-enhanced blood; one lung in seven with emphysema, one in four with dense bases."""
    blood = float(rng.uniform(35, 50)) if rng.random() < 0.45 else float(rng.uniform(90, 240))
    return Aeration(lung_hu=float(np.clip(rng.normal(-850, 28), -915, -780)), blood_hu=blood,
                    emphysema=rng.random() < 0.15, dependent=float(rng.uniform(60, 260)) * (rng.random() < 0.25),
                    plaques=rng.random() < 0.3)


class Chest:
    """The chest's organs on one canvas, and the tubes that are drawn on the scan's voxels later."""

    def __init__(self, canvas: Canvas, physique: Physique, aeration: Aeration, *, prone: bool) -> None:
        self.canvas, self.physique, self.aeration, self.rng = canvas, physique, aeration, canvas.rng
        self.trunk = Trunk(canvas, physique, prone=prone)
        self.root_z = float(self.rng.uniform(66, 82))  # height of the lungs' roots
        self.lung = np.zeros(canvas.shape, dtype=np.float32)

    def paint(self) -> None:
        """Wall, lungs, heart, belly, and the diffuse changes of the lungs."""
        trunk = self.trunk
        trunk.paint_couch()
        trunk.paint_wall()
        trunk.paint_spine()
        trunk.paint_ribs()
        trunk.paint_shoulder_blades()
        trunk.heart_hu = self.aeration.blood_hu
        self._paint_belly()
        self.lung = trunk.paint_lungs(self._parenchyma())
        trunk.paint_diaphragm()
        self._paint_fissures()
        self._paint_pleura()

    def _parenchyma(self) -> Array:
        """Density of lung tissue: denser to the back, mottled, thinned by emphysema in patches."""
        c, aeration = self.canvas, self.aeration
        slope = 80 / (2 * self.physique.half_depth)
        down = self.trunk.down * c.y
        density = aeration.lung_hu + slope * down + 10 * c.noise(9) + 14 * c.noise(40)
        if aeration.emphysema:
            density -= 70 * np.clip(c.noise(13) - 0.5, 0, 1)
        low = down + 10 * c.noise(60) - 0.68 * self.physique.half_depth
        return np.asarray(density + aeration.dependent * np.clip(low / 12, 0, 1), dtype=np.float32)

    def _paint_belly(self) -> None:
        """Liver, spleen and stomach below the diaphragm, as far as a chest scan sees them."""
        c, rng = self.canvas, self.rng
        below = np.minimum(self.trunk.hull - 4, -self.trunk.above_diaphragm - 3)
        enhanced = self.aeration.blood_hu > 80
        spleen = np.minimum(c.ellipsoid(Point(92, 38, -60), Point(30, 46, 44)), below)
        stomach = np.minimum(c.ellipsoid(Point(52, -18, -62), Point(42, 40, 42)), below)
        liver = np.maximum(c.ellipsoid(Point(-58, 2, -70), Point(78, 84, 80)),
                           c.ellipsoid(Point(12, -40, -48), Point(62, 36, 38)))
        c.paint(spleen, 115.0 if enhanced else 48.0)
        c.paint(stomach, 45.0)
        c.paint(stomach - 4, np.where(self.trunk.down * c.y < float(rng.uniform(-40, 0)), -990.0, 25.0))
        c.paint(np.minimum(liver, below), (100.0 if enhanced else 56.0) + 4 * c.noise(30))
        c.paint(c.column(9, self.trunk.spine_y - 28, 11, 11), self.aeration.blood_hu)

    def _paint_fissures(self) -> None:
        """The oblique fissure of each lung and the right lung's level one: thin sheets, denser than air."""
        c, rng = self.canvas, self.rng
        share = 0.22 * coverage(self.lung - 1)
        for side in (-1, 1):
            lean = float(rng.uniform(0.75, 1.05))
            oblique = (c.z - 62 - lean * (c.y + 6) + 5 * c.noise(70)) / np.hypot(1, lean)
            sheet = np.clip(1 - np.abs(oblique) / 1.8, 0, 1) * share * (np.sign(c.x) == side)
            c.hu += sheet * (20 - c.hu)
            if side < 0:
                level = c.z - 70 - 0.15 * c.y + 4 * c.noise(60)
                sheet = np.clip(1 - np.abs(level) / 1.8, 0, 1) * share * ((c.x < 0) & (oblique > 0))
                c.hu += sheet * (20 - c.hu)

    def _paint_pleura(self) -> None:
        """Plaques and caps that thicken the pleura in places: dense, broad, and no nodules."""
        if not self.aeration.plaques:
            return
        c = self.canvas
        thickness = 3.0 * np.clip(c.noise(38) - 1.3, 0, 1.3)
        c.paint(np.minimum(thickness - self.lung, self.lung + 2), 45.0)

    def vessels(self) -> list[Segment]:
        """Pulmonary arteries and veins: stems that fan out from each root and fork down to half a millimetre."""
        rng, roots = self.rng, []
        for side in (-1, 1):
            root = Point(side * 34.0, 4.0, self.root_z)
            for _ in range(int(rng.integers(10, 15))):
                way = np.array([side * rng.uniform(0.3, 1.2), rng.normal(0, 0.8), rng.normal(-0.05, 0.9)])
                end = np.array(root) + 16 * way / np.linalg.norm(way)
                roots.append(Segment(root, Point(*end), float(rng.uniform(1.9, 3.2))))
        growth = Growth(step_mm=5.5, fork=0.27, shrink=0.82, taper=0.985, wander=0.2, thinnest_mm=0.5, most=4200)
        return roots + grow(roots, growth, self.canvas.within(self.lung, 0.5), rng)

    def airways(self) -> list[Segment]:
        """Trachea, main bronchi, and bronchi that fork into the lungs."""
        rng, root_z = self.rng, self.root_z
        carina = Point(0.0, 8.0, root_z + 26)
        tree = [Segment(Point(0.0, 2.0, self.physique.apex_mm + 40), carina, float(rng.uniform(7.5, 9.5)))]
        for side in (-1, 1):
            root = Point(side * 32.0, 9.0, root_z + 2)
            tree.append(Segment(carina, root, float(rng.uniform(5.2, 6.5))))
            stems = []
            for tilt in (0.9, 0.1, -1.1):
                way = np.array([side * rng.uniform(0.5, 1.0), rng.normal(0, 0.4), tilt])
                stems.append(Segment(root, Point(*(np.array(root) + 14 * way / np.linalg.norm(way))), 3.2))
            growth = Growth(step_mm=7.0, fork=0.3, shrink=0.76, taper=0.97, wander=0.15, thinnest_mm=0.8, most=90)
            tree += grow(stems, growth, self.canvas.within(self.lung, 3), rng)
        return tree

    def great_vessels(self) -> list[Segment]:
        """Aortic arch, pulmonary trunk with its two arteries, and superior vena cava."""
        z, back = self.root_z, self.trunk.spine_y - 26
        arch = [Point(-8, -26, z - 28), Point(-14, -26, z + 20), Point(-4, -14, z + 42), Point(12, 8, z + 44),
                Point(17, back, z + 28), Point(15, back, -100)]
        lung_artery = [Point(18, -34, z - 22), Point(14, -26, z + 6), Point(8, -10, z + 12)]
        cava = [Point(-20, -12, z - 20), Point(-22, -10, z + 70)]
        paths = [(arch, 12.5), (lung_artery, 12.0), (cava, 8.5)]
        paths += [([lung_artery[-1], Point(side * 36.0, 4, z)], 8.5) for side in (-1, 1)]
        return [Segment(a, b, radius) for path, radius in paths for a, b in pairwise(path)]

    def scars(self) -> list[Segment]:
        """Bands that run inwards from the pleura, by chance none to five."""
        rng, bands = self.rng, []
        for _ in range(int(rng.integers(0, 6))):
            place = self.canvas.place_within(np.minimum(self.lung, 8 - self.lung), 1.0)
            if place is None:
                continue
            way = np.array([-place.x, -0.4 * place.y, 40 * rng.normal()])
            end, radius = np.array(place), float(rng.uniform(0.5, 1.3))
            for _ in range(int(rng.integers(2, 6))):
                way = way / np.linalg.norm(way) + 0.35 * rng.standard_normal(3)
                start, end = end, end + 5 * way
                bands.append(Segment(Point(*start), Point(*end), radius))
        return bands

    def draw_tubes(self, detail: Detail) -> None:
        """Everything tubular on the scan's own voxels: vessels, scars, then airways with wall and air."""
        blood = max(self.aeration.blood_hu - 15, 30.0)
        draw_tubes(detail, self.great_vessels() + self.vessels(), blood)
        draw_tubes(detail, self.scars(), 20.0, float(self.rng.uniform(0.5, 0.95)))
        airways = self.airways()
        draw_walls(detail, airways, 30.0, 1.1)
        draw_tubes(detail, airways, -995.0)
