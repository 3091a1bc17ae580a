"""Channels on a grid as MONAI sees images: axes (x, y, z), millimetres in RAS, in memory or as NIfTI files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import Unfit
from inference.volume import Grid

if TYPE_CHECKING:
    from monai.data import MetaTensor

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
UPRIGHT = 1e-3  # that the scalar product of two directions is beside 0, at most
_XYZ = [2, 1, 0, 3]  # (z, y, x) columns of an affine as (x, y, z), and back


def in_memory(channels: NDArray[np.float32], grid: Grid, *, channel_first: bool) -> MetaTensor:
    """What MONAI's LoadImage would give for channels (channel, z, y, x): (x, y, z) for one channel unless asked."""
    import torch
    from monai.data import MetaTensor

    affine = LPS_TO_RAS @ grid.affine[:, _XYZ]
    array = np.ascontiguousarray(channels.transpose(0, 3, 2, 1))
    single = len(array) == 1 and not channel_first
    image = MetaTensor(torch.from_numpy(array[0] if single else array), affine=torch.from_numpy(affine.copy()))
    image.meta.update(original_affine=affine.copy(), spatial_shape=np.array(array.shape[1:]), space="RAS",
                      original_channel_dim="no_channel" if single else 0, filename_or_obj="image")
    return image


def as_files(channels: NDArray[np.float32], grid: Grid, folder: Path) -> Sequence[str] | str:
    """The same as NIfTI files, uncompressed, one a channel; for one channel its path alone.

    Unfit where slices lean: SimpleITK would write their directions as if they stood upright.
    """
    import SimpleITK as sitk  # noqa: N813

    if np.abs(grid.directions.T @ grid.directions - np.eye(3)).max() > UPRIGHT:
        raise Unfit("The slices lean (gantry tilt), which a bundle that reads files itself would not see: "
                    "reconstruct them without the tilt.")
    paths = []
    for number, array in enumerate(channels):
        image = sitk.GetImageFromArray(np.ascontiguousarray(array))
        image.SetSpacing(grid.spacing[::-1])
        image.SetDirection(grid.directions[:, ::-1].ravel().tolist())
        image.SetOrigin(grid.origin.tolist())
        paths.append(str(folder / f"image_{number}.nii"))
        sitk.WriteImage(image, paths[-1])
    return paths[0] if len(paths) == 1 else paths


def answer_of(prediction: Any, shown: Grid) -> tuple[NDArray[Any], Grid]:
    """A prediction (channel, x, y, z) as (channel, z, y, x), and the grid that it lies on.

    That is the grid of its own affine; one without an affine lies where the input was shown.
    """
    array = np.asarray(prediction.detach().cpu().float().numpy() if hasattr(prediction, "detach") else prediction)
    array = (array[None] if array.ndim == 3 else array).transpose(0, 3, 2, 1)
    shape = (array.shape[1], array.shape[2], array.shape[3])
    affine = getattr(prediction, "affine", None)
    if affine is None:
        return array, Grid(shape, shown.affine, shown.frame_of_reference_uid)
    lps = LPS_TO_RAS @ np.asarray(affine, dtype=np.float64)[:, _XYZ]
    return array, Grid(shape, lps, shown.frame_of_reference_uid)
