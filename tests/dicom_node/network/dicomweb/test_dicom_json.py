"""DICOM JSON of strangers: values where there are some, and no fault where there are none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dicom_node.network.dicomweb.dicom_json import parsed, value, values


def test_values_come_in_order_and_the_first_by_itself() -> None:
    data = parsed(json.dumps({"00080061": {"vr": "CS", "Value": ["CT", None, "SR"]}}).encode())
    assert values(data, "00080061") == ["CT", None, "SR"]
    assert value(data, "00080061") == "CT"


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[" * 200_000])
def test_what_is_no_json_says_nothing(body: bytes) -> None:
    assert parsed(body) is None


@pytest.mark.parametrize(
    "data", [None, 3, [], {}, {"00080061": None}, {"00080061": {"vr": "CS"}}, {"00080061": {"Value": "CT"}}]
)
def test_another_form_is_no_value(data: Any) -> None:
    assert values(data, "00080061") == []
    assert value(data, "00080061") is None
