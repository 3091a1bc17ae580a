"""The application: every router, behind one look at who asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from importlib.metadata import version

from fastapi import Depends, FastAPI
from starlette.staticfiles import StaticFiles

from dicom_node.assembly import Parts
from dicom_node.running.reload import Watch
from dicom_node.web import health
from dicom_node.web.access import admit
from dicom_node.web.api import audit as api_audit
from dicom_node.web.api import conformance as api_conformance
from dicom_node.web.api import deliveries as api_deliveries
from dicom_node.web.api import history as api_history
from dicom_node.web.api import models as api_models
from dicom_node.web.api import node as api_node
from dicom_node.web.api import peers as api_peers
from dicom_node.web.api import routing as api_routing
from dicom_node.web.api import studies as api_studies
from dicom_node.web.console import Console
from dicom_node.web.cookies import Cookies
from dicom_node.web.pages import (
    about,
    account,
    audit,
    conformance,
    deliveries,
    entrance,
    history,
    models,
    overview,
    peers,
    pictures,
    routing,
    studies,
    study,
    try_out,
    users,
)
from dicom_node.web.passwords import Passwords
from dicom_node.web.permissions import STREAMED, check_complete
from dicom_node.web.problems import add_problems
from dicom_node.web.rendering import HERE
from dicom_node.web.shield import STATIC, Shield

ROUTERS = tuple(
    part.router
    for part in (
        health,
        api_node,
        api_studies,
        api_deliveries,
        api_history,
        api_peers,
        api_conformance,
        api_models,
        api_audit,
        entrance,
        overview,
        studies,
        study,
        pictures,
        try_out,
        history,
        routing,
        api_routing,
        deliveries,
        peers,
        models,
        about,
        conformance,
        account,
        users,
        audit,
    )
)


def open_console(
    parts: Parts,
    stop: threading.Event | None = None,
    *,
    passwords: Passwords | None = None,
    clock: Callable[[], float] = time.time,
) -> Console:
    """What the routes of one process share."""
    with parts.database.transaction() as tx:
        key = tx.keys.get("cookies")
    cookies = Cookies(key, secure=parts.settings.node.web.secure)
    return Console(Watch(parts), cookies, passwords or Passwords(), clock, stop or threading.Event())


def create_app(console: Console) -> Shield:
    """The application that answers for `console`."""
    check_complete(ROUTERS)
    app = FastAPI(
        title="Segnode",
        version=version("segnode"),
        dependencies=[Depends(admit)],
        redirect_slashes=False,  # else an unknown address is answered by another one
        docs_url=None,  # its page would fetch scripts from elsewhere
        redoc_url=None,
        openapi_url=None,  # a route of ours gives it, to who has signed in
    )
    app.state.console = console
    for router in ROUTERS:
        app.include_router(router)
    app.mount(STATIC.rstrip("/"), StaticFiles(directory=HERE / "static"))
    add_problems(app)
    larger = {route.split()[1]: console.settings.upload_bytes for route in STREAMED}
    return Shield(app, secure=console.settings.secure, larger=larger)
