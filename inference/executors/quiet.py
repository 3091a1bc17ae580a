"""What no process that reads images may say of them."""

from __future__ import annotations

import logging
import warnings


def keep_quiet() -> None:
    """Keep what pydicom quotes of patients out of the logs that this process's standard error goes to."""
    logging.getLogger("pydicom").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
