"""What part of a GPU a worker asks for: a whole one at first, then what its model was seen to take."""

from __future__ import annotations

import math
from dataclasses import dataclass

SPARE = 1.2  # so much more than was measured
STEP = 0.05
HALF = 0.5  # above it no second worker fits beside


@dataclass(eq=False)
class Share:
    """Of one model. `fixed`: what the settings say, where they do."""

    fixed: float | None = None
    _measured: float | None = None

    @property
    def wanted(self) -> float:
        """0..1 of a GPU's memory; 0: none."""
        if self.fixed is not None:
            return self.fixed
        return 1.0 if self._measured is None else self._measured

    def learn(self, taken: float) -> None:
        """Mind what a worker took of its GPU (0..1); what was wanted after an earlier job is not undone."""
        asked = math.ceil(taken * SPARE / STEP) * STEP
        self._measured = max(self._measured or 0.0, round(asked, 2) if asked <= HALF else 1.0)

    def too_little(self) -> None:
        """Want a whole GPU from now on: beside others the model ran out of memory."""
        self._measured = 1.0
