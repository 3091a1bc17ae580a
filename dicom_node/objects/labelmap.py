"""A result's label map, checked to lie on its source slices, and where a finding shows most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dicom_node.errors import ResultInvalid
from dicom_node.objects.source import Sources
from inference.codes import ABNORMAL_STRUCTURE
from inference.findings import Finding, Result

Labels = NDArray[np.unsignedinteger]


def load_labels(result: Result, sources: Sources) -> Labels:
    """The label map, shape (slice, row, column); ResultInvalid where findings or source slices do not fit it."""
    labels: Labels = np.load(result.labelmap, mmap_mode="r")
    if [f.number for f in result.findings] != list(range(1, len(result.findings) + 1)):
        raise ResultInvalid("findings are not numbered 1..N in order")
    if labels.shape != (len(sources.planes), sources.planes[0].Rows, sources.planes[0].Columns):
        raise ResultInvalid(f"a mask of {labels.shape} does not lie on {len(sources.planes)} source slices")
    return labels


def areas(labels: Labels, findings: int) -> NDArray[np.int64]:
    """Pixels of each finding on each slice, shape (slice, 1 + findings); column 0 is the background."""
    area = np.stack([np.bincount(plane[plane > 0], minlength=findings + 1) for plane in labels]).astype(np.int64)
    area[:, 0] = labels[0].size - area.sum(axis=1)
    return area


def largest_slices(labels: Labels, result: Result) -> dict[int, int]:
    """For each finding's number the slice where it covers most pixels, the first of several."""
    area = areas(labels, len(result.findings))
    return {f.number: int(area[:, f.number].argmax()) for f in result.findings if area[:, f.number].any()}


def is_lesion(finding: Finding) -> bool:
    """Whether it is something that should not be there, rather than an organ."""
    return finding.structure.category == ABNORMAL_STRUCTURE
