"""The schema's history (alembic), run by the program itself."""

HEAD = "0014"  # the newest revision, known without loading alembic
