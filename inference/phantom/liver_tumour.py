"""Liver tumours in the procedural abdomen, and the portal-venous CT study that shows them.

Patchy insides, sizes and counts follow the generator of Hu et al. (CVPR 2023, arXiv 2303.14869): tumours
are darker than the liver by their texture times 65 to 145 HU.
"""

from __future__ import annotations

import numpy as np

from inference.phantom.abdomen import ARTERIAL, NATIVE, Abdomen, Phase, draw_phase
from inference.phantom.case import PhantomCase
from inference.phantom.ct_canvas import Array, Canvas, Point
from inference.phantom.ct_lesions import Lump, Ripple, draw_lump, edge
from inference.phantom.ct_scan import SOFT, Detail, Offsets, draw_scan, expose
from inference.phantom.ct_study import Texts, Truth, assemble
from inference.phantom.ct_tubes import draw_tubes
from inference.phantom.trunk import draw_physique

LIVER, TUMOUR = 1, 2

_THICKNESSES_MM = (0.7, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 3.75, 5.0)
_HOW_OFTEN = (0.03, 0.07, 0.10, 0.15, 0.15, 0.20, 0.15, 0.05, 0.10)
_TYPICAL_RADII_MM = (3.5, 7.0, 12.0, 24.0)  # tiny, small, medium, large


def make_liver_tumour(seed: int) -> PhantomCase:
    """A CT study of the abdomen with 0 to 10 liver tumours; the same seed gives the same voxels."""
    rng = np.random.default_rng([seed, 2])
    physique, phase = draw_physique(rng), draw_phase(rng)
    stretch = (float(rng.uniform(-235, -195)), float(rng.uniform(4, 20)))
    thickness = float(rng.choice(_THICKNESSES_MM, p=_HOW_OFTEN))
    scan = draw_scan(rng, physique.width_mm * rng.uniform(1.0, 1.12), stretch, thickness, SOFT)
    abdomen = Abdomen(Canvas(scan.box, rng), physique, phase, prone=scan.prone)
    abdomen.paint()
    detail = Detail(abdomen.canvas, scan)
    liver = detail.refine(np.clip(abdomen.liver, -4, 4))
    draw_tubes(detail, abdomen.vessels(), phase.portal)
    truth = Truth((detail.thicken(np.clip(liver / 2 + 0.5, 0, 1)) >= 0.5).astype(np.uint8))
    for lump in _plan(abdomen, rng):
        _draw(lump, detail, liver, phase, truth, rng)
    return assemble("liver_tumour", seed, scan, _texts(phase), expose(detail, rng), truth)


def _texts(phase: Phase) -> Texts:
    agent = "" if phase.name == NATIVE.name else "Iopromide"
    return Texts("CT Abdomen", f"Abdomen {phase.name} axial", "Abdomen routine", "ABDOMEN", agent)


def _plan(abdomen: Abdomen, rng: np.random.Generator) -> list[Lump]:
    """Where tumours grow and how large: none in one liver of eight, else one size that prevails, and strays.

    The first is at least 10 mm across, the least that RECIST 1.1 measures.
    """
    if rng.random() < 0.12:
        return []
    prevailing = int(rng.choice(4, p=(0.10, 0.25, 0.40, 0.25)))
    most = (10, 8, 5, 3)[prevailing]
    lumps: list[Lump] = []
    for _ in range(int(rng.integers(1, most + 1))):
        kind = prevailing if rng.random() < 0.75 else int(rng.integers(4))
        radius = max(_TYPICAL_RADII_MM[kind] * float(rng.uniform(0.75, 1.3)), 3.0 if lumps else 5.5)
        centre = abdomen.canvas.place_within(abdomen.liver, min(4.0 + 0.45 * radius, 16.0))
        if centre is not None and all(_apart(centre, radius, other) for other in lumps):
            lumps.append(draw_lump(centre, radius, float(rng.uniform(0.06, 0.2)), rng))
    return lumps


def _apart(centre: Point, radius: float, other: Lump) -> bool:
    return float(np.linalg.norm(np.subtract(centre, other.centre))) > radius + max(other.radii) + 2


def _draw(lump: Lump, detail: Detail, liver: Array, phase: Phase, truth: Truth, rng: np.random.Generator) -> None:
    window, offsets, slices = detail.around_slices(lump.centre, lump.reach_mm)
    if not detail.hu[window].size:
        return
    depth = lump.depth(offsets)
    inside = np.clip(liver[window] / 2 + 0.5, 0, 1)
    cover = edge(depth, detail, float(rng.uniform(0, 2.5))) * inside
    detail.hu[window] += cover * (_difference(depth, offsets, min(lump.radii), phase, rng))
    body = detail.thicken(edge(depth, detail) * inside) >= 0.5
    truth.mark(body, slices, TUMOUR, lump.centre, detail.scan.spacing)


def _difference(depth: Array, offsets: Offsets, radius: float, phase: Phase,
                rng: np.random.Generator) -> Array:
    """What a tumour adds to the liver's HU: dark and patchy, ringed, with a dead centre, or bright."""
    strength = float(rng.uniform(65, 145)) * (0.6 if phase.name == NATIVE.name else 1.0)
    strength *= float(np.clip(phase.liver / 95, 0.6, 1.1))
    patches = np.clip(0.54 + 0.16 * Ripple(max(4.0, 0.6 * radius), rng)(offsets), 0.2, 1.0)
    dark = -strength * patches
    bright, ringed, dead = (0.5, 0.25, 0.1) if phase.name == ARTERIAL.name else (0.04, 0.14, 0.14)
    draw = float(rng.random())
    if draw < bright:
        return np.asarray(float(rng.uniform(35, 80)) * (0.7 + 0.3 * patches), dtype=np.float32)
    if draw < bright + ringed and radius > 6:
        rim = np.clip(1 - np.abs(depth - 1.5) / float(rng.uniform(1.5, 3)), 0, 1)
        return np.asarray(dark * (1 - rim) + rim * float(rng.uniform(20, 50)), dtype=np.float32)
    if draw < bright + ringed + dead and radius > 8:
        core = np.clip((depth - 0.4 * radius) / 3, 0, 1)
        return np.asarray(dark * (1 - core) + core * (18 - phase.liver), dtype=np.float32)
    return np.asarray(dark, dtype=np.float32)
