"""The balancer's configuration that ships: HAProxy takes it, and it agrees with node.yaml."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from haproxy import SHIPPED, addressed, program

from dicom_node.settings import NodeSettings

pytestmark = pytest.mark.peer


def checked(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program(), "-c", "-f", str(file)], capture_output=True, text=True, check=False)


def test_what_ships_is_valid() -> None:
    done = checked(SHIPPED)
    assert (done.returncode, done.stdout + done.stderr) == (0, "Configuration file is valid\n"), "without a warning"


def test_so_is_what_the_walks_make_of_it(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(addressed(11200, [11201, 11202]))
    assert checked(file).returncode == 0
    assert file.read_text().count("server receiver") == 2


def test_it_agrees_with_the_nodes_settings() -> None:
    text, node = SHIPPED.read_text(), NodeSettings()
    assert f"bind :{node.port}" in text
    assert f"maxconn {node.max_associations}" in text
    assert node.idle_s < 30 * 60, "its own timeouts are longer"
