"""A process has a folder for its files, and no image stays in it when the process is killed."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from inference.own_folder import OwnFolder, clear_abandoned

HOLD = "import sys; from inference.own_folder import OwnFolder; held = OwnFolder(); print(held.path, flush=True)"
WRITE = "(held.path / 'image_0.nii').write_bytes(b'voxels')"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, for this process and those that it starts."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_it_goes_with_its_process(temporary: Path) -> None:
    own = OwnFolder()
    (own.path / "image_0.nii").write_bytes(b"voxels")
    assert own.path.is_relative_to(temporary)
    del own
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_cleared(temporary: Path) -> None:
    die = f"{HOLD}; {WRITE}; import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", die], check=False, capture_output=True)
    assert [path.name for path in temporary.rglob("*.nii")] == ["image_0.nii"]
    clear_abandoned()
    assert list(temporary.iterdir()) == []


def test_what_a_living_process_has_stays(temporary: Path) -> None:
    ours = OwnFolder()
    live = f"{HOLD}; {WRITE}; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", live], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().decode().strip())
        clear_abandoned()
        assert ours.path.is_dir()
        assert theirs.is_dir()
        other.communicate()
    assert not theirs.exists()


def test_what_others_put_beside_it_stays(temporary: Path) -> None:
    (temporary / "segnode-bundle-old").mkdir()
    (temporary / "segnode-bundle-old" / "image_0.nii").write_bytes(b"of a release that may still run")
    (temporary / "segnode-bundle-link").symlink_to(temporary / "segnode-bundle-old")
    clear_abandoned()
    assert len(list(temporary.iterdir())) == 2
