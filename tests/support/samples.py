"""Where the small real images lie: in the folder that SEGNODE_SAMPLES names, else beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

SAMPLES = Path(os.environ.get("SEGNODE_SAMPLES") or Path(__file__).parents[3] / "shared" / "samples").expanduser()
