"""The schema's history (alembic), run by the program itself."""

HEAD = "0016"  # the newest revision, known without loading alembic
