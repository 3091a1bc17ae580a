"""Receivers for benchmarks, each a process of its own: the node as shipped, Debian's Orthanc, DCMTK, a socket copy."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import socket
import socketserver
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from certificates import Authority, Identity
from running_node import laid_out

from dicom_node.network.ports import free_port

ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}  # for DCMTK, and what is built of it
START_S = 60.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Receiver:
    """Who listens where; `pid` is the process whose tree receives."""

    aet: str
    port: int
    pid: int
    tls_port: int = 0

    def cpu_s(self) -> float:
        """Seconds of processor that its processes have taken so far."""
        return sum(_cpu_s(pid) for pid in (self.pid, *_descendants(self.pid)))


@contextlib.contextmanager
def node(folder: Path, hospital: Authority, ours: Identity) -> Iterator[Receiver]:
    """`segnode serve` as shipped, without and with TLS; it routes nothing."""
    tls_port = free_port()
    tls = f"port: {tls_port}, certificate: {ours.certificate}, key: {ours.key}, authorities: {hospital.certificate}"
    running = laid_out(folder, f"quiet_s: 3600\ntls: {{{tls}}}\n", routes="routes: []\n")
    running.start()
    receiver = Receiver("SEGNODE", running.peer.port, running.process.pid, tls_port)
    try:
        _at_rest(receiver)
        yield receiver
    finally:
        running.process.terminate()
        running.process.wait(30)


@contextlib.contextmanager
def orthanc(folder: Path) -> Iterator[Receiver]:
    """Debian's Orthanc with its defaults: files are synced, the index is SQLite."""
    http, port = free_port(), free_port()
    folder.mkdir(parents=True)
    settings = {
        "StorageDirectory": str(folder / "storage"), "IndexDirectory": str(folder / "storage"), "HttpPort": http,
        "DicomPort": port, "DicomCheckCalledAet": False, "DicomAlwaysAllowStore": True, "Plugins": [],
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with _program(folder, shutil.which("Orthanc") or "/usr/sbin/Orthanc", folder / "orthanc.json") as process:
        _listens(port)
        yield Receiver("ORTHANC", port, process.pid)


@contextlib.contextmanager
def storescp(folder: Path) -> Iterator[Receiver]:
    """DCMTK's archive, which takes every syntax, syncs nothing and indexes nothing."""
    (folder / "kept").mkdir(parents=True)
    port = free_port()
    command = ("storescp", "--fork", "-aet", "ARCHIVE", "+xa", "-od", folder / "kept", port)
    with _program(folder, *command) as process:
        _listens(port)
        yield Receiver("ARCHIVE", port, process.pid)


@contextlib.contextmanager
def socket_copy(folder: Path) -> Iterator[Receiver]:
    """The limit: bytes from a socket to a file, under the promise that the node keeps, and nothing else."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=_copy, args=(folder, port), daemon=True)
    process.start()
    try:
        _listens(port)
        assert process.pid is not None
        yield Receiver("COPY", port, process.pid)
    finally:
        process.terminate()
        process.join()


class _CopyHandler(socketserver.BaseRequestHandler):
    """Read, write, sync the file, rename, sync the folder, commit the row, answer."""

    def handle(self) -> None:
        root: Path = self.server.root  # type: ignore[attr-defined]
        index = sqlite3.connect(root / "index.sqlite", timeout=30, isolation_level=None)
        index.execute("PRAGMA synchronous = FULL")
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = bytearray(1 << 20)
        while head := self.request.recv(8, socket.MSG_WAITALL):
            name = f"{time.time_ns()}-{id(self)}"
            size = left = int.from_bytes(head, "big")
            with (root / "incoming" / name).open("xb", buffering=0) as file:
                while left:
                    got = self.request.recv_into(buffer, min(left, len(buffer)))
                    file.write(memoryview(buffer)[:got])
                    left -= got
                os.fsync(file.fileno())
            (root / "incoming" / name).rename(root / "kept" / name)
            folder = os.open(root / "kept", os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
            index.execute("INSERT INTO files VALUES (?, ?)", (name, size))
            self.request.sendall(b"\0")
        index.close()


def _copy(folder: Path, port: int) -> None:
    for name in ("incoming", "kept"):
        (folder / name).mkdir(parents=True)
    index = sqlite3.connect(folder / "index.sqlite")
    index.execute("PRAGMA journal_mode = WAL")
    index.execute("CREATE TABLE files (name TEXT PRIMARY KEY, size INTEGER)")
    index.close()
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    server = socketserver.ThreadingTCPServer(("127.0.0.1", port), _CopyHandler)
    server.root = folder  # type: ignore[attr-defined]
    server.serve_forever()


@contextlib.contextmanager
def _program(folder: Path, *command: object) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, env=ENVIRONMENT)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def _listens(port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on port {port}")


def _at_rest(receiver: Receiver) -> None:
    """Wait for the roles that start beside the one that listens, so that their imports are not counted."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        before = receiver.cpu_s()
        time.sleep(1.5)
        if receiver.cpu_s() - before < 0.15:
            return


def _cpu_s(pid: int) -> float:
    """Of a process and those of its children that have ended (proc(5): utime, stime, cutime, cstime)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(int(ticks) for ticks in fields[11:15]) / TICKS


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            for child in task.read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found
