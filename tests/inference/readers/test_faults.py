"""Whatever is cut off a file or changed in it, pydicom answers with one of these."""

from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread

from inference.readers.faults import DICOM_FAULTS
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series


@pytest.fixture
def whole(tmp_path) -> bytes:
    grid = Grid((1, 8, 8), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(2, 1, 1)))
    volume = Volume(np.zeros(grid.shape, np.float32), grid, "HU")
    return write_series(volume, Acquisition.ct(StudyDetails.of("cut")), tmp_path)[0].read_bytes()


def test_damage_ends_in_a_known_fault(whole):
    rng, refused = np.random.default_rng(0), 0
    for length in range(0, len(whole), 37):
        damaged = bytearray(whole[:length])
        for place in rng.integers(0, max(length, 1), 3 if length else 0):
            damaged[place] ^= int(rng.integers(1, 256))
        try:
            dcmread(BytesIO(bytes(damaged)), force=True).pixel_array  # noqa: B018 - decoding is what may fail
        except DICOM_FAULTS:
            refused += 1
    assert refused > 10
