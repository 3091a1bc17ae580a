"""A JSON object of a model's folder, or a sentence that says which file is at fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inference.errors import BundleBroken


def json_object(root: Path, name: str, owner: str = "") -> dict[str, Any]:
    """The object in `root/name`; BundleBroken where it cannot be read or is none. `owner` is what `root` is called."""
    owner = owner or root.name
    try:
        content = json.loads((root / name).read_text())
    except (OSError, ValueError, RecursionError) as fault:
        raise BundleBroken(f"{name} of {owner} cannot be read: {type(fault).__name__}.") from fault
    if not isinstance(content, dict):
        raise BundleBroken(f"{name} of {owner} is no JSON object.")
    return content
