"""A prior laid onto the current study of one patient: rigid, affine where rigid leaves too much, or not at all.

Mutual information (Mattes 2003) for CT and MR alike, for contrast phase and sequence differ between dates. Studies of
two dates share no frame of reference, so every shift is tried first, by masked correlation (Padfield 2012).
The answer is the same every time: samples lie regularly, and one thread adds them up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import ArrayLike, NDArray

from inference.followup.coarse import Coarse, coarse
from inference.followup.residual import Residual, residual_of
from inference.followup.shift import best_shift
from inference.transforms.geometry import resample
from inference.volume import Volume

LEAST_OVERLAP = 0.4  # of the smaller patient, else there is too little to judge by
LEAST_SIMILARITY = 0.75
MOST_RESIDUAL_MM = 3.0
RIGID_SUFFICES_MM = 1.5
AFFINE_GAIN_MM = 0.3
MOST_ROTATION_DEG = 30.0
MOST_STRETCH = 0.1  # scanners differ by a few per cent, patients by more
SAMPLES = 20_000
BINS = 32
_SEED = 42

Kind = Literal["rigid", "affine"]


@dataclass(frozen=True)
class Agreement:
    """How well two images lie on one another: what the gate looks at, and what is written down.

    `similarity`: correlation -1..1 of what both show of the patient. `overlap`: share 0..1 of the smaller patient
    that the other image shows too. `residual_mm`: median distance that blocks are still off. `stretch`: largest
    share by which an axis was made longer or shorter; 0 where rigid.
    """

    similarity: float
    overlap: float
    residual_mm: float
    rotation_deg: float
    stretch: float = 0.0

    def objection(self) -> str:
        """Why this is no registration of one patient, in plain words; empty where it is."""
        if self.overlap < LEAST_OVERLAP:
            return f"the images have only {self.overlap:.0%} of the body in common"
        if self.rotation_deg > MOST_ROTATION_DEG:
            return f"the prior would have to be turned by {self.rotation_deg:.0f} degrees"
        if self.similarity < LEAST_SIMILARITY:
            return f"the images do not look alike (correlation {self.similarity:.2f}, {LEAST_SIMILARITY:.2f} needed)"
        if self.residual_mm > MOST_RESIDUAL_MM:
            return f"the images are still {self.residual_mm:.1f} mm apart ({MOST_RESIDUAL_MM:.1f} mm are allowed)"
        return ""


@dataclass(frozen=True, eq=False)
class Registration:
    """`matrix` (4x4) leads from LPS mm of the prior to LPS mm of the current study; with its evidence."""

    matrix: NDArray[np.float64]
    kind: Kind
    agreement: Agreement
    residual: Residual

    def to_current(self, points: ArrayLike) -> NDArray[np.float64]:
        """Where points (..., 3) of the prior lie in the current study, LPS mm."""
        return _mapped(self.matrix, points)

    def to_prior(self, points: ArrayLike) -> NDArray[np.float64]:
        """Where points (..., 3) of the current study lie in the prior, LPS mm."""
        return _mapped(_inverse(self.matrix), points)


@dataclass(frozen=True)
class NotRegistered:
    """The prior does not lie on the current study, so nothing may be matched; why, and how it looked."""

    reason: str
    agreement: Agreement | None = None


def register_prior(prior: Volume, current: Volume) -> Registration | NotRegistered:
    """The map from a prior to the current study of the same patient, or why there is none.

    Whether it is the same patient is not asked here: bodies are alike, and images prove no identity.
    """
    if prior.units != current.units:
        return NotRegistered("the prior's voxels are of another kind")
    fixed, moving = coarse(current), coarse(prior)
    if not (fixed.patient.any() and moving.patient.any()):
        return NotRegistered("one of the images shows no patient")
    shift = best_shift(fixed, moving, LEAST_OVERLAP)
    if shift is None:
        return NotRegistered(f"the images have less than {LEAST_OVERLAP:.0%} of the body in common")
    best: Registration | None = None
    for matrix, kind in _found(fixed, moving, shift):
        agreement, residual = _judged(fixed, moving, matrix)
        if best is None or (best.agreement.residual_mm - agreement.residual_mm > AFFINE_GAIN_MM
                            and agreement.stretch <= MOST_STRETCH):
            best = Registration(_inverse(matrix), kind, agreement, residual)
        if agreement.residual_mm <= RIGID_SUFFICES_MM:
            break
    if best is None:
        return NotRegistered("no way was found to lay the prior onto the images")
    objection = best.agreement.objection()
    return NotRegistered(objection, best.agreement) if objection else best


def _found(fixed: Coarse, moving: Coarse, shift: NDArray[np.float64]) -> Iterator[tuple[NDArray[np.float64], Kind]]:
    """Current to prior, rigid and then, where somebody asks on, affine from there; none where ITK gives up."""
    start = sitk.Euler3DTransform()
    start.SetCenter(fixed.grid.to_lps(np.argwhere(fixed.patient).mean(axis=0)).round(3).tolist())
    start.SetTranslation(shift.round(3).tolist())
    rigid = _optimised(fixed, moving, start, levels=(3, 2, 1))
    if rigid is None:
        return
    yield _matrix(rigid), "rigid"
    wider = sitk.AffineTransform(3)
    wider.SetCenter(rigid.GetCenter())
    wider.SetMatrix(rigid.GetMatrix())
    wider.SetTranslation(rigid.GetTranslation())
    affine = _optimised(fixed, moving, wider, levels=(2, 1))
    if affine is not None:
        yield _matrix(affine), "affine"


def _optimised(fixed: Coarse, moving: Coarse, start: sitk.Transform,
               levels: tuple[int, ...]) -> sitk.Transform | None:
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetNumberOfWorkUnits(1)  # sums in one order: the same answer every time
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(fixed.mask())
    method.SetMetricMovingMask(moving.mask_seen())
    method.SetMetricSamplingStrategy(method.REGULAR)
    shares = [min(1.0, SAMPLES * level**3 / fixed.array.size) for level in levels]
    method.SetMetricSamplingPercentagePerLevel(shares, _SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 0.01, 150, relaxationFactor=0.9,  # halving stops short
                                                    gradientMagnitudeTolerance=1e-8)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(list(levels))
    method.SetSmoothingSigmasPerLevel([0.5 * level for level in levels])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    method.SetInitialTransform(start, inPlace=True)
    try:
        method.Execute(fixed.image(), moving.image())
    except RuntimeError:
        return None
    return start


def _judged(fixed: Coarse, moving: Coarse, matrix: NDArray[np.float64]) -> tuple[Agreement, Residual]:
    """`matrix` leads from the current study to the prior."""
    shown = Volume(moving.array, moving.grid)
    moved = np.asarray(resample(shown, fixed.grid, motion=matrix).array, dtype=np.float32)
    seen = _mask_there(moving.seen, moving, fixed, matrix)
    patient = _mask_there(moving.patient, moving, fixed, matrix)
    both = fixed.patient & patient
    smaller = min(np.count_nonzero(fixed.patient), np.count_nonzero(moving.patient))
    region = (fixed.patient | patient) & fixed.seen & seen
    residual = residual_of(fixed.array, moved, fixed.patient & seen, fixed.grid)
    turn, axes, other = np.linalg.svd(matrix[:3, :3])
    angle = np.degrees(np.arccos(np.clip((np.trace(turn @ other) - 1) / 2, -1.0, 1.0)))
    return Agreement(
        similarity=_correlation(fixed.array[region], moved[region]),
        overlap=float(np.count_nonzero(both) / smaller),
        residual_mm=residual.median_mm,
        rotation_deg=float(angle),
        stretch=round(float(np.abs(axes - 1).max()), 6),
    ), residual


def _mask_there(mask: NDArray[np.bool_], moving: Coarse, fixed: Coarse,
                matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
    """A mask of the prior on the current study's lattice."""
    there = resample(Volume(mask.astype(np.uint8), moving.grid), fixed.grid, order=0, motion=matrix)
    return np.asarray(there.array) > 0


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    if a.size < 2 or a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a.astype(np.float64), b.astype(np.float64))[0, 1])


def _matrix(transform: sitk.Transform) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    centre = np.array(transform.GetCenter())
    matrix[:3, 3] = centre + np.array(transform.GetTranslation()) - matrix[:3, :3] @ centre
    return matrix.round(9)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def _mapped(matrix: NDArray[np.float64], points: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(points, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
