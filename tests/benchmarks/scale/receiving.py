"""Measures how images are received: over one association and over four, to a node that routes nothing."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
from ingest import MEMORY, Bench, Images, Turn, scanner
from receivers import Receiver
from running_node import laid_out
from scale.ledger import Ledger, idle_of
from scale.steps import Account, Receiving

A_TURN = 160  # images
RECEIVER = "segnode receive"


def received(place: Path, url: str) -> tuple[dict[str, Receiving], dict[str, Account], float]:
    """Images of CT and MR over one association and over four, to a node that routes nothing; the database's accounts of
    an image, and how large its row is."""
    node = laid_out(place, f"quiet_s: 3600\nweb: {{port: null}}\ndatabase_url: {url}\n", routes="routes: []\n")
    node.start()
    try:
        time.sleep(3.0)  # the other roles start beside the one that listens
        assert node.process is not None
        roles = psutil.Process(node.process.pid).children(recursive=True)
        (pid,) = (one.pid for one in roles if one.name() == RECEIVER)
        receiver = Receiver("SEGNODE", node.peer.port, pid)
        ledger = Ledger(url)
        idle = idle_of(ledger)
        received, accounts = {}, {}
        for name in ("ct", "mr"):
            images = Images.of(name, place)
            one, alone = _turn(images, receiver, ledger, idle, 1)
            four, together = _turn(images, receiver, ledger, idle, 4)
            received[name.upper()] = Receiving(len(images.template) / 1e6, 1.0 / one.images_a_s, one.cpu_ms / 1000.0,
                                               four.images_a_s)  # fmt: skip
            accounts = accounts or {"image": alone, "image_of_four": together}
        row_bytes = ledger.row_bytes()
        ledger.close()
    finally:
        node.stop()
    return received, accounts, row_bytes


def _turn(
    images: Images, receiver: Receiver, ledger: Ledger, idle: Account, associations: int
) -> tuple[Turn, Account]:
    """The better of two turns, and the database's account of an image."""
    bench = Bench(images, MEMORY if MEMORY.is_dir() else Path(), A_TURN, associations)
    bench.turn(receiver, scanner())
    before, start = ledger.read(), time.monotonic()
    turns = [bench.turn(receiver, scanner()) for _ in range(2)]
    account = ledger.read().less(before, 1).less(idle, time.monotonic() - start).share(2 * A_TURN)
    return max(turns, key=lambda turn: turn.images_a_s), account
