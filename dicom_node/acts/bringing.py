"""A person brings files to this node: what `dicom_node.network.bringing` needs, put together of the node's parts."""

from __future__ import annotations

from dicom_node.assembly import Parts, owner, receiver_for_people
from dicom_node.network.bringing import SENDER, Bounds, Bringing, Shelf
from dicom_node.network.headers.headers_only import HeadersOnly
from dicom_node.network.register import OpenAssociation


def bringing(parts: Parts, person: str, address: str) -> Bringing:
    """What this person brings from that address is received by this node, and nothing of it is sent on."""
    node = parts.settings.node
    association = OpenAssociation(SENDER, node.ae_title, address, wanted_task="")
    association.arrivals = parts.audit.arrivals(person, address)
    holder = f"{owner('web')}:{association.association_id}"
    shelf = Shelf(parts.database, parts.archive, receiver_for_people(parts), holder, node.lease_term_s)
    return Bringing(shelf, _bounds(parts), association)


def headers_only(parts: Parts) -> HeadersOnly:
    """What a person brings is only looked at."""
    return HeadersOnly(parts.archive, _bounds(parts))


def _bounds(parts: Parts) -> Bounds:
    node = parts.settings.node
    return Bounds(node.max_object_bytes, node.web.upload_bytes, node.web.unpacked_bytes)
