"""Stored values become HU or signal, and what is no measurement is marked."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from inference.errors import Unfit
from inference.readers.values import AIR_HU, meaning_of, write_physical


def physical(stored, units="HU", frame=0, **attributes):
    ds = Dataset()
    for keyword, value in {"RescaleSlope": "1", "RescaleIntercept": "0", **attributes}.items():
        if value is not None:
            setattr(ds, keyword, value)
    out = np.full(np.shape(stored), np.nan, np.float32)
    write_physical(np.asarray(stored), meaning_of(ds), frame, units, out, "image 5")
    return out.tolist()


def test_slope_and_intercept_are_applied():
    assert physical(np.uint16([0, 10]), RescaleSlope="2.5", RescaleIntercept="-1000") == [-1000, -975]


def test_large_numbers_keep_their_value():
    assert physical(np.uint16([65535]), "signal") == [65535]
    assert physical(np.int16([-32768]), "signal") == [-32768]


@pytest.mark.parametrize(("units", "mark"), [("HU", AIR_HU), ("signal", 0.0)])
def test_a_range_of_padding_is_marked(units, mark):
    stored = np.int16([-2001, -2000, -1990, 7])
    found = physical(stored, units, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1995)
    assert found == [AIR_HU if units == "HU" else -2001, mark, AIR_HU if units == "HU" else -1990, 7]


def test_each_frame_has_its_own_transform():
    ds = Dataset()
    ds.SharedFunctionalGroupsSequence = [Dataset()]
    ds.PerFrameFunctionalGroupsSequence = [Dataset(), Dataset()]
    for group, slope in ((ds.SharedFunctionalGroupsSequence[0], "3"), (ds.PerFrameFunctionalGroupsSequence[1], "2")):
        item = Dataset()
        item.RescaleSlope, item.RescaleIntercept = slope, "0"
        group.PixelValueTransformationSequence = [item]
    out = np.zeros((2, 1), np.float32)
    for frame in (0, 1):
        write_physical(np.uint16([5]), meaning_of(ds), frame, "HU", out[frame], "frame 1")
    assert out.ravel().tolist() == [15, 10]


@pytest.mark.parametrize("slope", ["0", "1\\2"])
def test_a_transform_that_is_none_is_unfit(slope):
    with pytest.raises(Unfit, match="rescale of image 5 is not usable"):
        physical(np.uint16([0]), RescaleSlope=slope)


def test_a_signal_without_a_transform_is_as_stored():
    assert physical(np.uint16([3]), "signal", RescaleSlope=None) == [3]
