"""The part of the schema that is about persons who use the web console, beside `tables.py`.

No password and no token stands here: of passwords there is an argon2 hash, of tokens the SHA-256.
"""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Double, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, false

from storage.sql.words import Word
from storage.tables import Counter, metadata

users = Table(
    "users",
    metadata,
    Column("user_id", Counter, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Word, nullable=False),
    Column("password", Text),  # NULL: none is set yet
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("created_at", Double, nullable=False),
    Column("subject", Text),  # issuer and subject of who is vouched for by a provider
    UniqueConstraint("name"),
    Index("uq_users_subject", "subject", unique=True),
)

# What opens a door without a password: the token of a session, of a program, or of a link that is good once.
tickets = Table(
    "tickets",
    metadata,
    Column("ticket_id", Counter, primary_key=True),
    Column("sha256", Text, nullable=False, unique=True),
    Column("kind", Word, nullable=False),
    Column("user_id", Counter, ForeignKey(users.c.user_id)),  # NULL: a link that makes the first administrator
    Column("label", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("used_at", Double),
    Index("ix_tickets_user", "user_id", "kind"),
    Index("ix_tickets_expiry", "expires_at"),
)

# Sign-ins that failed, by what they have in common: the name that was tried, the address that tried it.
failed_sign_ins = Table(
    "failed_sign_ins",
    metadata,
    Column("key", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", Double, nullable=False),
)

# What a program asked for under a key of its own, and what it was told, so that it may ask again.
commands = Table(
    "commands",
    metadata,
    Column("user_id", Counter, ForeignKey(users.c.user_id), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("asked", Text, nullable=False),
    Column("answer", JSON, nullable=False),
    Column("at", Double, nullable=False),
    Index("ix_commands_at", "at"),
)

# Keys that every process of the console signs with.
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
