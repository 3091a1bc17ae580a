"""The schema's history (alembic), run by the program itself."""
