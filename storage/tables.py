"""The schema, once. Its history is in `migrations/`; a test holds the two together.

Text columns have no length: what a stranger sends is bounded where it is read, and PostgreSQL gains nothing.
Header columns are JSON, not JSONB, since PostgreSQL's JSONB refuses escapes that damaged headers contain.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from storage.sql.words import Word

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

Counter = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only for INTEGER

studies = Table(
    "studies",
    metadata,
    Column("study_uid", Text, primary_key=True),
    Column("state", Word, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
    Column("images", Integer, nullable=False),
    Column("header", JSON, nullable=False),
    Column("incomplete", Text, nullable=False, server_default=""),
    Column("patient_id", Text, nullable=False, server_default=""),
    Column("found_by", Text, nullable=False, server_default=""),
    Column("by_hand", Boolean, nullable=False, server_default=false()),  # what is made of it goes nowhere by itself
    Column("wanted_task", Text, nullable=False, server_default=""),
    Column("folder", Text, nullable=False, server_default=""),  # of its files, below the archive's root
    Index("ix_studies_folder", "folder"),
    Index("ix_studies_patient", "patient_id", "received_at"),
    Index("ix_studies_settled", "state", "changed_at", "study_uid"),
    Index("ix_studies_state_received", "state", "received_at", "study_uid"),
    Index("ix_studies_received", "received_at", "study_uid"),
)

# A hostile or careless peer may use one series UID in two studies: they are two series here.
series = Table(
    "series",
    metadata,
    Column("study_uid", Text, ForeignKey(studies.c.study_uid, deferrable=True, initially="DEFERRED"), nullable=False),
    Column("series_uid", Text, nullable=False),
    Column("modality", Text, nullable=False),
    Column("images", Integer, nullable=False),
    Column("others", Integer, nullable=False),
    Column("header", JSON, nullable=False),
    PrimaryKeyConstraint("study_uid", "series_uid"),
)

# Foreign keys upward are checked at commit, so that an arrival can insert its instance first:
# whether that row could be inserted decides everything else.
instances = Table(
    "instances",
    metadata,
    Column("sop_uid", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("conflict", Boolean, nullable=False),
    Column("sop_class_uid", Text, nullable=False),
    Column("series_uid", Text, nullable=False),
    Column("study_uid", Text, nullable=False),
    Column("transfer_syntax_uid", Text, nullable=False),
    Column("kind", Word, nullable=False),
    Column("path", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("association_id", Text, nullable=False),
    Column("header", JSON, nullable=False),
    Column("replaced", Boolean, nullable=False, server_default=false()),
    Column("correction", Text, nullable=False, server_default=""),
    Column("unread", Boolean, nullable=False, server_default=false()),
    Column("fetched", Boolean, nullable=False, server_default=false()),
    PrimaryKeyConstraint("sop_uid", "sha256"),
    ForeignKeyConstraint(
        ["study_uid", "series_uid"], ["series.study_uid", "series.series_uid"], deferrable=True, initially="DEFERRED"
    ),
    Index(
        "uq_instances_current",
        "sop_uid",
        unique=True,
        sqlite_where=text("conflict = 0"),
        postgresql_where=text("NOT conflict"),
    ),
    Index("ix_instances_study_series", "study_uid", "series_uid"),
    Index("ix_instances_series", "series_uid"),
    Index("ix_instances_unread", "study_uid", sqlite_where=text("unread = 1"), postgresql_where=text("unread")),
)

# What rejection notes (IHE RAD TF-3 4.66) name; it holds also for what has not arrived yet.
rejections = Table(
    "rejections",
    metadata,
    Column("sop_uid", Text, nullable=False),
    Column("note_uid", Text, nullable=False),
    Column("study_uid", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("at", Double, nullable=False),
    PrimaryKeyConstraint("sop_uid", "note_uid"),
    Index("ix_rejections_study", "study_uid"),
)

# Which associations gave a study something new that is not ours.
senders = Table(
    "senders",
    metadata,
    Column("study_uid", Text, ForeignKey(studies.c.study_uid), nullable=False),
    Column("association_id", Text, nullable=False),
    PrimaryKeyConstraint("study_uid", "association_id"),
    Index("ix_senders_association", "association_id"),
)

associations = Table(
    "associations",
    metadata,
    Column("association_id", Text, primary_key=True),
    Column("calling_aet", Text, nullable=False),
    Column("called_aet", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("closed_at", Double),
    Column("lease_owner", Text, nullable=False),
    Column("lease_until", Double, nullable=False),
    Index("ix_associations_open", "closed_at", "lease_until"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", Text, primary_key=True),
    Column("study_uid", Text, ForeignKey(studies.c.study_uid), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("route", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("state", Word, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("queued_at", Double, nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("progress", Double, nullable=False),
    Column("step", Text, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("lease_owner", Text),
    Column("lease_until", Double),
    Column("summary", JSON, nullable=False),
    Column("mark", Word, nullable=False, server_default=""),
    Column("rejects", Text, nullable=False, server_default=""),
    Index("ix_jobs_study", "study_uid"),
    Index("ix_jobs_created", "created_at"),
    Index("ix_jobs_state_created", "state", "created_at"),
    Index("ix_jobs_finished", "state", "finished_at"),
    Index("ix_jobs_route", "route", "task", "state"),
    Index("ix_jobs_model", "model", "state", "finished_at"),
    Index("ix_jobs_mark", "mark", sqlite_where=text("mark <> ''"), postgresql_where=text("mark <> ''")),
    Index(
        "ix_jobs_leased",
        "state",
        "lease_owner",  # and not the term, which each renewal changes
        sqlite_where=text("lease_owner IS NOT NULL"),
        postgresql_where=text("lease_owner IS NOT NULL"),
    ),
    Index(
        "ix_jobs_crashed",
        "state",
        "crashes",
        sqlite_where=text("crashes > 0"),
        postgresql_where=text("crashes > 0"),
    ),
    Index("ix_jobs_rejects", "rejects", sqlite_where=text("rejects <> ''"), postgresql_where=text("rejects <> ''")),
)
Index("ix_jobs_queue", jobs.c.state, jobs.c.priority.desc(), jobs.c.queued_at, jobs.c.job_id)

results = Table(
    "results",
    metadata,
    Column("sop_uid", Text, primary_key=True),
    Column("sop_class_uid", Text, nullable=False),
    Column("series_uid", Text, nullable=False),
    Column("job_id", Text, ForeignKey(jobs.c.job_id), nullable=False),
    Column("kind", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("removed_at", Double),  # its file is gone since; its UID is known for ever
    Column("variant", Text, nullable=False, server_default=""),  # of its destinations' profile
    Index("ix_results_job", "job_id"),
)

# What a person corrected and sent back, SEG or SR; the files are `instances` as long as retention keeps them.
reviews = Table(
    "reviews",
    metadata,
    Column("sop_uid", Text, primary_key=True),
    Column("job_id", Text, ForeignKey(jobs.c.job_id), nullable=False),
    Column("study_uid", Text, ForeignKey(studies.c.study_uid), nullable=False),
    Column("at", Double, nullable=False),
    Column("summary", JSON, nullable=False),
    Column("kind", Word, nullable=False, server_default="seg"),
    Index("ix_reviews_study", "study_uid", "at", "sop_uid"),
    Index("ix_reviews_at", "at", "sop_uid"),
    Index("ix_reviews_job", "job_id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", Counter, primary_key=True),
    Column("job_id", Text, ForeignKey(jobs.c.job_id), nullable=False),
    Column("study_uid", Text, ForeignKey(studies.c.study_uid), nullable=False),
    Column("destination", Text, nullable=False),
    Column("state", Word, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("sent_at", Double),
    Column("reason", Text, nullable=False),
    Column("statuses", JSON, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", Double),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("queued_at", Double, nullable=False, server_default="0"),
    Column("tried_at", Double),
    Column("faults", Integer, nullable=False, server_default="0"),
    Column("via", Text, nullable=False, server_default=""),
    Column("variant", Text, nullable=False, server_default=""),
    UniqueConstraint("job_id", "destination"),
    Index("ix_deliveries_leased", "lease_until"),
    Index("ix_deliveries_sent", "sent_at"),
    Index("ix_deliveries_state_newest", "state", "delivery_id"),
    Index("ix_deliveries_study", "study_uid"),
)
Index(
    "ix_deliveries_queue",
    deliveries.c.state,
    deliveries.c.destination,
    deliveries.c.priority.desc(),
    deliveries.c.queued_at,
    deliveries.c.delivery_id,
)

# How each destination has fared; one that never failed has no row, or one that says so.
circuits = Table(
    "circuits",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("down_since", Double),
    Column("next_try_at", Double),
    Column("reason", Text, nullable=False),
)

# Storage commitments (PS3.4 J): `promises` are asked of us, `commitments` are asked by us.
# A report stays NULL until there is one; JSON's own null would not be found by IS NULL.
promises = Table(
    "promises",
    metadata,
    Column("promise_id", Counter, primary_key=True),
    Column("peer_aet", Text, nullable=False),
    Column("called_aet", Text, nullable=False),
    Column("transaction_uid", Text, nullable=False),
    Column("instances", JSON, nullable=False),
    Column("state", Word, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Double, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("report", JSON(none_as_null=True)),
    Column("reason", Text, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", Double),
    UniqueConstraint("peer_aet", "transaction_uid"),
    Index("ix_promises_queue", "state", "next_attempt_at", "promise_id"),
    Index("ix_promises_peer", "peer_aet", "state"),
)

# What a peer may have deleted because we said that we hold it.
promised = Table(
    "promised",
    metadata,
    Column("sop_uid", Text, primary_key=True),
    Column("study_uid", Text, ForeignKey(studies.c.study_uid), nullable=False),
    Column("keep_until", Double, nullable=False),
    Index("ix_promised_study", "study_uid", "keep_until"),
)

commitments = Table(
    "commitments",
    metadata,
    Column("commitment_id", Counter, primary_key=True),
    Column("transaction_uid", Text, nullable=False, unique=True),
    Column("destination", Text, nullable=False),
    Column("study_uid", Text, nullable=False),
    Column("delivery_id", Counter, ForeignKey(deliveries.c.delivery_id)),
    Column("promise_id", Counter, ForeignKey(promises.c.promise_id)),
    Column("instances", JSON, nullable=False),
    Column("state", Word, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("asked", Integer, nullable=False),
    Column("asked_at", Double),
    Column("next_attempt_at", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("report", JSON(none_as_null=True)),
    Column("reason", Text, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", Double),
    Index("ix_commitments_queue", "state", "next_attempt_at", "commitment_id"),
    Index("ix_commitments_delivery", "delivery_id", "commitment_id"),
    Index("ix_commitments_promise", "promise_id", "commitment_id"),
    Index("ix_commitments_study", "study_uid", "commitment_id"),
)

# A study may be wanted before anything of it is here, so its UID is no foreign key.
fetches = Table(
    "fetches",
    metadata,
    Column("study_uid", Text, primary_key=True),
    Column("peer", Text, nullable=False),
    Column("purpose", Word, nullable=False),
    Column("state", Word, nullable=False),
    Column("policy", JSON, nullable=False),
    Column("patience_s", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("next_attempt_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("deadline", Double),
    Column("ended_at", Double),
    Column("expected", Integer),
    Column("missing", Integer),
    Column("fetched", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", Double),
    Index("ix_fetches_queue", "state", "purpose", "next_attempt_at", "study_uid"),
)

# Which archive is asked for earlier results of a study's patient before the study is dispatched, and what came of it.
recalls = Table(
    "recalls",
    metadata,
    Column("study_uid", Text, ForeignKey(studies.c.study_uid), primary_key=True),
    Column("peer", Text, nullable=False),
    Column("state", Word, nullable=False),
    Column("policy", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("deadline", Double, nullable=False),
    Column("next_attempt_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("ended_at", Double),
    Column("reason", Text, nullable=False),
    Column("found", JSON, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", Double),
    Index("ix_recalls_queue", "state", "next_attempt_at", "study_uid"),
)

journal = Table(
    "journal",
    metadata,
    Column("entry_id", Counter, primary_key=True),
    Column("at", Double, nullable=False),
    Column("event", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("study_uid", Text, nullable=False),
    Column("series_uid", Text, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("detail", JSON, nullable=False),
    Index("ix_journal_study", "study_uid", "entry_id"),
    Index("ix_journal_job", "job_id", "entry_id"),
)
