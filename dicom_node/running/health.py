"""Whether the roles of this machine live, as their heartbeats in the database tell it.

A probe must tell a role that hangs, which a restart mends, from a database that is away, which it does not.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from dicom_node.settings import Settings
from dicom_node.views.node import ROLE_SILENT_S
from storage.database import Database
from storage.errors import NotFound, StorageError, Unavailable


def troubles(settings: Settings, roles: Sequence[str], now: float, *, alive: bool = False) -> list[str]:
    """A sentence for each thing that is not well with `roles` here; none when all is.

    `alive`: only what a restart of the roles may mend; a database that does not answer is none of that.
    """
    here = socket.gethostname()
    try:
        database = Database.open(settings.node.database, create=False)
        try:
            with database.reading() as tx:
                heard = {row.role for row in tx.processes.list(now, ROLE_SILENT_S) if row.host == here}
        finally:
            database.close()
    except NotFound:
        return ["no role has run here yet"]
    except Unavailable as trouble:
        return [] if alive else [str(trouble)]
    except StorageError as trouble:
        return [str(trouble)]
    wanted = [role for role in roles if role != "web" or settings.node.web.port is not None]
    return [f"role {role} is silent" for role in wanted if role not in heard]
