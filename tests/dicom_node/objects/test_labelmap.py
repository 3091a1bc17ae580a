"""The label map as encoders get it: on its source slices, in the findings' numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dicom_node.errors import ResultInvalid
from dicom_node.objects.labelmap import areas, is_lesion, largest_slices, load_labels
from dicom_node.objects.source import load_sources


def test_it_is_the_results_mask(make_case: Callable[..., Any]) -> None:
    case = make_case()
    assert np.array_equal(load_labels(case.result, load_sources(case.result, case.files)), case.labels)


def test_findings_out_of_order_and_masks_of_another_shape_are_refused(make_case: Callable[..., Any]) -> None:
    case = make_case()
    sources = load_sources(case.result, case.files)
    with pytest.raises(ResultInvalid, match="numbered"):
        load_labels(replace(case.result, findings=case.result.findings[::-1]), sources)
    np.save(case.result.labelmap, case.labels[:, :-1])
    with pytest.raises(ResultInvalid, match="does not lie on 9 source slices"):
        load_labels(case.result, sources)


def test_each_finding_shows_most_on_one_slice(make_case: Callable[..., Any]) -> None:
    case = make_case()
    area = areas(case.labels, 3)
    assert area.sum(axis=0)[1:].tolist() == [f.voxels for f in case.result.findings]
    assert largest_slices(case.labels, case.result) == {1: 1, 2: 2, 3: 5}
    assert area[5, 3] > area[6, 3]


def test_lesions_are_told_from_organs(make_case: Callable[..., Any]) -> None:
    assert [is_lesion(f) for f in make_case().result.findings] == [False, True, True]
