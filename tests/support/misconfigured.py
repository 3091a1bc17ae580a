"""Configurations with mistakes, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_node.errors import ConfigurationError
from dicom_node.settings import load


def mistakes(conf: Path, **files: str) -> list[str]:
    """Write the files, named without .yaml, and give every problem that loading them finds."""
    for name, text in files.items():
        (conf / f"{name}.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(conf)
    return caught.value.problems
