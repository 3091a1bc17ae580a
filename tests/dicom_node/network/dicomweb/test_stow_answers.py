"""What a Store answer says of each instance, restated from PS3.18 I.2 and the servers that differ from it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dicom_node.network.dicomweb.stow_answers import statuses_of
from dicom_node.network.dicomweb.web_call import Answer
from dicom_node.network.statuses import Outcome, Status, is_stored

UID = "2.25.1"


def item(tag: str, reason: Any) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.66.4"]},
        "00081155": {"vr": "UI", "Value": [UID]},
        **({tag: {"vr": "US", "Value": [reason]}} if reason is not None else {}),
    }


def told(stored: Any = None, failed: Any = None, **more: Any) -> dict[str, Status]:
    body = {"00081199": {"vr": "SQ", "Value": stored}, "00081198": {"vr": "SQ", "Value": failed}, **more}
    return statuses_of(Answer(200, {}, json.dumps(body).encode()))


@pytest.mark.parametrize("reason", [None, 0])
def test_who_is_referenced_without_a_warning_is_stored(reason: int | None) -> None:
    assert str(told(stored=[item("00081196", reason)])[UID]) == "0x0000"


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (0xB000, "0xB000 data elements were coerced"),
        (0xB006, "0xB006 elements were discarded"),
        (0xB007, "0xB007 data set does not match SOP class"),
        ("45056", "0xB000 data elements were coerced"),
        (0xA700, "0xBFFF stored with an unnamed warning (warning reason 0xA700)"),
    ],
)
def test_a_warning_is_stored_all_the_same(reason: Any, text: str) -> None:
    status = told(stored=[item("00081196", reason)])[UID]
    assert (str(status), status.outcome) == (text, Outcome.WARNING)
    assert is_stored(str(status))


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (0xA700, Outcome.TRY_AGAIN),
        (0x0110, Outcome.TRY_AGAIN),
        (0xA900, Outcome.REFUSED),
        (0xC000, Outcome.REFUSED),
        (0xC122, Outcome.REFUSED),
        (0x0122, Outcome.REFUSED),
        (0x0124, Outcome.REFUSED),
        (None, Outcome.TRY_AGAIN),
        ("many", Outcome.TRY_AGAIN),
        (1 << 40, Outcome.TRY_AGAIN),
        (0, Outcome.TRY_AGAIN),
        (0xB000, Outcome.TRY_AGAIN),
    ],
)
def test_a_failure_means_what_it_means_by_c_store_and_is_never_stored(reason: Any, outcome: Outcome) -> None:
    status = told(failed=[item("00081197", reason)])[UID]
    assert status.outcome is outcome
    assert not is_stored(str(status))


@pytest.mark.parametrize("reason", [0x0111, 0xB00E])
def test_a_failure_because_it_is_there_is_no_failure(reason: int) -> None:
    status = told(failed=[item("00081197", reason)])[UID]
    assert (status.code, status.stored) == (0x0111, True)


def test_a_failure_rules_where_both_are_said() -> None:
    assert not told(stored=[item("00081196", None)], failed=[item("00081197", 0xC000)])[UID].stored


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b"7", b"[" * 100_000, b'{"00081199": 3}',
                                  b'{"00081199": {"Value": [null, {}, {"00081155": {"Value": [5]}}]}}'])  # fmt: skip
def test_what_says_nothing_says_nothing(body: bytes) -> None:
    assert statuses_of(Answer(200, {}, body)) == {}


def test_a_server_may_answer_in_xml_whatever_it_is_asked_for() -> None:
    """After the example of PS3.18 I.3."""
    body = b"""<?xml version="1.0" encoding="UTF-8"?>
    <NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">
      <DicomAttribute tag="00081198" vr="SQ" keyword="FailedSOPSequence">
        <Item number="1">
          <DicomAttribute tag="00081155" vr="UI"><Value number="1">2.25.2</Value></DicomAttribute>
          <DicomAttribute tag="00081197" vr="US"><Value number="1">43264</Value></DicomAttribute>
        </Item>
      </DicomAttribute>
      <DicomAttribute tag="00081199" vr="SQ" keyword="ReferencedSOPSequence">
        <Item number="1">
          <DicomAttribute tag="00081155" vr="UI"><Value number="1">2.25.1</Value></DicomAttribute>
        </Item>
        <Item number="2">
          <DicomAttribute tag="00081155" vr="UI"><Value number="1">2.25.3</Value></DicomAttribute>
          <DicomAttribute tag="00081196" vr="US"><Value number="1">45056</Value></DicomAttribute>
        </Item>
      </DicomAttribute>
    </NativeDicomModel>"""
    statuses = statuses_of(Answer(202, {"content-type": "application/dicom+xml"}, body))
    assert {uid: str(status) for uid, status in statuses.items()} == {
        "2.25.1": "0x0000",
        "2.25.2": "0xA900 data set does not match SOP class",
        "2.25.3": "0xB000 data elements were coerced",
    }


def test_what_a_server_quotes_is_not_repeated() -> None:
    quoted = item("00081197", 0xC000) | {"00000902": {"vr": "LO", "Value": ["bad name Doe^Jane"]}}
    assert "Doe" not in str(told(failed=[quoted])[UID])
