"""The schema's history (alembic), run by the program itself."""

HEAD = "0012"  # the newest revision, known without loading alembic
