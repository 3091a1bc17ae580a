"""The scripts: who installs finds everything in its Debian place, and a configuration of his own untouched.

deploy/install.sh, deploy/install-venv.sh, deploy/wheelhouse.sh, deploy/requirements.py, deploy/systemd
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dicom_node.running.node import CONFIGURATION_EXIT, ROLES
from dicom_node.settings import NodeSettings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SCRIPTS = [*sorted(DEPLOY.glob("*.sh")), DEPLOY / "systemd" / "segnode"]
BESIDE_PYTHON = Path(sys.executable).parent
TELLING = [*SCRIPTS, *sorted(DEPLOY.glob("*.md")), ROOT / "README.md", ROOT / "Makefile"]
UNITS = ("segnode.service", "segnode@receive.service", "segnode-raylet.service")


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(command), capture_output=True, text=True, check=False, env={**os.environ, **environment})


def named(kind: str) -> list[str]:
    done = run(sys.executable, DEPLOY / "requirements.py", kind)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def wheelhouse(tmp_path: Path) -> Path:
    """One whose installer only lays out what a real one would."""
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    (folder / "segnode-0.1.0-py3-none-any.whl").touch()
    installer = folder / "install-venv.sh"
    installer.write_text(
        "#!/bin/sh\nset -eu\n"
        'mkdir -p "$2/bin" "$2/share/segnode"\n'
        f'cp -R "{ROOT / "conf"}" "$2/share/segnode/conf"\n'
        'for name in segnode ray; do printf "#!/bin/sh\\n" > "$2/bin/$name" && chmod +x "$2/bin/$name"; done\n'
    )
    installer.chmod(0o755)
    return folder


@pytest.fixture
def machine(tmp_path: Path, wheelhouse: Path) -> Path:
    """The root of a machine on which it is installed."""
    done = run(DEPLOY / "install.sh", wheelhouse, DESTDIR=str(tmp_path / "machine"))
    assert done.returncode == 0, done.stderr
    assert "systemctl enable --now segnode" in done.stdout
    return tmp_path / "machine"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing_to_say(script: Path) -> None:
    done = run(BESIDE_PYTHON / "shellcheck", script)
    assert (done.returncode, done.stdout) == (0, "")
    assert os.access(script, os.X_OK)


class TestWhatIsInstalled:
    def test_lies_where_debian_has_it(self, machine: Path) -> None:
        found = {str(path.relative_to(machine)) for path in machine.rglob("*") if not path.is_dir()}
        assert {path for path in found if not path.startswith("opt/")} == {
            "etc/segnode/logging.yaml", "etc/segnode/models.yaml", "etc/segnode/node.yaml", "etc/segnode/routes.yaml",
            "etc/systemd/system/segnode.service", "etc/systemd/system/segnode.service.d/common.conf",
            "etc/systemd/system/segnode@.service", "etc/systemd/system/segnode@.service.d/common.conf",
            "etc/systemd/system/segnode-raylet.service", "etc/systemd/system/segnode-raylet.service.d/common.conf",
            "usr/lib/sysusers.d/segnode.conf", "usr/lib/tmpfiles.d/segnode.conf", "usr/local/bin/segnode",
        }  # fmt: skip
        assert (machine / "opt/segnode/current").readlink() == Path("0.1.0")

    def test_keeps_its_data_where_the_service_may_write(self, machine: Path) -> None:
        assert "\ndata_folder: /var/lib/segnode\n" in (machine / "etc/segnode/node.yaml").read_text()

    def test_is_begun_anew_where_it_was_not_finished(self, machine: Path, wheelhouse: Path) -> None:
        (machine / "opt/segnode/0.1.0/bin/segnode").unlink()
        done = run(DEPLOY / "install.sh", wheelhouse, DESTDIR=str(machine))
        assert (done.returncode, (machine / "opt/segnode/0.1.0/bin/segnode").exists()) == (0, True)

    def test_leaves_a_configuration_as_it_is(self, machine: Path, wheelhouse: Path) -> None:
        own = machine / "etc/segnode/node.yaml"
        own.write_text("ae_title: OURS\n")
        done = run(DEPLOY / "install.sh", wheelhouse, DESTDIR=str(machine))
        assert (done.returncode, own.read_text()) == (0, "ae_title: OURS\n")

    def test_is_what_the_wheelhouse_holds_also_where_its_version_is_there(
        self, machine: Path, wheelhouse: Path
    ) -> None:
        """Two states of one checkout call themselves alike; the program that runs is left whole, for the way back."""
        (wheelhouse / "segnode-0.1.0-py3-none-any.whl").write_bytes(b"another one")
        for _ in range(2):  # the second time nothing is left to do
            done = run(DEPLOY / "install.sh", wheelhouse, DESTDIR=str(machine))
            assert done.returncode == 0, done.stderr
        place = (machine / "opt/segnode/current").readlink()
        assert re.fullmatch(r"0\.1\.0-[0-9a-f]{8}", place.name)
        assert f"Segnode {place} is installed" in done.stdout
        assert {path.name for path in (machine / "opt/segnode").iterdir()} == {"0.1.0", place.name, "current"}

    def test_stays_as_it_is_where_the_next_release_is_refused(self, machine: Path, wheelhouse: Path) -> None:
        """A wheelhouse that was damaged on the way, or is for another Python: no unit of it beside the old program."""
        (wheelhouse / "segnode-0.1.0-py3-none-any.whl").rename(wheelhouse / "segnode-0.2.0-py3-none-any.whl")
        (wheelhouse / "install-venv.sh").write_text("#!/bin/sh\necho requirements.txt: FAILED\nexit 1\n")
        units = [*(machine / "etc/systemd/system").rglob("*.*"), machine / "usr/local/bin/segnode"]
        files = [path for path in units if path.is_file()]
        for file in files:
            file.write_text("# of the release that runs\n")
        done = run(DEPLOY / "install.sh", wheelhouse, DESTDIR=str(machine))
        assert (done.returncode, done.stdout) == (1, "requirements.txt: FAILED\n")
        assert {file.read_text() for file in files} == {"# of the release that runs\n"}
        assert (machine / "opt/segnode/current").readlink() == Path("0.1.0")

    def test_is_never_one_that_did_not_come_to_its_end(self, machine: Path, wheelhouse: Path) -> None:
        """However often it is tried: a program that cannot say its version does not become the one that runs."""
        (wheelhouse / "segnode-0.1.0-py3-none-any.whl").write_bytes(b"another one")
        with (wheelhouse / "install-venv.sh").open("a") as installer:
            installer.write("exit 1\n")
        for _ in range(3):
            done = run(DEPLOY / "install.sh", wheelhouse, DESTDIR=str(machine))
            assert (done.returncode, (machine / "opt/segnode/current").readlink()) == (1, Path("0.1.0"))

    def test_can_be_run_by_the_service_whatever_the_umask_of_root(self, tmp_path: Path, wheelhouse: Path) -> None:
        done = run("sh", "-c", 'umask 077 && exec "$0" "$1"', DEPLOY / "install.sh", wheelhouse,
                   DESTDIR=str(tmp_path / "machine"))  # fmt: skip
        assert done.returncode == 0, done.stderr
        program = tmp_path / "machine/opt/segnode/0.1.0"
        shut = [path for path in (program.parent, program, *program.rglob("*")) if path.stat().st_mode & 0o005 == 0]
        assert shut == []


class TestCommandsThatAreTold:
    """By the installer, the handbooks and the Makefile."""

    @pytest.mark.parametrize("place", TELLING, ids=lambda path: path.name)
    def test_an_upgrade_restarts_what_runs_and_starts_nothing_else(self, place: Path) -> None:
        """Where roles run apart, `systemctl restart segnode` leaves them as they are and starts a whole node beside."""
        assert not re.search(r"systemctl restart segnode\b(?!@)", place.read_text())

    @pytest.mark.parametrize("place", TELLING, ids=lambda path: path.name)
    def test_an_index_of_torch_comes_beside_that_of_all_other_packages(self, place: Path) -> None:
        """It has no pydicom: asked alone, it makes no wheelhouse."""
        assert "--index-url" not in place.read_text()


class TestFolders:
    """deploy/systemd/segnode.tmpfiles, which systemd goes by at every start of the machine."""

    @pytest.fixture
    def configuration(self, machine: Path) -> Path:
        (machine / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nsegnode:x:0:0::/:/bin/sh\n")
        (machine / "etc/group").write_text("root:x:0:\nsegnode:x:0:\n")
        return machine / "etc/segnode"

    def made(self, machine: Path) -> None:
        as_root = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]  # who is alone there: one user, one group
        made = ["systemd-tmpfiles", "--create", f"--root={machine}", "--prefix=/etc/segnode", "segnode.conf"]
        done = run(*as_root, *made)
        assert done.returncode == 0, done.stderr

    def test_the_console_may_change_the_configuration_until_somebody_forbids_it(
        self, machine: Path, configuration: Path
    ) -> None:
        shutil.rmtree(configuration)
        self.made(machine)
        assert configuration.stat().st_mode & 0o7777 == 0o2770
        configuration.chmod(0o2750)
        self.made(machine)
        assert configuration.stat().st_mode & 0o7777 == 0o2750


class TestCommand:
    """deploy/systemd/segnode, which root's commands go through to the node's own user."""

    @pytest.mark.parametrize(("by", "told"), [("anne", "anne segnode"), ("", "root segnode")])
    def test_tells_the_program_who_called_root(self, machine: Path, tmp_path: Path, by: str, told: str) -> None:
        """By LOGNAME, by which the audit trail names people; runuser sets it to the node's own user."""
        command = machine / "usr/local/bin/segnode"
        command.write_text(command.read_text().replace("/opt/segnode", str(machine / "opt/segnode")))
        programs = tmp_path / "programs"
        programs.mkdir()
        runuser = 'shift 3; LOGNAME=segnode USER=segnode exec "$@"'
        for place, text in (
            (machine / "opt/segnode/current/bin/segnode", 'echo "$LOGNAME $USER"'),
            (programs / "id", "echo 0"),
            (programs / "runuser", runuser),
        ):
            place.write_text(f"#!/bin/sh\n{text}\n")
            place.chmod(0o755)
        done = run(command, "status", PATH=f"{programs}:{os.environ['PATH']}", SUDO_USER=by)
        assert (done.stdout.strip(), done.stderr) == (told, "")


class TestUnits:
    @pytest.mark.parametrize("unit", UNITS)
    def test_systemd_understands_them(self, machine: Path, unit: str) -> None:
        systems = machine / "usr/lib/systemd/system"
        systems.mkdir(parents=True)
        for name in ("sysinit", "basic", "shutdown", "network-online", "multi-user"):
            (systems / f"{name}.target").write_text("[Unit]\nDescription=one that every system has\n")
        done = run("systemd-analyze", "verify", f"--root={machine}", unit)
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize("unit", UNITS)
    def test_they_are_well_shut_in(self, machine: Path, unit: str) -> None:
        """`systemd-analyze security`: 0 is shut in wholly, 10 not at all."""
        done = run("systemd-analyze", "security", "--offline=yes", f"--root={machine}", "--threshold=20", unit)
        assert done.returncode == 0, done.stdout[-400:] + done.stderr

    def test_they_wait_for_the_node_and_know_its_exit_codes(self) -> None:
        common = (DEPLOY / "systemd" / "common.conf").read_text().splitlines()
        stop = next(line.partition("=")[2] for line in common if line.startswith("TimeoutStopSec="))
        assert int(stop) >= NodeSettings().drain_s + 15
        assert f"RestartPreventExitStatus={CONFIGURATION_EXIT}" in common

    def test_they_name_the_roles_that_there_are(self) -> None:
        for name in ("segnode.service", "segnode@.service"):
            head = (DEPLOY / "systemd" / name).read_text().partition("[Unit]")[0]
            assert [role for role in ROLES if f"segnode@{role}" not in head] == []


class TestRequirements:
    def test_a_node_needs_no_torch(self) -> None:
        assert not any(line.startswith(("torch", "monai")) for line in named("node"))

    def test_a_worker_needs_what_a_node_needs_and_what_models_need(self) -> None:
        assert set(named("node")) < set(named("worker"))
        assert {"torch", "monai", "nnunetv2"} <= {line.partition(">")[0] for line in named("worker")}

    @pytest.mark.parametrize("kind", ["node", "worker"])
    def test_what_is_installed_is_what_was_tested(self, kind: str) -> None:
        lines = (ROOT / "conf" / "constraints.txt").read_text().lower().replace("_", "-").splitlines()
        pinned = {line.partition("==")[0] for line in lines}
        names = {re.split(r"[^a-z0-9.-]", line.lower().replace("_", "-"))[0] for line in named(kind)}
        assert names - pinned == set()

    def test_there_are_no_others(self) -> None:
        assert run(sys.executable, DEPLOY / "requirements.py", "laptop").returncode == 1


class TestRefusals:
    def test_wheels_of_two_releases_do_not_mix(self, wheelhouse: Path) -> None:
        done = run(DEPLOY / "wheelhouse.sh", "node", wheelhouse)
        assert (done.returncode, "is not empty" in done.stderr) == (2, True)

    def test_a_kind_that_is_not_there(self, tmp_path: Path) -> None:
        done = run(DEPLOY / "wheelhouse.sh", "laptop", tmp_path / "new")
        assert (done.returncode, done.stderr) == (2, "usage: deploy/wheelhouse.sh node|worker FOLDER\n")

    def test_a_wheelhouse_that_was_changed_on_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "requirements.txt").write_text("numpy\n")
        (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  requirements.txt\n")
        done = run(DEPLOY / "install-venv.sh", tmp_path, tmp_path / "venv")
        assert done.returncode != 0
        assert "requirements.txt: FAILED" in done.stdout
        assert not (tmp_path / "venv").exists()

    @pytest.mark.parametrize(("version", "told"), [("2.7", "is for Python 2.7"), (None, "is there already")])
    def test_another_python_and_a_place_that_is_taken(self, tmp_path: Path, version: str | None, told: str) -> None:
        text = (version or f"{sys.version_info[0]}.{sys.version_info[1]}") + "\n"
        (tmp_path / "python-version").write_text(text)
        (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(text.encode()).hexdigest()}  python-version\n")
        done = run(DEPLOY / "install-venv.sh", tmp_path, tmp_path, PYTHON=sys.executable)
        assert (done.returncode, told in done.stderr) == (2, True)

    def test_a_folder_without_wheels(self, tmp_path: Path) -> None:
        done = run(DEPLOY / "install.sh", tmp_path, DESTDIR=str(tmp_path / "machine"))
        assert (done.returncode, "holds no segnode-*.whl" in done.stderr) == (2, True)
