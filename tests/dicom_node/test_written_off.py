"""`off`, which readers of YAML by its old rules hand on as a boolean: the setting's word all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from misconfigured import mistakes

from dicom_node.settings import load

PACS = "destinations: {{pacs: {{kind: dimse, ae_title: A, host: h, port: 104, commitment: {0}}}}}\n"


@pytest.mark.parametrize("written", ["off", "false", '"off"'])
def test_it_is_off_however_it_was_read(conf: Path, written: str) -> None:
    text = f"commitment: {{service: {written}}}\naudit: {{mode: {written}}}\n" + PACS.format(written)
    (conf / "node.yaml").write_text(text)
    (conf / "routes.yaml").write_text("routes: []\n")
    node = load(conf).node
    assert (node.commitment.service, node.audit.mode) == ("off", "off")
    assert not node.destinations["pacs"].asks_commitment


@pytest.mark.parametrize("key", ["commitment.service", "audit.mode"])
def test_on_is_no_such_word(conf: Path, key: str) -> None:
    outer, inner = key.split(".")
    (told,) = mistakes(conf, node=f"{outer}: {{{inner}: true}}\n", routes="routes: []\n")
    assert told.startswith(f"node.yaml:1: {key} = True: input should be 'off', ")
