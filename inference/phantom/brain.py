"""A brain tumour study: one procedural head in four contrasts, the patient not lying quite still.

Tumours follow the glioma generator's ranges: core radius 8-30 mm with each axis ×0.75-1.25, necrosis within a
rim of 12-40 %, oedema out to 1.3-2.6 radii along white matter; heads turn ±15°, scale ±15 %, shear ±0.012.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.phantom.brain_anatomy import CANVAS_MM, CANVAS_SHAPE, HEIGHT_MM, canvas_axes, draw_head
from inference.phantom.brain_contrast import CONTRASTS, patient_texture, render
from inference.phantom.brain_protocol import ADC, REFORMAT, describe, describe_adc, describe_reformat, plan
from inference.phantom.brain_tumour import Focus, draw_tumour, outlined, plan_foci, push_aside
from inference.phantom.case import Decoy, Lesion, PhantomCase
from inference.phantom.mr import Protocol, acquire, sample
from inference.phantom.shapes import Array, Points, rotation, smooth_noise
from inference.volume import Grid, Volume
from inference.writers.acquisition import Acquisition, Patient, StudyDetails

TASK, PRIMARY = "brain_tumour", "T1ce"


def make_brain_case(seed: int) -> PhantomCase:
    """The brain tumour study of this seed: roles T1, T1ce, T2 and FLAIR, truth in labels of BraTS 2023."""
    rng = np.random.default_rng([seed, 1])
    return _make(seed, rng, plan_foci(rng))


def make_faint_glioma(seed: int) -> PhantomCase:
    """The same of another patient: oedema fades away from the core, and half of such tumours do not enhance."""
    rng = np.random.default_rng([seed, 5])
    return _make(seed, rng, plan_foci(rng, enhancing=0.5), fading=float(rng.uniform(0.3, 0.9)), name="faint_glioma")


def make_silent_glioma(seed: int) -> PhantomCase:
    """The same of yet another patient: nothing enhances, and solid tumour lies in oedema nearly always."""
    rng = np.random.default_rng([seed, 6])
    return _make(seed, rng, plan_foci(rng, enhancing=0.0, bare=0.1), name="silent_glioma")


def _make(seed: int, rng: np.random.Generator, foci: tuple[Focus, ...], fading: float = 0.0,
          name: str = "") -> PhantomCase:
    anatomy = draw_head(push_aside(_patient_points(rng), foci), rng)
    tumour = draw_tumour(anatomy, foci, rng)
    texture = patient_texture(CANVAS_SHAPE, rng)._replace(fading=fading)
    study = _study(seed, rng, name)
    pose = _pose(rng)
    motion = {role: _motion(rng) for role in CONTRASTS if role != PRIMARY}
    frame = Acquisition.mr(study, "T1ce").frame_of_reference_uid
    volumes, acquisitions, signals = {}, {}, {}
    protocols = {role: plan(role, rng) for role in CONTRASTS}
    for number, (role, protocol) in enumerate(protocols.items(), start=2):
        grid = protocol.grid(rotation(protocol.tilt_deg), frame)
        acquisition = describe(role, protocol, study, number)
        signals[role] = render(role, anatomy, tumour, texture, rng)
        scanned = sample(signals[role], motion.get(role, np.eye(4)) @ pose, grid, protocol.thickness)
        volumes[role] = Volume(acquire(scanned, grid.spacing, rng), grid,
                               series_instance_uid=acquisition.series_instance_uid)
        acquisitions[role] = acquisition
    truth = _truth(outlined(tumour, anatomy), pose, volumes[PRIMARY].grid, protocols[PRIMARY].thickness)
    decoys = _decoys(signals, motion["T2"] @ pose, study, frame, rng)
    return PhantomCase(TASK, seed, PRIMARY, volumes, truth, _lesions(truth, volumes[PRIMARY].grid), acquisitions,
                       decoys, motion)


def _patient_points(rng: np.random.Generator) -> Points:
    """Canonical coordinates of the canvas' voxels, warped by up to 4 mm and now and then mirrored."""
    z, y, x = canvas_axes()
    amplitude = rng.uniform(0, 4)
    mirror = np.float32(rng.choice([-1, 1]))
    z, y, x = (np.asarray(a + amplitude * smooth_noise(CANVAS_SHAPE, 64 / CANVAS_MM, rng), dtype=np.float32)
               for a in (z, y, x))
    return z, y, np.asarray(x * mirror, dtype=np.float32) if mirror < 0 else x


def _study(seed: int, rng: np.random.Generator, name: str) -> StudyDetails:
    number = f"{name or 'B'}{seed}"
    patient = Patient(f"PHANTOM-{number}", f"Phantom^Brain{seed}", f"{rng.integers(1935, 2000)}0615",
                      str(rng.choice(["F", "M"])))
    return StudyDetails.of(f"{name or TASK}-{seed}", patient=patient, accession_number=number,
                           description="MR brain tumour")


def _pose(rng: np.random.Generator) -> NDArray[np.float64]:
    """Canvas index (z, y, x) to LPS mm: how this patient's head lies, how large it is, how it is sheared."""
    shear = np.eye(3)
    shear[~np.eye(3, dtype=bool)] = rng.uniform(-0.012, 0.012, 6)
    size = np.diag(1 + rng.uniform(-0.15, 0.15, 3))
    to_lps = np.eye(4)
    to_lps[:3, :3] = rotation(rng.uniform(-15, 15, 3)) @ size @ shear @ np.eye(3)[::-1] * CANVAS_MM
    centre = (np.array(CANVAS_SHAPE) - 1) / 2 + np.array([HEIGHT_MM / CANVAS_MM, 0, 0])
    to_lps[:3, 3] = -to_lps[:3, :3] @ centre + rng.uniform(-8, 8, 3)
    return to_lps


def _motion(rng: np.random.Generator) -> NDArray[np.float64]:
    """A small rigid movement between two series: most patients lie still within 1 mm, some move by several."""
    much = rng.choice([0.3, 1.0], p=[0.5, 0.5])
    moved = np.eye(4)
    moved[:3, :3] = rotation(much * rng.uniform(-4, 4, 3))
    moved[:3, 3] = much * rng.uniform(-5, 5, 3)
    return moved


def _truth(labels: NDArray[np.uint8], pose: NDArray[np.float64], grid: Grid, thickness: float) -> NDArray[np.uint8]:
    """The label that fills most of each voxel of `grid`."""
    truth = np.zeros(grid.shape, dtype=np.uint8)
    if not labels.any():
        return truth
    corners = np.argwhere(labels)
    lows, highs = corners.min(axis=0) - 3, corners.max(axis=0) + 3
    cube = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)]) * (highs - lows) + lows
    index = grid.to_index(cube @ pose[:3, :3].T + pose[:3, 3])
    start = np.clip(np.floor(index.min(axis=0)).astype(int), 0, np.array(grid.shape) - 1)
    stop = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, start + 1, grid.shape)
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_lps(start)
    part = Grid(tuple(stop - start), affine)
    shares = [sample((labels == k).astype(np.float32), pose, part, thickness) for k in (1, 2, 3)]
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    truth[box] = np.argmax([1 - np.sum(shares, axis=0), *shares], axis=0)
    return truth


def _lesions(truth: NDArray[np.uint8], grid: Grid) -> tuple[Lesion, ...]:
    """One lesion a connected tumour core, by its label: enhancing, or else the label of necrosis."""
    parts, _ = ndimage.label(np.isin(truth, (1, 3)), structure=np.ones((3, 3, 3)))
    lesions = []
    for k, box in enumerate(ndimage.find_objects(parts), start=1):
        where = parts[box] == k
        points = grid.to_lps(np.argwhere(where) + [s.start for s in box])
        x, y, z = (float(v) for v in points.mean(axis=0))
        extent = float(np.ptp(points, axis=0).max()) + min(grid.spacing)
        label = 3 if (truth[box][where] == 3).any() else 1
        lesions.append(Lesion(label, extent, float(where.sum()) * grid.voxel_ml, (x, y, z)))
    return tuple(lesions)


def _decoys(signals: dict[str, Array], place: NDArray[np.float64], study: StudyDetails, frame: str,
            rng: np.random.Generator) -> tuple[Decoy, ...]:
    """An ADC map, and in half of the studies a thick coronal reformat of the T1ce series."""
    def scan(role: str, protocol: Protocol, acquisition: Acquisition) -> Decoy:
        grid = protocol.grid(np.eye(3), frame)
        scanned = sample(signals[role], place, grid, protocol.thickness)
        volume = Volume(acquire(scanned, grid.spacing, rng), grid, series_instance_uid=acquisition.series_instance_uid)
        return Decoy(volume, replace(acquisition, frame_of_reference_uid=frame))

    decoys = [scan("T2", ADC, describe_adc(study, 10))]
    if rng.random() < 0.5:
        decoys.append(scan("T1ce", REFORMAT, describe_reformat(study, 11)))
    return tuple(decoys)
