"""Keys that all processes of a node sign with; the first that needs one makes it."""

from __future__ import annotations

import secrets

from sqlalchemy import select

from storage.sql.store import Store
from storage.sql.tables_people import signing_keys


class Keys(Store):
    """Signing keys of one writing transaction."""

    def get(self, name: str) -> str:
        """The key of this name, 256 random bits in hexadecimal; made where there is none."""
        self._add(signing_keys, name=name, value=secrets.token_hex(32))
        kept = select(signing_keys.c.value).where(signing_keys.c.name == name)
        return str(self._connection.execute(kept).scalar_one())
