"""The schema's history (alembic), run by the program itself."""

HEAD = "0003"  # the newest revision, known without loading alembic
