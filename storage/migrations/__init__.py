"""The schema's history (alembic), run by the program itself."""

HEAD = "0018"  # the newest revision, known without loading alembic
