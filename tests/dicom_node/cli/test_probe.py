"""`segnode probe` shows what a peer takes and what to write into node.yaml."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from dicom_node.cli import main as cli

NARROW = """[[TransferSyntaxes]]
[Plain]
TransferSyntax1 = LittleEndianExplicit
[[PresentationContexts]]
[Narrow]
PresentationContext1 = SecondaryCaptureImageStorage\\Plain
PresentationContext2 = EnhancedSRStorage\\Plain
[[Profiles]]
[Default]
PresentationContexts = Narrow
"""


@pytest.fixture
def narrow(storescp, tmp_path) -> str:
    (tmp_path / "narrow.cfg").write_text(NARROW)
    return f"127.0.0.1:{storescp('--config-file', str(tmp_path / 'narrow.cfg'), 'Default').port}:ARCHIVE"


@pytest.mark.peer
def test_the_profile_that_fits_can_be_copied(narrow: str) -> None:
    done = CliRunner().invoke(cli.main, ["probe", narrow])
    assert done.exit_code == 0, done.output
    assert "It does not take segmentations, Comprehensive 3D SR." in done.output
    assert "    profile: {seg: none, sr: enhanced, captures: all}" in done.output
    assert "commitment: not offered" in done.output


@pytest.mark.peer
def test_a_script_gets_it_as_json(narrow: str) -> None:
    told = json.loads(CliRunner().invoke(cli.main, ["probe", narrow, "--json"]).output)
    assert told["accepted"] == {"enhanced": ["explicit"], "capture": ["explicit"]}
    assert told["profile"] == {"seg": "none", "sr": "enhanced", "captures": "all"}
