"""HAProxy before receivers on this machine: the configuration that ships, with other addresses."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dicom_node.network.ports import free_port

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
BALANCER = "127.0.0.2"
PATIENCE_S = 20.0


def program() -> str:
    """Debian's package keeps it where only root's path leads."""
    found = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    assert found, "haproxy is missing: install the Debian package haproxy"
    return found


def addressed(port: int, receivers: Sequence[int]) -> str:
    """What ships, listening at `port` of this machine before these ports of it; without TLS, and looking often.

    It calls them from BALANCER, an address of its own: so a test may call them without it as well.
    """
    shipped = SHIPPED.read_text()
    plain = re.sub(r"# Without tls.*?(?=# Health)", "", shipped, flags=re.DOTALL)
    plain = plain.partition("backend receivers_tls")[0]
    servers = "".join(f"    server receiver{n} 127.0.0.1:{at}\n" for n, at in enumerate(receivers, 1))
    plain = re.sub(r"(    server .*\n)+", servers, plain)
    plain = plain.replace("check inter 2s", f"check inter 200ms source {BALANCER}")
    return plain.replace("bind :11112", f"bind 127.0.0.1:{port}")


@contextmanager
def running_haproxy(folder: Path, receivers: Sequence[int]) -> Iterator[int]:
    """Runs until the end of the block; gives its port."""
    port, file = free_port(), folder / "haproxy.cfg"
    file.write_text(addressed(port, receivers))
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen([program(), "-db", "-f", str(file)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _listens(port):
            assert process.poll() is None, (folder / "haproxy.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
