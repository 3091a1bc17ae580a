"""Whether destinations take what their profiles send them: asked by `segnode check`, and once when the node starts."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dicom_node.destinations import Destination, DimseDestination
from dicom_node.destinations.proposal import differences, propose
from dicom_node.errors import PeerError
from dicom_node.network.probe import probe
from storage.database import Database

log = logging.getLogger(__name__)


def unfit(destinations: Mapping[str, Destination]) -> Iterator[str]:
    """A sentence for each destination that does not take its profile, with the nearest that it takes.

    Who cannot be asked is left out: that is told elsewhere.
    """
    for name, destination in destinations.items():
        if not isinstance(destination, DimseDestination):
            continue
        try:
            found = probe(destination.peer, destination.calling_ae_title)
        except PeerError:
            continue
        proposal = propose(destination.profile, found)
        if proposal.lacking:
            way_out = as_yaml(differences(proposal.profile)) if proposal.profile else ""
            way_out = f"the nearest profile that it takes: {way_out}" if way_out else "no profile fits it"
            yield f"destination {name} does not take {', '.join(proposal.lacking)}, which its profile sends; {way_out}"


def tell_unfit(destinations: Mapping[str, Destination], database: Database, revision: int) -> None:
    """Say it in log and journal."""
    for sentence in unfit(destinations):
        log.warning("%s", sentence)
        with database.transaction() as tx:
            tx.journal.add(time.time(), "profile unfit", sentence, revision=revision)


def as_yaml(fields: Mapping[str, Any]) -> str:
    """Fields of a profile as one line for node.yaml."""
    if not fields:
        return "profile: standard"
    words = (f"{name}: {str(value).lower() if isinstance(value, bool) else value}" for name, value in fields.items())
    return f"profile: {{{', '.join(words)}}}"


def told(profile: Mapping[str, Any] | None, lacking: Sequence[str]) -> str:
    """What a probe found, in sentences: `profile` is what to write, empty for the standard, None where none fits."""
    without = f"It does not take {', '.join(lacking)}. " if lacking else ""
    if profile is None:
        return f"{without}No profile fits: it takes none of our objects."
    if not profile:
        return f"{without}The standard profile fits: nothing to set."
    return f"{without}Proposed for this destination in node.yaml:\n    {as_yaml(profile)}"
