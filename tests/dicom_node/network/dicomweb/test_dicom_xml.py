"""The Native DICOM Model of strangers: values where there are some, and no fault where there are none."""

from __future__ import annotations

import pytest

from dicom_node.network.dicomweb.dicom_json import value, values
from dicom_node.network.dicomweb.dicom_xml import as_json

NAMESPACE = ' xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM"'
BOMB = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><NativeDicomModel>&b;</NativeDicomModel>"""


@pytest.mark.parametrize("namespace", ["", NAMESPACE])
def test_it_says_the_same_as_dicom_json(namespace: str) -> None:
    told = as_json(f"""<NativeDicomModel{namespace}>
        <DicomAttribute tag="0008119a" vr="SQ"><Item number="1">
            <DicomAttribute tag="00080060" vr="CS">
                <Value number="1">CT</Value><Value number="2"> SEG </Value><Value number="3"/>
            </DicomAttribute>
        </Item></DicomAttribute>
        <DicomAttribute tag="00100010" vr="PN"><PersonName number="1"/></DicomAttribute>
    </NativeDicomModel>""".encode())
    assert values(value(told, "0008119A"), "00080060") == ["CT", "SEG", ""]
    assert values(told, "00100010") == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"<html><body>Log in</body></html>", b"<NativeDicomModel>", b"<a/>" * 2, BOMB,
     b'<?xml version="1.0" encoding="no-such"?><NativeDicomModel/>', b"\xff\xfe",
     b'<NativeDicomModel>' + b'<DicomAttribute tag="00081199"><Item>' * 5000
     + b'</Item></DicomAttribute>' * 5000 + b'</NativeDicomModel>'],
)  # fmt: skip
def test_what_is_no_such_document_says_nothing(body: bytes) -> None:
    assert as_json(body) is None
