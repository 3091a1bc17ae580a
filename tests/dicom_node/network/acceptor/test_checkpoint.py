"""While another thread talks with the peer, the association's own thread takes no answer from it."""

import threading
import time

import pytest

from dicom_node.network.acceptor.checkpoint import Checkpoint


class Reactor(threading.Thread):
    """As pynetdicom's: passes the checkpoint, and is somewhere behind it for a while."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._kill = False
        self.passed = 0
        self.behind = False
        self.checkpoint = Checkpoint(self)

    def run(self) -> None:
        while not self._kill:
            self.checkpoint.wait()
            self.behind = True
            self.passed += 1
            time.sleep(0.01)
            self.behind = False


@pytest.fixture
def reactor():
    thread = Reactor()
    thread.start()
    yield thread
    thread._kill = True
    thread.checkpoint.set()
    thread.join(5)


def until(condition) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.0005)


def test_once_it_is_closed_the_thread_stands_before_it(reactor):
    for _ in range(5):
        until(lambda: reactor.behind)
        reactor.checkpoint.clear()
        passed = reactor.passed
        assert not reactor.behind
        time.sleep(0.02)
        assert reactor.passed == passed
        reactor.checkpoint.set()


def test_an_open_one_keeps_nobody(reactor):
    until(lambda: reactor.passed > 3)
    assert reactor.is_alive()


def test_a_thread_that_has_ended_is_not_waited_for(reactor):
    reactor._kill = True
    reactor.join(5)
    reactor.checkpoint.clear()
    assert not reactor.is_alive()


def test_the_thread_may_close_it_itself():
    done = []

    class Alone(Reactor):
        def run(self) -> None:
            self.checkpoint.clear()
            done.append(True)

    thread = Alone()
    thread.start()
    thread.join(5)
    assert done == [True]
