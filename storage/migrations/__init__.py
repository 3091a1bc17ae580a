"""The schema's history (alembic), run by the program itself.

From 0019 on migrations only add: tables, columns that may be left out of an INSERT (nullable or with a server default),
indexes that are not unique, foreign keys that delete or clear with what they name. So a process of the release before
goes on working while another upgrades the database under it, and may be started again: machines are upgraded one by
one. A migration that takes away, renames or tightens comes a release after nobody uses what it takes any more. It says
`needs = "NNNN"`, the oldest HEAD of a program that can still work with what it makes; older ones are refused then
(SchemaTooNew), and have to be stopped before. tests/storage/test_additive.py holds every migration to this.
"""

from pathlib import Path

HEAD = "0021"  # the newest revision, known without loading alembic
FIRST_NEEDED = "0019"  # what a schema needs that no migration has narrowed
FOLDERS: tuple[Path, ...] = (Path(__file__).parent / "versions",)
