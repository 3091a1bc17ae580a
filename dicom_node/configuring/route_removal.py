"""A route goes: what is asked about first, and routes.yaml without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.configuring.changes import Author, Changed, change, check_seen
from dicom_node.configuring.route_changes import route_now
from dicom_node.configuring.routes_text import NAME, without_route
from dicom_node.errors import NotSure

if TYPE_CHECKING:
    from dicom_node.assembly import Parts


def doubts(parts: Parts, name: str) -> list[str]:
    """What speaks against deleting the route, in sentences."""
    with parts.database.reading() as tx:
        number = tx.jobs.on_their_way(name)
    found = []
    if number:
        studies = "1 study is on its way" if number == 1 else f"{number} studies are on their way"
        found.append(f"{studies} by it: what is queued is still made and sent; what is made anew is not.")
    if [route.name for route in parts.settings.routes] == [name]:
        found.append("It is the only rule: without it nothing is segmented.")
    return found


def remove(parts: Parts, name: str, author: Author, *, seen: str = "", sure: bool = False) -> Changed:
    """Take it out of routes.yaml, whose fingerprint was `seen` by who wants it; "" where nobody looked.

    NotFound; NotSure where there are doubts and who asks is not `sure`; Overtaken, ConfigurationError, NotWritable.
    """
    route_now(parts, name)
    if not sure and (against := doubts(parts, name)):
        raise NotSure(f"the rule was not deleted, and is only if you are sure. {' '.join(against)}")

    def new(text: str) -> str:
        if seen:
            check_seen(NAME, text, seen)
        return without_route(text, name)

    return change(parts, NAME, new, f"route {name} removed", author)
