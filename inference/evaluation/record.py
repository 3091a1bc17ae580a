"""What an evaluation keeps: frozen, closed, and the same again after a trip through JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of all figures kept; JSON knows no infinity, so that one is written as the string "Infinity"."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")
