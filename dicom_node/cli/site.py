"""Commands about a site as a whole: taking it over, looking at it, asking for help with it."""

from __future__ import annotations

from dicom_node.cli.commission import commission
from dicom_node.cli.support import support_bundle
from dicom_node.cli.watch import watch

COMMANDS = (commission, watch, support_bundle)
