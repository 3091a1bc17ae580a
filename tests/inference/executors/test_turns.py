"""A device does one thing at a time, in the order in which it was wanted; who waits says so."""

from __future__ import annotations

import threading

import pytest

from inference.executors.turns import STARTS, WAITS, Device

PATIENCE_S = 30.0


def silent(fraction: float, step: str) -> None:
    """Progress that nobody asks for."""


def test_work_is_done_in_one_thread_and_its_answer_given() -> None:
    device = Device()
    first, second = (device.do(threading.get_ident, silent) for _ in range(2))
    assert first == second != threading.get_ident()


def test_what_it_raises_is_raised_here_and_the_next_one_comes() -> None:
    device = Device()
    with pytest.raises(ZeroDivisionError):
        device.do(lambda: 1 // 0, silent)
    assert device.do(lambda: 7, silent) == 7


def test_who_comes_meanwhile_waits_and_says_so_and_when_his_turn_has_come() -> None:
    device, told, done = Device(), [], []
    go, waits = threading.Event(), threading.Event()

    def report(fraction: float, step: str) -> None:
        told.append(step)
        waits.set()

    first = threading.Thread(target=lambda: done.append(device.do(lambda: go.wait(PATIENCE_S) and "first", silent)))
    first.start()
    while not device._wanted:
        pass
    second = threading.Thread(target=lambda: done.append(device.do(lambda: [*told], report)))
    second.start()
    assert waits.wait(PATIENCE_S)
    assert done == []
    go.set()
    for thread in (first, second):
        thread.join(PATIENCE_S)
    assert "first" in done
    assert [WAITS, STARTS] in done, "it is said before the work, which may never end"
