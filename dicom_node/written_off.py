"""The word `off` as the settings write it: readers of YAML by its old rules, as Helm's, take it for a boolean."""

from __future__ import annotations

from pydantic import BeforeValidator


def _off(value: object) -> object:
    return "off" if value is False else value


OrFalse = BeforeValidator(_off)  # of a setting that has `off` among its words
