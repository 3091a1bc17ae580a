"""A path as the settings write it: absolute, below the configuration's folder, or below somebody's home (`~`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

NO_HOME = "this machine knows no such home: write the path out"


def _of_a_known_home(path: Path) -> Path:
    try:
        path.expanduser()
    except RuntimeError:
        raise ValueError(NO_HOME) from None
    return path


WrittenPath = Annotated[Path, AfterValidator(_of_a_known_home)]
