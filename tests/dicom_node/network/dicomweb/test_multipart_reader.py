"""Multipart answers in every cut: the parts come out byte by byte, and what ends too soon is no part."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from itertools import chain, islice, repeat
from pathlib import Path

import pytest
from web_shelf import Shelf

from dicom_node.network.dicomweb.multipart_reader import LONGEST_LINE, BadMultipart, Parts

KIND = "multipart/related; type=application/dicom; boundary=x"
FILES = [b"one", b"", b"\r\n--", b"\r\n--part-of-an-answe", b"a\nb\r\n\r\n--\x00\r", bytes(range(256)) * 10]


def reader(body: bytes, size: int) -> Callable[[int], bytes]:
    """Gives `size` bytes at a time, whatever it is asked for."""
    source = BytesIO(body)
    return lambda at_most: source.read(min(size, at_most))


def parts(body: bytes, kind: str = KIND, size: int = 1 << 20) -> list[bytes]:
    return [b"".join(part) for part in Parts(kind, reader(body, size))]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1 << 20])
@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
@pytest.mark.parametrize("preamble", [b"", b"\r\n", b"This is a message\r\nof several parts\r\n"])
def test_parts_come_as_they_were_sent_however_the_answer_is_cut(size: int, newline: bytes, preamble: bytes) -> None:
    headers, body = Shelf(Path(), newline=newline, preamble=preamble).multipart(FILES)
    assert parts(body, headers["Content-Type"], size) == FILES


@pytest.mark.parametrize("boundary", ["x", "a b='()+_,-./:=?", "----=_Part_7", "0" * 70])
def test_boundaries_may_be_odd(boundary: str) -> None:
    headers, body = Shelf(Path(), boundary=boundary).multipart(FILES[:3])
    assert parts(body, headers["Content-Type"], 5) == FILES[:3]


@pytest.mark.parametrize(
    "kind",
    [
        "Multipart/Related;Boundary=x",
        'multipart/related; boundary="x"; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1',
        "multipart/mixed ; boundary=x ",
    ],
)
def test_the_kind_may_be_written_in_many_ways(kind: str) -> None:
    assert parts(b"--x\r\n\r\na\r\n--x--", kind) == [b"a"]


def test_blanks_may_follow_a_boundary_and_anything_the_last_one() -> None:
    assert parts(b"--x \t\r\nA: b\r\n\r\na\r\n--x  \r\n\r\nb\r\n--x-- and then") == [b"a", b"b"]


def test_content_may_begin_like_a_boundary() -> None:
    assert parts(b"--x\r\n\r\n\r\n--xy\r\n--x" + b"z" * 300 + b"\r\n--x--", size=3) == [b"\r\n--xy\r\n--x" + b"z" * 300]


def test_an_answer_may_have_no_parts() -> None:
    assert parts(b"--x--\r\n") == []


def test_what_is_not_read_of_a_part_is_skipped() -> None:
    _, body = Shelf(Path(), boundary="x").multipart([b"a" * 1000, b"b"])
    assert len([next(part) for part in Parts(KIND, reader(body, 10))]) == 2


WHOLE = b"--x\r\nContent-Type: application/dicom\r\n\r\nabc\r\n--x\r\n\r\ndef\r\n--x--"


@pytest.mark.parametrize("size", [1, 1000])
def test_wherever_it_is_cut_off_only_parts_that_were_over_have_been_read(size: int) -> None:
    for length in range(len(WHOLE)):
        whole: list[bytes] = []
        with pytest.raises(BadMultipart, match="ends before its last part does"):
            whole.extend(b"".join(part) for part in Parts(KIND, reader(WHOLE[:length], size)))
        assert whole in ([], [b"abc"])


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("application/dicom", b"", "no multipart"),
        ("", b"", "no multipart"),
        ("multipart/related", b"--x\r\n", "no multipart"),
        (f"multipart/related; boundary={'x' * 300}", b"--x\r\n", "no multipart"),
        (KIND, b"something\r\n" * 1000, "begins with something else"),
        (KIND, b"a" * 10 * LONGEST_LINE, "a line without an end"),
        (KIND, b"--x\r\n" + b"A: b\r\n" * 1000, "a head that does not end"),
        (KIND, b"--x\r\n" + b"a" * 10 * LONGEST_LINE, "a line without an end"),
    ],
)
def test_what_stands_around_parts_is_bounded(kind: str, body: bytes, told: str) -> None:
    with pytest.raises(BadMultipart, match=told):
        parts(body, kind, 1000)


def test_a_part_without_an_end_is_never_held_whole() -> None:
    said = chain([b"--x\r\n\r\n"], repeat(b"a" * 1000))
    part = next(iter(Parts(KIND, lambda _: next(said))))
    assert max(len(piece) for piece in islice(part, 1000)) <= 1010
