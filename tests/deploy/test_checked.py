"""deploy/README.md tells of every file how it was checked, and names nothing that is not there.

deploy/lint.sh, deploy/install-test-tools.sh
"""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "README.md").read_text()
TABLE = TEXT.partition("## How each file was checked")[2]
PATTERNS = [name for row in re.findall(r"^\| (`.*?) \|", TABLE, re.M) for name in re.findall(r"`([^`]+)`", row)]
NOTES = sorted(path for path in DEPLOY.rglob("*.md"))


def tracked() -> list[str]:
    listing = subprocess.run(["git", "ls-files", "deploy"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [line.removeprefix("deploy/") for line in listing.splitlines() if (ROOT / line).exists()]


def test_every_file_has_its_row() -> None:
    assert [name for name in tracked() if not any(fnmatch(name, pattern) for pattern in PATTERNS)] == []


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_row_is_of_a_file(pattern: str) -> None:
    assert any(fnmatch(name, pattern) for name in tracked())


@pytest.mark.parametrize("note", NOTES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_a_note_leads_to_what_is_there(note: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", note.read_text())
    assert [link for link in links if not (note.parent / link).exists()] == []
    named = re.findall(r"(?<![\w./])deploy/[\w./-]*\w", note.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_yamllint_finds_nothing_to_say() -> None:
    """Helm's templates are no YAML before they are rendered."""
    files = [DEPLOY / name for name in tracked() if name.endswith(".yaml") and "/templates/" not in name]
    command = [Path(sys.executable).parent / "yamllint", "--strict", "--config-file", DEPLOY / ".yamllint.yaml", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
