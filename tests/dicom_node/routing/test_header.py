"""Header values as archives hold them."""

import pytest

from dicom_node.routing.header import LONGEST_TEXT, first, number, numbers, plain, text, words


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3.0), (2.5, 2.5), ("2.50", 2.5), (" 7 ", 7.0), (["1.25", "9"], 1.25), ("1\\2", 1.0),
        (None, None), ("", None), ([], None), ("thick", None), ("nan", None), ("inf", None), (True, None), ({}, None),
    ],
)
def test_a_number_is_finite_or_missing(value, expected):
    assert number({"SliceThickness": value}, "SliceThickness") == expected


def test_one_bad_number_spoils_a_list():
    assert numbers({"PixelSpacing": [0.5, "0.5"]}, "PixelSpacing") == (0.5, 0.5)
    assert numbers({"PixelSpacing": [0.5, "?"]}, "PixelSpacing") == ()


@pytest.mark.parametrize("value", [["gr", "IR"], "GR\\ir", ["GR", "", "IR"]])
def test_several_values_are_a_list_or_one_text_with_backslashes(value):
    assert words({"ScanningSequence": value}, "ScanningSequence") == ("GR", "IR")
    assert first({"ScanningSequence": "GR\\IR"}, "ScanningSequence") == "GR"
    assert first({}, "ScanningSequence") == ""


def test_text_is_one_short_printable_line():
    assert text({"SeriesDescription": " Thorax\r\n\x1b[31m1.0 "}, "SeriesDescription") == "Thorax [31m1.0"
    assert len(text({"SeriesDescription": "x" * 10_000}, "SeriesDescription")) == LONGEST_TEXT


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Thorax_nativ-2.0", "thorax nativ 2.0"),
        ("ThoraxRoutine", "thorax routine"),
        ("CRÂNE 3D T1+C", "crane 3d t1+c"),
        ("Schädel/Größe", "schadel grosse"),
        ("T2* GRE", "t2* gre"),
        ("Głowa", "glowa"),
        ("GŁOWA", "glowa"),
        ("HØJRE KNÆ", "hojre knæ"),
    ],
)
def test_plain_text_is_what_expressions_see(line, expected):
    assert plain(line) == expected
