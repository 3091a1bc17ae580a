"""One entry of a YAML file is changed, and nothing else in its text."""

from __future__ import annotations

from difflib import unified_diff

import pytest

from dicom_node.errors import ConfigurationError
from dicom_node.settings import shipped_folder
from dicom_node.settings.files import document_of
from dicom_node.settings.text import flow, with_entry

SHIPPED = (shipped_folder() / "node.yaml").read_text(encoding="utf-8")
CT1 = {"ae_title": "CT1", "host": "ct1.hospital.example", "port": 104}
TWO = """\
peers:   # who calls
  # the old one
  a: {ae_title: 'A', host: h, port: 1}  # room 3
  # the new one
  b:
    ae_title: B   # as its sticker says
    host: "g"
    # since May
    port: 2
    tls:
      # theirs
      authorities: a.pem
# the end
x: [1, 2]
"""


def lines_changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """Lines that went, lines that came."""
    lines = list(unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    return [one[1:] for one in lines if one[0] == "-"], [one[1:] for one in lines if one[0] == "+"]


def test_a_peer_is_added_to_the_shipped_file_and_taken_out_of_it_again() -> None:
    added = with_entry(SHIPPED, "node.yaml", "peers", "ct1", CT1)
    assert lines_changed(SHIPPED, added) == (
        ["peers: {}"],
        ["peers:", "  ct1:", "    ae_title: CT1", "    host: ct1.hospital.example", "    port: 104"],
    )
    assert with_entry(added, "node.yaml", "peers", "ct1", None) == SHIPPED


def test_a_changed_value_changes_its_line_and_keeps_its_comment() -> None:
    new = {"ae_title": "BB", "host": "g", "port": 104, "tls": {"authorities": "b.pem", "check_name": False}}
    assert lines_changed(TWO, with_entry(TWO, "node.yaml", "peers", "b", new)) == (
        ["    ae_title: B   # as its sticker says", "    port: 2", "      authorities: a.pem"],
        ["    ae_title: BB   # as its sticker says", "    port: 104", "      authorities: b.pem",
         "      check_name: false"],
    )


def test_within_braces_only_what_differs_is_written_anew() -> None:
    new = {"ae_title": "A", "host": "h2", "port": 1, "tls": {}}
    assert lines_changed(TWO, with_entry(TWO, "node.yaml", "peers", "a", new))[1] == [
        "  a: {ae_title: 'A', host: h2, port: 1, tls: {}}  # room 3"
    ]


def test_what_goes_takes_only_its_own_lines_with_it() -> None:
    without_port = {"ae_title": "B", "host": "g", "tls": {"authorities": "a.pem"}}
    assert lines_changed(TWO, with_entry(TWO, "node.yaml", "peers", "b", without_port)) == (["    port: 2"], [])
    assert lines_changed(TWO, with_entry(TWO, "node.yaml", "peers", "a", None)) == (
        ["  a: {ae_title: 'A', host: h, port: 1}  # room 3"], []
    )


def test_the_same_entry_leaves_the_text_as_it_is() -> None:
    assert with_entry(TWO, "node.yaml", "peers", "b", document_of(TWO, "").data["peers"]["b"]) == TWO


@pytest.mark.parametrize("text", [
    "", "a: 1", "a: 1\npeers:\nb: 2\n", "peers:  # none\n", "peers: {}  # none\n", "peers: {x: {port: 1}}\n",
    "peers:\n    x:\n        port: 1\n", "peers: {\n  x: {port: 1}\n}\n", "peers: ~\n",
])
def test_an_entry_finds_its_place_however_the_file_is_laid_out(text: str) -> None:
    before = document_of(text, "").data
    after = document_of(with_entry(text, "node.yaml", "peers", "ct1", CT1), "").data
    assert after == before | {"peers": {**(before.get("peers") or {}), "ct1": CT1}}


def test_a_layout_that_is_not_understood_is_left_to_a_person() -> None:
    text = "base: &base\n  x: {port: 1}\npeers:\n  <<: *base\n"
    with pytest.raises(ConfigurationError, match=r"node.yaml: peers.x is laid out so that it cannot be changed here"):
        with_entry(text, "node.yaml", "peers", "x", CT1)


def test_what_is_nested_without_end_is_not_written() -> None:
    entry: dict[str, object] = {}
    for _ in range(1000):
        entry = {"a": entry}
    with pytest.raises(ConfigurationError, match=r"node.yaml: peers.deep is nested too deep"):
        with_entry(TWO, "node.yaml", "peers", "deep", entry)


def test_a_value_on_one_line_reads_back_as_it_was() -> None:
    for value in ("on", "1", "null", "a: b", "#", "", "'", 1, 1.5, True, None, ["a, b", 2], {"x": {"y": ["z"]}}):
        assert document_of(f"key: {flow(value)}\n", "").data == {"key": value}
    assert flow(["clinical", "research"]) == "[clinical, research]"
    assert flow({"preset": "images", "captures": "key"}) == "{preset: images, captures: key}"
