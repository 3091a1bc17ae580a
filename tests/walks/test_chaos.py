"""While everything dies at random, nothing that was acknowledged is lost and nothing arrives twice.

Four scanners send; the archive refuses, hangs, aborts and vanishes; the node, its roles and its workers are killed by
SIGKILL, in a second test over a disk and a database that fail now and then. The short form is part of `make test`;
`make chaos` runs the long one (environment CHAOS=long).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from bright_conf import MODELS, routes
from moody_pacs import Mood, MoodyPacs
from reckoning import images_of, reckon, settled
from tireless_scanner import Scanner

from dicom_node.network.peer import Peer
from storage.files.folder_archive import FolderArchive

LONG = os.environ.get("CHAOS") == "long"
KILLS, STUDIES, SLICES, SCANNERS = (200, 64, 80, 4) if LONG else (8, 8, 24, 4)
SETTLE_S = 1800 if LONG else 240
FAULTS = Path(__file__).parents[1] / "support" / "faults"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * SETTLE_S)]

NODE = "max_crashes: 1000\ndelivery: {backoff_base_s: 0.5, backoff_max_s: 2.0, pause_base_s: 0.5, pause_max_s: 2.0}\n"


@dataclass
class Tally:
    """What happened, for the record."""

    killed: Counter[str] = field(default_factory=Counter)
    moods: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    repeated_stores: int = 0
    repeated_deliveries: int = 0
    studies: int = 0
    results: int = 0
    superseded_jobs: int = 0
    lost: int = 0
    duplicate: int = 0


def kill_something(node: Any, dice: random.Random, tally: Tally) -> None:
    """SIGKILL to the whole node, one role of it, or a worker; a dead node is started again."""
    if dice.random() < 0.4:
        os.killpg(node.process.pid, signal.SIGKILL)
        node.process.wait()
        tally.killed["node"] += 1
        node.start()
        return
    family = psutil.Process(node.process.pid)
    roles = family.children()
    workers = [p for p in family.children(recursive=True) if "spawn_main" in " ".join(_command(p))]
    kind, victims = ("worker", workers) if workers and dice.random() < 0.4 else ("role", roles)
    if victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            dice.choice(victims).kill()
            tally.killed[kind] += 1


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def rampage(node: Any, pacs: MoodyPacs, dice: random.Random, tally: Tally) -> None:
    """Kill and change moods at random moments."""
    while sum(tally.killed.values()) < KILLS:
        time.sleep(dice.uniform(0.2, 5.0))  # at times long enough for a job, at times not even for a start
        kill_something(node, dice, tally)
        pacs.change()
        tally.moods[pacs.mood.value] += 1


def judge(node: Any, pacs: MoodyPacs, sent: set[str], tally: Tally) -> None:
    """Count what was lost and what came twice."""
    found = reckon(node.database, FolderArchive(node.folder / "data" / "archive", low_water_bytes=0), SLICES)
    tally.studies, tally.superseded_jobs, tally.results = found.studies, found.superseded_jobs, len(found.wanted)
    tally.sent, tally.repeated_deliveries = len(sent), pacs.repeated
    tally.lost = found.lost(sent, pacs.index)
    tally.duplicate = found.duplicate(pacs.index) + len(pacs.changed)


def chaos(make_node: Callable[..., Any], port: int, folder: Path, seed: int) -> Tally:
    """One rampage and its reckoning."""
    dice, tally = random.Random(seed), Tally()
    pacs = MoodyPacs(port, seed)
    pacs.be(Mood.CALM)
    node = make_node(
        routes=routes("seg", "sr"),
        models=MODELS,
        pacs=Peer(ae_title=pacs.aet, host="127.0.0.1", port=port),
        node=NODE,
        installed=True,  # before the disk fails: of the statements that make a database, all must succeed in one go
    )
    shares: list[list[Path]] = [[] for _ in range(SCANNERS)]
    for number in range(STUDIES):
        shares[number % SCANNERS] += images_of(f"chaos-{number}", folder / str(number), SLICES)
    scanners = [Scanner(node.peer, share) for share in shares]
    for scanner in scanners:
        scanner.start()
    try:
        rampage(node, pacs, dice, tally)
        pacs.be(Mood.CALM)
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline and (
            any(s.is_alive() for s in scanners) or not settled(node.database, STUDIES)
        ):
            time.sleep(0.5)
        assert not any(scanner.is_alive() for scanner in scanners)
        sent = set().union(*(scanner.acknowledged for scanner in scanners))
        tally.repeated_stores = sum(scanner.attempts for scanner in scanners) - len(sent)
        assert len(sent) == STUDIES * SLICES
        assert settled(node.database, STUDIES), (node.folder / "node.log").read_text()[-3000:]
        judge(node, pacs, sent, tally)
    finally:
        pacs.be(Mood.ABSENT)
        print(json.dumps(vars(tally)))
    return tally


@pytest.mark.parametrize("share", [0.0, 0.01], ids=["kills", "kills and faults"])
def test_nothing_is_lost_and_nothing_comes_twice(
    share: float, make_node: Any, free_port: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if share:
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAULTS), os.environ.get("PYTHONPATH", "")]))
        monkeypatch.setenv("TEST_FAULT_SHARE", str(share))
        monkeypatch.setenv("TEST_FAULT_ROOT", str(tmp_path))
    tally = chaos(make_node, free_port(), tmp_path / "images", seed=7)
    assert sum(tally.killed.values()) >= KILLS
    assert (tally.lost, tally.duplicate) == (0, 0)
    assert (tally.studies, tally.sent) == (STUDIES, STUDIES * SLICES)
