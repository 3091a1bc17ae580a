"""Research file formats through SimpleITK, which speaks LPS by itself; one door for NIfTI and MetaImage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from inference.errors import BadGeometry, Unfit
from inference.readers.arrange import MAX_VOXELS
from inference.volume import Grid, Units, Volume


def read_image(path: Path, image_io: str, units: Units, placed_as: Path | None = None) -> Volume:
    """The volume in a file; the slice axis is turned along row × column where the file has it the other way.

    `placed_as` is a file of as many voxels whose header is believed in place of this one's, where that tells no place.
    """
    reader = _file(path, image_io)
    header = reader if placed_as is None else _file(placed_as, image_io)
    try:
        reader.ReadImageInformation()
        header.ReadImageInformation()
        if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
            raise BadGeometry(f"{path.name} holds no single three-dimensional volume.")
        if int(np.prod(reader.GetSize())) > MAX_VOXELS:
            raise BadGeometry(f"{path.name} is too large: {' x '.join(map(str, reader.GetSize()))} voxels.")
        if header.GetSize() != reader.GetSize():
            raise BadGeometry(f"{path.name} has not as many voxels as the file that says where they lie.")
        image = reader.Execute()
    except RuntimeError as fault:
        if "orthonormal" in str(fault):
            raise BadGeometry(f"The axes of {path.name} do not stand at right angles, by its header: give it resampled "
                              "onto axes that do.") from fault
        raise Unfit(f"{path.name} cannot be read by {image_io}.") from fault
    array = sitk.GetArrayFromImage(image)
    affine = np.eye(4)
    directions = np.array(header.GetDirection()).reshape(3, 3)
    affine[:3, :3] = (directions * header.GetSpacing())[:, ::-1]  # columns z, y, x
    affine[:3, 3] = header.GetOrigin()
    if np.linalg.det(affine[:3, :3]) > 0:  # (z, y, x) columns of a right-handed frame have a negative determinant
        affine[:3, 3] += affine[:3, 0] * (array.shape[0] - 1)
        affine[:3, 0] *= -1
        array = np.ascontiguousarray(array[::-1])
    try:
        return Volume(array, Grid(array.shape, affine), units)
    except ValueError as fault:  # spacings of nothing, or of no number
        raise BadGeometry(f"{path.name} does not say where its voxels lie: {fault}.") from fault


def _file(path: Path, image_io: str) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(image_io)
    return reader
