"""Whether peers answer and what they take, in words (dicom_node.checking.asking_partners)."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_node.checking.asking_partners import echoed, probed
from dicom_node.destinations import DimseDestination, FolderDestination
from dicom_node.network.embedded_archive import EmbeddedArchive
from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port
from storage.errors import IllegalStep


def test_one_that_answers_is_told_and_what_it_takes(tmp_path: Path) -> None:
    with EmbeddedArchive(tmp_path) as archive:
        pacs = DimseDestination(ae_title="ARCHIVE", host="127.0.0.1", port=archive.port, profile="ohif")
        heard, found = echoed(pacs, "SEGNODE"), probed(pacs, "SEGNODE")
    assert heard.answers
    assert heard.sentence.startswith(f"ARCHIVE@127.0.0.1:{archive.port} answers C-ECHO (")
    assert found.sentence == "It takes everything that its profile sends."
    assert found.services == {"C-ECHO": True, "storage commitment": False}
    assert dict(found.table)["seg"][0] is True


def test_one_that_is_silent_is_told_too() -> None:
    nobody = Peer(ae_title="NOBODY", host="127.0.0.1", port=free_port())
    heard, found = echoed(nobody, "SEGNODE"), probed(nobody, "SEGNODE")
    assert (heard.answers, found.answers, found.profile) == (False, False, None)
    assert "NOBODY@127.0.0.1" in heard.sentence


def test_a_folder_is_looked_at_and_not_probed(tmp_path: Path) -> None:
    assert echoed(FolderDestination(path=tmp_path), "SEGNODE").answers
    assert not echoed(FolderDestination(path=tmp_path / "none"), "SEGNODE").answers
    with pytest.raises(IllegalStep, match="this one is of kind folder"):
        probed(FolderDestination(path=tmp_path), "SEGNODE")
