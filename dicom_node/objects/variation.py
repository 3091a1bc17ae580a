"""A data set beside another that differs in a few values; they share all the rest."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset


def varied(ds: Dataset, **values: Any) -> Dataset:
    """The same with other values of these attributes, which it has; nothing is copied, and `ds` stays as it is."""
    other = Dataset()
    other.update(ds)
    for keyword, value in values.items():
        element = ds[keyword]
        other.add_new(element.tag, element.VR, value)  # an assignment would change the element that both share
    return other
