"""Is this the body part? Looks at the voxels before any network runs.

Headers name the body part wrongly in about one study of seven (Güld 2002), and a network answers for a
knee as readily as for a head. Each check works on a copy at 4 mm, takes well under a second, and raises
`Unfit` with a reason in a radiographer's words.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from inference.errors import Unfit
from inference.volume import Spacing, Volume

COARSE_MM = 4.0
MINIMUM_LUNGS_ML = 1500.0
UNEVEN = 0.5  # the nearer border of two lungs has at least this share of the other's distance from the middle
MINIMUM_LIVER_CORE_ML = 100.0
HEAD_WIDTH_MM = (90.0, 220.0)
HEAD_LENGTH_MM = (110.0, 280.0)
MINIMUM_HEAD_COVERAGE_MM = 90.0


def check_ct_units(volume: Volume) -> None:
    """Unfit unless the values are Hounsfield units: air far below water, soft tissue around it."""
    if volume.units != "HU":
        raise Unfit("The CT's values are no Hounsfield units.")
    sample = np.asarray(volume.array[::2, ::4, ::4], dtype=np.float32)
    air = float(np.mean(sample < -300))
    tissue = float(np.mean((sample > -160) & (sample < 240)))
    if air < 0.005 or tissue < 0.02:
        raise Unfit("The CT's values do not look like Hounsfield units: "
                    f"{air:.1%} of the voxels are air or lung, {tissue:.1%} soft tissue.")


def lung_volume_ml(volume: Volume) -> float:
    """Aerated lung in ml: dark regions inside the body, large and not as dark as free gas."""
    lungs = lung_mask(volume)
    return float(np.count_nonzero(lungs.array)) * lungs.grid.voxel_ml


def lung_midline_mm(volume: Volume) -> float | None:
    """LPS x of the plane between the lungs; None without lungs.

    That is halfway between their outer borders, or in the middle of the body where these lie unevenly about it: after
    a pneumonectomy, or with a lung that is white, all the air lies to one side.
    """
    coarse = _coarse(volume, -1024.0)
    places = np.argwhere(_lungs_of(coarse).array)
    if len(places) == 0:
        return None
    right, left = np.percentile(coarse.grid.to_lps(places)[:, 0], (0.5, 99.5))
    middle = _middle_mm(coarse, np.unique(places[:, 0]))
    near, far = sorted((middle - right, left - middle))
    return float(right + left) / 2 if near > UNEVEN * far else middle


def _middle_mm(coarse: Volume, slices: NDArray[np.intp]) -> float:
    """LPS x that has half of the body on either side, in these slices of the 4 mm grid."""
    body = np.argwhere(~_outside(np.asarray(coarse.array, dtype=np.float32)[slices]))
    body[:, 0] = slices[body[:, 0]]
    return float(np.median(coarse.grid.to_lps(body)[:, 0]))


def lung_mask(volume: Volume) -> Volume:
    """Aerated lung as bool on a canonical 4 mm grid."""
    return _lungs_of(_coarse(volume, -1024.0))


def _lungs_of(coarse: Volume) -> Volume:
    array = np.asarray(coarse.array, dtype=np.float32)
    parts, count = scipy.ndimage.label((array < -400) & ~_outside(array))
    if count == 0:
        return coarse.with_array(parts > 0)
    index = np.arange(1, count + 1)
    volumes = np.bincount(parts.ravel())[1:] * coarse.grid.voxel_ml
    means = scipy.ndimage.mean(array, parts, index)
    lungs = index[(volumes > 50.0) & (means > -960.0)]
    return coarse.with_array(np.isin(parts, lungs) & (array > -980.0))


def check_lungs(volume: Volume) -> None:
    """Unfit unless the CT shows at least 1.5 litres of aerated lung."""
    found = lung_volume_ml(volume)
    if found < MINIMUM_LUNGS_ML:
        raise Unfit(f"This CT does not show the lungs: {found / 1000:.1f} litres of aerated lung found, "
                    f"at least {MINIMUM_LUNGS_ML / 1000:.1f} needed.")


def liver_core_ml(volume: Volume) -> float:
    """Solid tissue of 20..200 HU in the right half of the body that lies at least 16 mm deep in itself, in ml.

    A whole liver has several hundred millilitres of it; heart, muscle and bowel have little, and so has a
    liver of which the scan shows but a few slices.
    """
    coarse = _coarse(volume, -1024.0)
    array = scipy.ndimage.uniform_filter(np.asarray(coarse.array, dtype=np.float32), 3)
    body = array > -300
    if not body.any():
        return 0.0
    solid = (array > 20) & (array < 200)
    depth = scipy.ndimage.distance_transform_edt(np.pad(solid, 1), sampling=coarse.grid.spacing)
    core = depth[1:-1, 1:-1, 1:-1] > 16.0
    middle = float(np.median(np.nonzero(body)[2]))
    core[:, :, int(middle):] = False  # x runs to the patient's left
    parts, count = scipy.ndimage.label(core)
    if count == 0:
        return 0.0
    return float(np.bincount(parts.ravel())[1:].max()) * coarse.grid.voxel_ml


def check_liver(volume: Volume) -> None:
    """Unfit unless the CT shows most of a liver."""
    found = liver_core_ml(volume)
    if found < MINIMUM_LIVER_CORE_ML:
        raise Unfit("This CT does not show the liver: no large solid organ on the right side of the body.")


def head_mask(volume: Volume) -> Volume:
    """The head (or whatever lies in the coil) as bool on a canonical 4 mm grid: Otsu, closed, filled, largest part."""
    coarse = _coarse(volume, 0.0)
    array = scipy.ndimage.gaussian_filter(np.asarray(coarse.array, dtype=np.float32), 1.0)
    bright = scipy.ndimage.binary_closing(np.pad(array > _otsu(array), 4), iterations=3)[4:-4, 4:-4, 4:-4]
    parts, count = scipy.ndimage.label(bright)
    if count == 0:
        return coarse.with_array(bright)
    mask = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    for k in range(mask.shape[0]):
        mask[k] = scipy.ndimage.binary_fill_holes(mask[k])
    return coarse.with_array(mask)


def check_brain(volume: Volume, name: str = "series") -> None:
    """Unfit unless the MR shows a head: of a head's size, and closing to a vault at its upper end."""
    mask = head_mask(volume)
    z, y, x = (np.flatnonzero(mask.array.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    if z.size == 0:
        raise Unfit(f"The {name} series shows nothing: all voxels are alike.")
    height, length, width = (float(a[-1] - a[0] + 1) * COARSE_MM for a in (z, y, x))
    if height < MINIMUM_HEAD_COVERAGE_MM:
        raise Unfit(f"The {name} series covers only {height:.0f} mm from top to bottom; "
                    f"a brain needs {MINIMUM_HEAD_COVERAGE_MM:.0f} mm.")
    if not (HEAD_WIDTH_MM[0] <= width <= HEAD_WIDTH_MM[1] and HEAD_LENGTH_MM[0] <= length <= HEAD_LENGTH_MM[1]):
        raise Unfit(f"The {name} series does not show a head: what it shows measures {width:.0f} mm from right "
                    f"to left and {length:.0f} mm from front to back.")
    areas = np.count_nonzero(mask.array, axis=(1, 2))[z[0]:z[-1] + 1]
    if areas[-1] > 0.6 * areas.max():
        raise Unfit(f"The {name} series does not show a head: it does not close to a vault at its upper end.")


def _coarse(volume: Volume, fill: float) -> Volume:
    from inference.transforms.geometry import canonical, grid_at_spacing, resample

    volume = canonical(volume)
    return resample(volume, grid_at_spacing(volume.grid, Spacing(COARSE_MM, COARSE_MM, COARSE_MM)), fill=fill)


def _outside(array: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Air around the body: dark regions that reach the image's edge within a slice."""
    dark = array < -400
    out = np.zeros_like(dark)
    for k in range(array.shape[0]):
        parts, _ = scipy.ndimage.label(dark[k])
        edge = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
        out[k] = np.isin(parts, edge[edge > 0])
    return out


def _otsu(array: NDArray[np.float32]) -> float:
    """Otsu's threshold over 256 bins between the darkest and the 99th percentile."""
    bottom, top = float(array.min()), float(np.percentile(array, 99))
    if top <= bottom:
        return float(array.max())
    counts, edges = np.histogram(array, bins=256, range=(bottom, top))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * centres)
    gap = sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return float(centres[int(np.argmax(below * above * gap**2))])
