"""Lung nodules and masses in the procedural chest, and the CT study that shows them (task `lung_nodule`).

Truth: 1 nodule or mass, without the fine strands that some send out. Vessels, airway walls, fissures, scars and
pleural plaques share the nodules' HU, so that no threshold finds them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inference.phantom.case import PhantomCase
from inference.phantom.chest import Chest, draw_aeration
from inference.phantom.ct_canvas import Array, Canvas, Point
from inference.phantom.ct_lesions import Lump, Ripple, draw_lump, edge, spikes
from inference.phantom.ct_scan import SHARP, SOFT, Detail, draw_scan, expose
from inference.phantom.ct_study import Texts, Truth, assemble
from inference.phantom.ct_tubes import Segment, draw_tubes
from inference.phantom.trunk import draw_physique

NODULE = 1

_THICKNESSES_MM = (0.7, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 5.0)
_HOW_OFTEN = (0.03, 0.12, 0.25, 0.20, 0.15, 0.14, 0.07, 0.04)
_MASS_MM = (30.0, 90.0)  # more than 30 mm is a mass; T2a to T4 of TNM, 8th edition


@dataclass(frozen=True, eq=False)
class Nodule:
    """A nodule: its body, the HU of body and core, the core's share of the radius, and its strands.

    Denser tissue shows through its body up to `through_hu`: vessels.
    """

    lump: Lump
    body_hu: float
    core_hu: float
    core: float  # 0: no denser core
    strands: tuple[Segment, ...]
    through_hu: float = 500.0


def make_lung_nodule(seed: int) -> PhantomCase:
    """A CT study of the chest with 0 to 6 nodules; the same seed gives the same voxels."""
    return _make(seed, np.random.default_rng([seed, 3]), masses=0)


def make_lung_mass(seed: int) -> PhantomCase:
    """The same of another patient, who has a mass beside the nodules."""
    return _make(seed, np.random.default_rng([seed, 4]), masses=1, name="lung_mass")


def _make(seed: int, rng: np.random.Generator, *, masses: int, name: str = "") -> PhantomCase:
    physique, aeration = draw_physique(rng), draw_aeration(rng)
    stretch = (float(rng.uniform(-95, -80)), physique.apex_mm + float(rng.uniform(6, 22)))
    thickness = float(rng.choice(_THICKNESSES_MM, p=_HOW_OFTEN))
    kernels = SHARP if rng.random() < 0.6 else SOFT
    scan = draw_scan(rng, physique.width_mm * rng.uniform(0.95, 1.08), stretch, thickness, kernels)
    chest = Chest(Canvas(scan.box, rng), physique, aeration, prone=scan.prone)
    chest.paint()
    detail = Detail(chest.canvas, scan)
    chest.draw_tubes(detail)
    lung = detail.refine(np.clip(chest.lung, -4, 4))
    truth = Truth(np.zeros((scan.slices, scan.matrix, scan.matrix), dtype=np.uint8))
    for nodule in _plan(chest, rng, [_mass(chest, rng) for _ in range(masses)]):
        _draw(nodule, detail, lung, truth, rng)
    agent = "Iopromide" if aeration.blood_hu > 80 else ""
    texts = Texts("CT Chest", f"Chest axial {'lung' if scan.kernel.sharp else 'soft tissue'}", "Thorax routine",
                  "CHEST", agent)
    return assemble("lung_nodule", seed, scan, texts, expose(detail, rng), truth, name)


def _mass(chest: Chest, rng: np.random.Generator) -> Nodule:
    """A mass anywhere in the lung, cut off where that ends: at the wall, the mediastinum or the diaphragm.

    Solid; one in three with a core that died off, one in eight with a cavity.
    """
    radius = float(rng.uniform(*_MASS_MM)) / 2
    depth = min(radius * float(rng.uniform(0.1, 0.8)), 20.0)
    centre = chest.canvas.place_within(chest.lung, depth)
    if centre is None:
        raise ValueError(f"no lung of this chest is {depth:.0f} mm deep")
    lump = draw_lump(centre, radius, float(rng.uniform(0.05, 0.3)), rng)
    body = float(rng.uniform(0, 80))
    core_hu = (body, float(rng.uniform(-10, 25)), -950.0)[rng.choice(3, p=(0.55, 0.325, 0.125))]
    core = float(rng.uniform(0.3, 0.7)) if core_hu != body else 0.0
    strands = tuple(Segment(a, b, 0.6) for a, b in spikes(lump, rng)) if rng.random() < 0.5 else ()
    return Nodule(lump, body, core_hu, core, strands, through_hu=500.0 if rng.random() < 0.5 else 0.0)


def _plan(chest: Chest, rng: np.random.Generator, masses: list[Nodule]) -> list[Nodule]:
    """None in one chest of eight, else one to six, the first of 6 mm or more (smaller ones alone need no follow-up).

    They lie apart from the masses and from each other.
    """
    count = 0 if rng.random() < 0.12 else int(rng.integers(1, 7))
    nodules = [*masses]
    for number in range(count):
        radius = float(np.clip(rng.lognormal(np.log(7.5), 0.55), 3 if number else 6, 30)) / 2
        centre = _place(chest, radius, rng)
        apart = centre is not None and all(
            np.linalg.norm(np.subtract(centre, other.lump.centre)) > radius + max(other.lump.radii) + 4
            for other in nodules)
        if centre is not None and apart:
            nodules.append(_nodule(centre, radius, rng))
    return nodules


def _place(chest: Chest, radius: float, rng: np.random.Generator) -> Point | None:
    """Half lie free in the lung, a quarter against the pleura; vessels meet the free ones often enough."""
    if rng.random() < 0.28:
        band = np.minimum(chest.lung - 0.35 * radius, 0.9 * radius + 1.5 - chest.lung)
        return chest.canvas.place_within(band, 0.0)
    return chest.canvas.place_within(chest.lung, min(radius + 2.5, 16.0))


def _nodule(centre: Point, radius: float, rng: np.random.Generator) -> Nodule:
    kind = rng.choice(3, p=(0.62, 0.16, 0.22))  # solid, part-solid, ground glass
    lump = draw_lump(centre, radius, float(rng.uniform(0.04, 0.22)), rng)
    solid, glass = float(rng.uniform(-50, 80)), float(rng.uniform(-650, -350))
    spiky = radius > 4 and rng.random() < 0.35
    strands = tuple(Segment(a, b, 0.6) for a, b in spikes(lump, rng)) if spiky else ()
    if kind == 0:
        return Nodule(lump, solid, solid, 0.0, strands)
    return Nodule(lump, glass, solid, float(rng.uniform(0.35, 0.65)) if kind == 1 else 0.0, strands)


def _draw(nodule: Nodule, detail: Detail, lung: Array, truth: Truth, rng: np.random.Generator) -> None:
    lump = nodule.lump
    window, offsets, slices = detail.around_slices(lump.centre, lump.reach_mm)
    if not detail.hu[window].size:
        return
    depth = lump.depth(offsets)
    inside = np.clip(lung[window] / 2 + 0.5, 0, 1)
    cover = edge(depth, detail, float(rng.uniform(0, 0.8))) * inside
    hu = detail.hu[window]
    mottled = nodule.body_hu + float(rng.uniform(5, 30)) * Ripple(4.0, rng)(offsets)
    hu += cover * (np.maximum(mottled, np.minimum(hu, mottled + nodule.through_hu)) - hu)
    if nodule.core:
        core = edge(depth - (1 - nodule.core) * min(lump.radii), detail) * inside
        hu += core * (nodule.core_hu - hu)
    draw_tubes(detail, nodule.strands, nodule.body_hu, 0.7)
    body = detail.thicken(edge(depth, detail) * inside) >= 0.5
    truth.mark(body, slices, NODULE, lump.centre, detail.scan.spacing)
