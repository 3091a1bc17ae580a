"""The supervisor: a role that dies is started again, with growing pauses; none outlives the node."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from dicom_node.log import LoggingSettings, setup
from dicom_node.running.node import RESTART_MAX_S, ROLES, RoleProcess, run_by_command
from dicom_node.running.roles import ROLES as RUN

PATIENCE_S = 60.0


def role(code: int) -> RoleProcess:
    return RoleProcess("test", lambda: sys.exit(code))


def ended(process: RoleProcess) -> RoleProcess:
    assert process.process is not None
    process.process.join(PATIENCE_S)
    return process


def test_every_role_that_can_be_asked_for_is_there() -> None:
    assert set(ROLES) == set(RUN)


def test_a_role_is_a_process_of_its_own_with_its_name(tmp_path: Path) -> None:
    told = tmp_path / "told"
    one = RoleProcess("receive", lambda: told.write_text(f"{os.getppid()} {Path('/proc/self/comm').read_text()}"))
    one.start(0.0)
    assert ended(one).process.exitcode == 0
    assert told.read_text().split() == [str(os.getpid()), "segnode", "receive"]


def test_a_role_that_ends_by_a_fault_says_where_and_not_what_that_quotes(
    capfd: pytest.CaptureFixture[str], restored_logging: None
) -> None:
    setup(LoggingSettings())
    name = "DOE^JANE"
    one = RoleProcess("receive", lambda: print(int(name)))
    one.start(0.0)
    assert ended(one).process.exitcode == 1
    said = capfd.readouterr().err
    assert "a fault that nobody foresaw ended the role role=receive" in said
    assert "\nValueError\n" in said
    assert name not in said


def test_a_role_is_run_as_its_command_runs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr("dicom_node.cli.main.main", asked.append)
    run_by_command("receive", tmp_path)
    run_by_command("clock", None)
    assert asked == [["role", "receive", "--conf", str(tmp_path)], ["role", "clock"]]


class TestWatch:
    def test_starts_a_role_and_leaves_it_alone_while_it_lives(self) -> None:
        living = RoleProcess("test", lambda: time.sleep(60))
        assert living.watch(0.0) is None
        first = living.process
        assert living.watch(1.0) is None
        assert living.process is first
        assert first is not None
        first.kill()
        first.join()

    def test_pauses_grow_while_it_keeps_dying(self) -> None:
        dying = role(1)
        pauses, now = [], 0.0
        for _ in range(7):
            assert dying.watch(now) is None
            ended(dying).watch(now)
            pauses.append(dying.due_at - now)
            now = dying.due_at
        assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, RESTART_MAX_S, RESTART_MAX_S]

    def test_it_is_not_started_before_its_time(self) -> None:
        dying = role(1)
        dying.watch(0.0)
        ended(dying).watch(0.0)
        dying.watch(0.5)
        assert dying.process is None
        dying.watch(1.0)
        assert dying.process is not None
        ended(dying)

    def test_a_long_life_makes_a_death_the_first_again(self) -> None:
        dying = role(1)
        dying.deaths = 5
        dying.watch(0.0)
        ended(dying).watch(RESTART_MAX_S + 1)
        assert dying.deaths == 1

    def test_a_wrong_configuration_ends_the_node(self) -> None:
        wrong = role(2)
        wrong.watch(0.0)
        assert ended(wrong).watch(0.0) == 2

    def test_a_mistake_made_since_is_waited_for_like_any_death(self) -> None:
        running = RoleProcess("test", lambda: sys.exit(2), deaths=1)
        running.watch(0.0)
        assert ended(running).watch(0.0) is None
        assert (running.process, running.due_at) == (None, 2.0)

    def test_one_that_lived_long_does_not_end_the_node(self) -> None:
        running = role(2)
        running.watch(0.0)
        assert ended(running).watch(RESTART_MAX_S + 1) is None
        assert running.deaths == 1


# A node whose roles are little programs that tell their process id.
SUPERVISOR = textwrap.dedent("""
    import sys
    from dicom_node.running import node
    node.RESTART_S, node.LAST_WORD_S = 0.05, 0.2
    code = sys.argv[1]
    sys.exit(node.serve(["receive"], None, lambda role, conf: exec(code), drain_s=float(sys.argv[2])))
""")
SLEEPER = textwrap.dedent("""
    import os, time
    print(os.getpid(), flush=True)
    time.sleep(600)
""")


def supervise(
    code: str, drain_s: float = 0.0, slip: Path | None = None, stdin: int = subprocess.DEVNULL,
    hangup: signal.Handlers = signal.SIG_DFL,
) -> subprocess.Popen[str]:
    """`hangup` is what SIGHUP means where the node is started; the tests themselves may run under nohup."""
    command = [sys.executable, "-c", SUPERVISOR, code, str(drain_s), str(slip)]
    before = signal.signal(signal.SIGHUP, hangup)
    try:
        return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGHUP, before)


def next_pid(node: subprocess.Popen[str]) -> psutil.Process:
    assert node.stdout is not None
    return psutil.Process(int(node.stdout.readline()))


def test_a_role_that_dies_is_started_again_and_all_end_on_sigterm() -> None:
    with supervise(SLEEPER) as node:
        first = next_pid(node)
        first.kill()
        second = next_pid(node)
        assert second.pid != first.pid
        node.terminate()
        assert node.wait(PATIENCE_S) == 0
    assert not second.is_running()


def test_a_hangup_is_no_end_and_is_said() -> None:
    """systemd takes an end by SIGHUP for one that was wanted, and would not start the node again."""
    with supervise(SLEEPER) as node:
        role = next_pid(node)
        assert node.stderr is not None
        for _ in range(2):
            role.send_signal(signal.SIGHUP)
            node.send_signal(signal.SIGHUP)
            assert "SIGHUP changes nothing" in node.stderr.readline()
        assert (node.poll(), role.is_running(), role.status()) == (None, True, psutil.STATUS_SLEEPING)
        node.terminate()
        assert node.wait(PATIENCE_S) == 0


def test_a_terminal_that_closes_ends_the_node_in_good_order() -> None:
    ours, theirs = os.openpty()
    with supervise(DRAINING, 20.0, stdin=theirs) as node:
        role = next_pid(node)
        role.send_signal(signal.SIGHUP)  # the terminal tells every process
        node.send_signal(signal.SIGHUP)
        assert node.stdout is not None
        assert node.stdout.read() == "drained\n"
        assert node.wait(PATIENCE_S) == 0
    os.close(ours)
    os.close(theirs)


def test_a_node_that_is_to_outlive_its_terminal_does() -> None:
    """As nohup starts it."""
    ours, theirs = os.openpty()
    with supervise(SLEEPER, stdin=theirs, hangup=signal.SIG_IGN) as node:
        role = next_pid(node)
        node.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert (node.poll(), role.is_running()) == (None, True)
        node.terminate()
        assert node.wait(PATIENCE_S) == 0
    os.close(ours)
    os.close(theirs)


def test_roles_end_with_a_node_that_is_killed() -> None:
    with supervise(SLEEPER) as node:
        orphan = next_pid(node)
        node.kill()
    deadline = time.monotonic() + PATIENCE_S
    while orphan.is_running() and orphan.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the role lives on"
        time.sleep(0.02)


def test_a_role_whose_supervisor_is_dead_already_ends_at_once() -> None:
    code = "from dicom_node.running.node import die_with; die_with(1 << 22); print('lives on')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "")


def test_a_configuration_that_a_role_finds_wrong_is_the_nodes_exit_code() -> None:
    with supervise("raise SystemExit(2)") as node:
        assert node.wait(PATIENCE_S) == 2


# One of the roles finds mistakes in its configuration from its second start on, as after somebody's slip.
MISTAKEN = textwrap.dedent("""
    import os, sys, time
    from pathlib import Path
    slip = Path(sys.argv[3])
    if slip.exists():
        print("wrong", flush=True)
        sys.exit(2)
    slip.touch()
    print(os.getpid(), flush=True)
    time.sleep(600)
""")


def test_a_mistake_in_the_configuration_ends_no_role_that_ran_before(tmp_path: Path) -> None:
    with supervise(MISTAKEN, slip=tmp_path / "slip") as node:
        next_pid(node).kill()
        assert node.stdout is not None
        assert [node.stdout.readline() for _ in range(2)] == ["wrong\n", "wrong\n"]
        (tmp_path / "slip").unlink()
        while (line := node.stdout.readline()) == "wrong\n":
            pass
        assert psutil.Process(int(line)).is_running(), "it runs as soon as the mistake is mended"
        node.terminate()
        assert node.wait(PATIENCE_S) == 0


DRAINING = textwrap.dedent("""
    import os, signal, time
    def drain(*_):
        import os, time
        time.sleep(1.0)
        print("drained", flush=True)
        os._exit(0)
    signal.signal(signal.SIGTERM, drain)
    print(os.getpid(), flush=True)
    time.sleep(600)
""")


@pytest.mark.parametrize(("drain_s", "last_words"), [(20.0, "drained\n"), (0.0, "")])
def test_a_role_has_its_time_to_drain_and_not_more(drain_s: float, last_words: str) -> None:
    with supervise(DRAINING, drain_s) as node:
        next_pid(node)
        node.terminate()
        assert node.stdout is not None
        assert node.stdout.read() == last_words
        assert node.wait(PATIENCE_S) == 0
