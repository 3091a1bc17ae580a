"""The images: hadolint's rules, and what keeps them small, unprivileged and independent of the index.

That they build, and run on a read-only root file system, is tried by hand: deploy/README.md says how.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DOCKERFILE = DEPLOY / "container" / "Dockerfile"
TEXT = DOCKERFILE.read_text()


def stage(name: str) -> str:
    """The lines of one stage, continued ones joined."""
    joined = TEXT.replace("\\\n", " ")
    return re.split(r"^FROM ", joined.split(f" AS {name}\n")[1], maxsplit=1, flags=re.M)[0]


def test_hadolint_finds_nothing_to_say() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_base_has_a_version() -> None:
    base = re.search(r"^ARG BASE=(\S+)$", TEXT, re.M)
    assert base
    assert not base[1].endswith((":latest", "-slim:latest"))
    assert re.search(r":\d+\.\d+", base[1])


@pytest.mark.parametrize("name", ["node", "worker"])
def test_an_image_ends_unprivileged(name: str) -> None:
    assert re.findall(r"^USER (\S+)$", stage(name), re.M)[-1] == "8104:8104"


def test_nothing_comes_from_an_index() -> None:
    assert "pip install" not in TEXT
    assert "/wheelhouse/install-venv.sh /wheelhouse" in stage("built")


def test_it_knows_the_zones_of_the_world() -> None:
    """Without them TZ is UTC, whatever it says; a base may lack them."""
    assert re.search(r"apt-get install .*\btzdata\b", stage("node"))


def test_what_builds_stays_behind() -> None:
    assert not re.search(r"gcc|build-essential|python3-(dev|pip|venv)", stage("node") + stage("worker"))


def test_signals_reach_the_node_and_docker_asks_how_it_is() -> None:
    assert 'ENTRYPOINT ["tini", "--", "segnode"]' in stage("node")
    assert "STOPSIGNAL SIGTERM" in stage("node")
    assert 'CMD ["segnode", "health"]' in stage("node")
