"""A model's files are read again at a person's wish; what came out is kept, and told the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from dicom_node.assembly import Parts
from dicom_node.configuring.changes import Author
from dicom_node.models.verifying import verify
from dicom_node.settings import load
from inference.backends.pins import sha256_of
from storage.errors import NotFound


def test_what_came_out_is_kept_and_told(parts: Parts, audited: Callable[[], list[Element]]) -> None:
    check = verify(parts, "bright", Author(100.0))
    assert (check.model, check.at, check.fault, len(check.sha256)) == ("bright", 100.0, "", 64)
    with parts.database.reading() as tx:
        assert tx.model_checks.all() == {"bright": check}
    names = [one.text for message in audited() for one in message.iter("ParticipantObjectName")]
    assert "urn:segnode:model:bright" in names


class Otherwise:
    """What a file holds whose bytes were changed behind the file system's back."""

    def hexdigest(self) -> str:
        return "0" * 64


NETWORK = """
  net:
    task: liver_tumour
    kind: torchscript
    path: net.ts
    recipe: {primary: CT, channels: [{role: CT, scale: none}], spacing_mm: [1, 1, 1]}
    output: {activation: softmax, regions: [{name: Liver}]}
    window: [8, 8, 8]
"""


def test_a_file_that_seems_untouched_is_read_all_the_same(
    parts: Parts, conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (conf / "net.ts").write_bytes(b"weights")
    recorded = f"    sha256: {{net.ts: {sha256_of(conf / 'net.ts')}}}\n"
    (conf / "models.yaml").write_text((conf / "models.yaml").read_text() + NETWORK + recorded)
    changed = replace(parts, settings=load(conf))
    assert verify(changed, "net", Author(100.0)).fault == ""
    monkeypatch.setattr("inference.backends.pins.hashlib.file_digest", lambda *_: Otherwise())
    assert "net.ts of model net.ts was changed" in verify(changed, "net", Author(200.0)).fault


def test_a_model_that_is_not_there_is_told_with_those_that_are(parts: Parts) -> None:
    with pytest.raises(NotFound, match="there is no model nobody; known: bright"):
        verify(parts, "nobody", Author(100.0))
