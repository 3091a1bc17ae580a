"""What we ask of peers is told to the audit trail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dicom_node.audit.facts import Outcome
from dicom_node.destinations import DimseDestination, FolderDestination, StowDestination
from dicom_node.network.peer import Peer
from dicom_node.network.query import Question
from dicom_node.witness import called, participants, witness

PACS = Peer(ae_title="PACS", host="10.0.0.1", port=104)


@pytest.mark.parametrize(("trouble", "outcome"), [("", Outcome.SUCCESS), ("it is down", Outcome.MINOR_FAILURE)])
def test_each_question_is_told_with_its_end(trouble: str, outcome: Outcome) -> None:
    told: list[tuple[Any, ...]] = []

    class Trail:
        def queried(self, *facts: Any) -> None:
            told.append(facts)

    witness(Trail())(Question(PACS, "1.2.3", b"\x08\x00", "1.2", trouble))  # type: ignore[arg-type]
    assert told == [(called(PACS), "1.2.3", b"\x08\x00", "1.2", outcome, trouble)]
    assert (called(PACS).ae_title, called(PACS).address) == ("PACS", "10.0.0.1")


def test_destinations_are_told_as_whom_they_call() -> None:
    pacs = DimseDestination(ae_title="PACS", host="10.0.0.1", port=104)
    web = StowDestination(url="https://pacs.example/dicom-web")
    share = FolderDestination(path=Path("/results"))
    known = participants({"pacs": pacs, "web": web, "share": share})
    assert known["pacs"] == called(PACS)
    assert (known["web"].user_id, known["web"].address) == ("https://pacs.example/dicom-web", "pacs.example")
    assert known["share"].user_id == "file:///results"
