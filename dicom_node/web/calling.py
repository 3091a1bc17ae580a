"""A person has the node call a peer, from a page or by a program; audited with who asked."""

from __future__ import annotations

from dicom_node.audit.facts import RESTRICTED_FUNCTION
from dicom_node.checking.asking_partners import Echoed, Probed, echoed, probed
from dicom_node.configuring.partners import ONE, Group, configured
from dicom_node.web.access import Visit
from dicom_node.web.console import Console


def echo(console: Console, caller: Visit, group: Group, name: str) -> Echoed:
    """Whether it answers. NotFound."""
    one = configured(console.parts.settings, group, name)
    answer = echoed(one, console.parts.settings.node.ae_title)
    _tell(console, caller, group, name, "called to see whether it answers")
    return answer


def probe(console: Console, caller: Visit, group: Group, name: str) -> Probed:
    """What it takes. NotFound; IllegalStep where it is called by another protocol."""
    one = configured(console.parts.settings, group, name)
    answer = probed(one, console.parts.settings.node.ae_title)
    _tell(console, caller, group, name, "asked what it takes")
    return answer


def _tell(console: Console, caller: Visit, group: Group, name: str, what: str) -> None:
    text = f"{ONE[group]} {name} {what}"
    console.parts.audit.peer_touched(name, text, caller.participant, RESTRICTED_FUNCTION)
