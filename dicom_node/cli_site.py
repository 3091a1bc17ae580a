"""Commands about a site as a whole: taking it over, looking at it, asking for help with it."""

from __future__ import annotations

from dicom_node.cli_commission import commission
from dicom_node.cli_support import support_bundle
from dicom_node.cli_watch import watch

COMMANDS = (commission, watch, support_bundle)
