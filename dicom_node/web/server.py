"""The role `web`: the console, served until it is told to stop."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable

import click
import uvicorn

from dicom_node.acts.people import LINK_S, address_of, first_link
from dicom_node.assembly import Parts
from dicom_node.errors import NodeError
from dicom_node.network.tls.settings import BrowserTls
from dicom_node.network.tls.tls_keeper import Keeper
from dicom_node.running.heartbeat import Heartbeat
from dicom_node.running.reload import follow
from dicom_node.settings.web import WebSettings
from dicom_node.web.app import create_app, open_console
from dicom_node.web.connection import Connection

log = logging.getLogger(__name__)

LAST_ANSWERS_S = 3
BACKLOG = 128


def serve(parts: Parts, stop: threading.Event, heartbeat: Heartbeat) -> None:
    """Answer until `stop` is set; NodeError where its port is taken, BadTlsFiles where its files are wrong."""
    settings = parts.settings.node.web
    if settings.port is None:
        stop.wait()
        return
    console = open_console(parts, stop)
    ear = _listening(settings, settings.port)
    config = uvicorn.Config(
        create_app(console),
        http=Connection,
        lifespan="off",
        log_config=None,
        access_log=False,  # addresses hold what people looked for; the audit trail says who did what
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        timeout_graceful_shutdown=LAST_ANSWERS_S,
        ssl_context_factory=_contexts(settings.tls, heartbeat) if settings.tls else None,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [ear]}, name="web")
    thread.start()  # outside the main thread it leaves the process's signals alone
    log.info("the console answers", extra={"address": settings.address})
    threading.Thread(
        target=follow, args=(console.watch, stop, heartbeat), name="configuration", daemon=True
    ).start()
    _show_the_way_in(parts, console.clock())
    while not stop.wait(1.0):
        if not thread.is_alive():
            raise NodeError("the console has ended; the log says why")
    server.should_exit = True
    thread.join()


def _listening(settings: WebSettings, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    both = settings.host == "::" and socket.has_dualstack_ipv6()  # every address, as of the DICOM port
    try:
        return socket.create_server((settings.host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        raise NodeError(f"cannot listen on {settings.host}:{port} for the console: {error.strerror}") from error


def _contexts(tls: BrowserTls, heartbeat: Heartbeat) -> Callable[..., ssl.SSLContext]:
    """Have each connection use the certificate files as they are then."""
    keeper = Keeper(tls)
    heartbeat.tell("tls", lambda: [keeper.state()])

    def renewed(connection: ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
        connection.context = keeper.context()

    def context(*_: object) -> ssl.SSLContext:
        first = keeper.context()
        first.sni_callback = renewed
        return first

    return context


def _show_the_way_in(parts: Parts, now: float) -> None:
    """Where nobody can administer yet, print a link for the first administrator; never into a log."""
    with parts.database.transaction() as tx:
        link = "" if tx.users.has_admin() else first_link(tx, now)
    if link:
        hours = LINK_S / 3600
        click.echo(
            f"\nThe console has no administrator yet. Open this link within {hours:.0f} hours, it is good once:\n"
            f"  {address_of(parts, link)}\n",
            err=True,
        )
