"""Where the patient moved between two series: rigid registration by mutual information (Mattes 2003)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from inference.errors import Unfit
from inference.transforms.geometry import canonical, grid_at_spacing, resample
from inference.volume import Grid, Spacing, Volume

WORKING_MM = 2.0
MAX_TRANSLATION_MM = 40.0
MAX_ROTATION_DEG = 30.0
STILL_MM = 0.25  # less motion than this anywhere in the field of view is none
_SEED = 42


@dataclass(frozen=True, eq=False)
class RigidTransform:
    """Motion from the fixed to the moving series: 4x4, LPS mm of fixed to LPS mm of moving.

    `translation_mm` is how far the centre of the fixed field of view moved, less the shift between two
    frames of reference; `rotation_deg` is the angle turned.
    """

    matrix: NDArray[np.float64]
    translation_mm: float = 0.0
    rotation_deg: float = 0.0

    @property
    def is_identity(self) -> bool:
        """True where nothing moved and voxels keep their places."""
        return bool(np.array_equal(self.matrix, np.eye(4)))


def register_rigid(fixed: Volume, moving: Volume, name: str = "series") -> RigidTransform:
    """The motion that lays `moving` onto `fixed`; the same volumes always give the same answer.

    Series of one frame of reference start from where they lie, and stay there unless they agree better elsewhere;
    others start from their centres of mass.
    Unfit where the result is no movement of a patient in a scanner: the series will not be of one head.
    """
    fixed_image, moving_image = _image(fixed), _image(moving)
    uid = fixed.grid.frame_of_reference_uid
    same_frame = uid != "" and uid == moving.grid.frame_of_reference_uid
    start = _start(fixed_image, moving_image, same_frame)
    end = _optimise(fixed_image, moving_image, start)
    found = _matrix(end)
    # A search over samples that got stuck ends where the series agree less than where the scanner says they lie.
    if same_frame and (_farthest(found, fixed.grid) < STILL_MM or
                       _mismatch(fixed_image, moving_image, end) > _mismatch(fixed_image, moving_image, start)):
        return RigidTransform(np.eye(4))
    motion = np.linalg.inv(_matrix(start)) @ found
    transform = RigidTransform(found, _translation(motion, fixed.grid), _rotation(motion))
    if transform.translation_mm > MAX_TRANSLATION_MM or transform.rotation_deg > MAX_ROTATION_DEG:
        raise Unfit(f"The {name} series does not lie on the others: it would have to be moved by "
                    f"{transform.translation_mm:.0f} mm and turned by {transform.rotation_deg:.0f} degrees.")
    return transform


def resample_onto(moving: Volume, grid: Grid, transform: RigidTransform, *, order: int = 1,
                  fill: float = 0.0) -> Volume:
    """The moving series as it would lie on the fixed series' grid, interpolated once."""
    motion = None if transform.is_identity else transform.matrix
    return resample(moving, grid, order=order, fill=fill, motion=motion)


def _image(volume: Volume) -> sitk.Image:
    """The volume at no less than 2 mm as SimpleITK wants it."""
    volume = canonical(volume)
    spacing = Spacing(*(max(WORKING_MM, step) for step in volume.grid.spacing))
    coarse = resample(volume, grid_at_spacing(volume.grid, spacing))
    directions = coarse.grid.directions[:, ::-1]
    if np.abs(directions.T @ directions - np.eye(3)).max() > 1e-3:
        raise Unfit("A series with leaning slices cannot be laid onto another.")
    image = sitk.GetImageFromArray(np.asarray(coarse.array, dtype=np.float32))
    image.SetSpacing(coarse.grid.spacing[::-1])
    image.SetOrigin(coarse.grid.origin.tolist())
    image.SetDirection(directions.ravel().tolist())
    return image


def _start(fixed: sitk.Image, moving: sitk.Image, same_frame: bool) -> sitk.Euler3DTransform:
    centred = sitk.CenteredTransformInitializer(fixed, moving, sitk.Euler3DTransform(),
                                                sitk.CenteredTransformInitializerFilter.MOMENTS)
    start = sitk.Euler3DTransform(centred)
    start.SetCenter(np.round(start.GetCenter(), 3).tolist())  # threads sum moments in any order
    start.SetTranslation(np.round(start.GetTranslation(), 3).tolist())
    if same_frame:
        start.SetTranslation((0.0, 0.0, 0.0))
    return start


def _method() -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetNumberOfWorkUnits(1)  # sums in one order: the same answer every time
    method.SetMetricAsMattesMutualInformation(32)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _mismatch(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Euler3DTransform) -> float:
    """The mutual information over all voxels where both show something, negative: the less the better.

    Infinite where they hardly overlap.
    """
    method = _method()
    method.SetInitialTransform(transform)
    try:
        return float(method.MetricEvaluate(fixed, moving))
    except RuntimeError:
        return float("inf")


def _optimise(fixed: sitk.Image, moving: sitk.Image, start: sitk.Euler3DTransform) -> sitk.Euler3DTransform:
    method = _method()
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentagePerLevel([0.5, 0.3, 0.05], _SEED)
    # Steps halve: from a start this near, slower ones (0.9) end no nearer and take twice the time.
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 200, gradientMagnitudeTolerance=1e-8)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([4.0, 2.0, 1.0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(sitk.Euler3DTransform(start), inPlace=False)
    try:
        found = method.Execute(fixed, moving)
    except RuntimeError as fault:
        raise Unfit("Two series cannot be laid onto one another: they hardly overlap.") from fault
    return sitk.Euler3DTransform(found.GetNthTransform(0) if found.GetName() == "CompositeTransform" else found)


def _matrix(transform: sitk.Euler3DTransform) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    centre = np.array(transform.GetCenter())
    matrix[:3, 3] = centre + np.array(transform.GetTranslation()) - matrix[:3, :3] @ centre
    return matrix.round(9)


def _translation(motion: NDArray[np.float64], grid: Grid) -> float:
    middle = grid.to_lps((np.array(grid.shape) - 1) / 2)
    return float(np.linalg.norm(motion[:3, :3] @ middle + motion[:3, 3] - middle))


def _rotation(motion: NDArray[np.float64]) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(motion[:3, :3]) - 1) / 2, -1.0, 1.0))))


def _farthest(motion: NDArray[np.float64], grid: Grid) -> float:
    """How far the corner of the field of view moves that moves most, in mm."""
    ends = [(0, n - 1) for n in grid.shape]
    corners = grid.to_lps([[z, y, x] for z in ends[0] for y in ends[1] for x in ends[2]])
    moved = corners @ motion[:3, :3].T + motion[:3, 3]
    return float(np.linalg.norm(moved - corners, axis=1).max())
