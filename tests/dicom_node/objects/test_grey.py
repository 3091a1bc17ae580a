"""Stored pixels become HU or signal, and these become grey."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread

from dicom_node.errors import ResultInvalid
from dicom_node.objects.grey import Images, Window, values_of, window_for
from inference.readers.dicom import read_series
from inference.writers.dicom_series import Encoding


@pytest.mark.parametrize("enhanced", [False, True])
def test_values_are_those_that_the_model_saw(enhanced: bool, make_case) -> None:
    case = make_case(encoding=Encoding(enhanced=enhanced))
    images = Images(case.files["CT"])
    truth = np.asarray(read_series(case.files["CT"]).array)
    for z, source in enumerate(case.result.sources["CT"]):
        assert np.allclose(values_of(images[source.sop_instance_uid], source.frame), truth[z])


def test_a_multi_frame_image_is_read_once(make_case) -> None:
    (path,) = make_case(encoding=Encoding(enhanced=True)).files["CT"]
    images = Images([path])
    uid = str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)
    assert images[uid] is images[uid]


def test_an_image_that_is_not_among_the_files_is_said(make_case) -> None:
    with pytest.raises(ResultInvalid, match="not among the files"):
        Images(make_case().files["CT"])["1.2.3"]


def test_a_window_goes_from_black_to_white() -> None:
    values = np.array([-2000.0, -140.0, 60.0, 260.0, 3000.0], np.float32)
    assert Window.about(60.0, 400.0).grey(values).tolist() == [0, 0, 127, 255, 255]


def test_ct_is_shown_by_the_organ_and_mr_by_its_own_values() -> None:
    values = np.arange(1001, dtype=np.float32)
    assert window_for("CT", values, lung=True) == Window(-1350.0, 150.0)
    assert window_for("CT", values, lung=False) == Window(-140.0, 260.0)
    assert window_for("MR", values, lung=False) == Window(10.0, 995.0)


def test_a_slice_without_contrast_is_black() -> None:
    values = np.full((4, 4), 7.0, np.float32)
    assert not window_for("MR", values, lung=False).grey(values).any()
