"""The schema's history (alembic), run by the program itself."""

HEAD = "0017"  # the newest revision, known without loading alembic
