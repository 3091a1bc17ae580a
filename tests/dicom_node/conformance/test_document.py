"""Sections are numbered in the order of reading; tables without a row are not shown."""

from __future__ import annotations

from dicom_node.conformance.document import Section, Table, numbered


def test_sections_are_numbered_and_named() -> None:
    first = Section("A", sections=(Section("B"), Section("C", sections=(Section("D"),))))
    parts = list(numbered([first, Section("E")]))
    assert [(part.heading, part.depth, part.anchor) for part in parts] == [
        ("1 A", 1, "s-1"), ("1.1 B", 2, "s-1-1"), ("1.2 C", 2, "s-1-2"), ("1.2.1 D", 3, "s-1-2-1"), ("2 E", 1, "s-2"),
    ]  # fmt: skip


def test_an_empty_table_is_left_out() -> None:
    empty, full = Table.of("none", ["a"], []), Table.of("one", ["a"], [["x"]])
    (part,) = numbered([Section("A", ("words", empty, full))])
    assert part.blocks == ("words", full)
    assert full.rows == (("x",),)
