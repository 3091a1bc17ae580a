"""Labelled cases for training and evaluation, one published layout a file; torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from inference.errors import DataError
from inference.training.datasets.base import CaseRef, DataSet, LabelledCase, Mark
from inference.training.datasets.settings import (
    BratsSettings,
    DataSettings,
    LitsSettings,
    Luna16Settings,
    OrganSettings,
    PhantomSettings,
)
from inference.training.datasets.walk import walk

AnyDataSet = Annotated[
    BratsSettings | LitsSettings | Luna16Settings | OrganSettings | PhantomSettings, Field(discriminator="kind")
]

_ADAPTER: TypeAdapter[DataSettings] = TypeAdapter(AnyDataSet)


def build(settings: Mapping[str, Any]) -> DataSettings:
    """The settings of a data set, checked; DataError names every key that is wrong."""
    try:
        return _ADAPTER.validate_python(dict(settings))
    except ValidationError as fault:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'data'}: {e['msg']}" for e in fault.errors())
        raise DataError(f"the data set's settings are wrong: {wrong}") from fault


__all__ = ["AnyDataSet", "CaseRef", "DataSet", "DataSettings", "LabelledCase", "Mark", "build", "walk"]
