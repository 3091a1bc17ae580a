"""Markdown shows what the document says, whatever signs its cells hold."""

from __future__ import annotations

from dicom_node.conformance.document import Document, Section, Table
from dicom_node.conformance.markdown import to_markdown


def test_headings_paragraphs_and_tables() -> None:
    table = Table.of("Peers", ("Name", "Words"), [("pacs", "one | two"), ("a_b", "<b>*bold*\nnext")])
    document = Document("Statement", (("Product", "Segnode"),), (Section("Net", ("Words.", table), (Section("In"),)),))
    assert to_markdown(document).splitlines() == [
        "# Statement", "", "- Product: Segnode", "", "- 1 Net", "  - 1.1 In",
        "", "## 1 Net", "", "Words.", "", "**Peers**", "",
        "| Name | Words |", "| --- | --- |", "| pacs | one &#124; two |", r"| a\_b | \<b\>\*bold\* next |",
        "", "### 1.1 In",
    ]  # fmt: skip
