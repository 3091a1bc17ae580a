"""On the path of some machines: makes their program a release newer for its database, by one migration that adds."""

from pathlib import Path

from storage import migrations

migrations.HEAD = "9000"
migrations.FOLDERS = (*migrations.FOLDERS, Path(__file__).parent / "versions")
