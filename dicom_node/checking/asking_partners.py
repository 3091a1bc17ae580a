"""Peers and destinations are called to see whether they answer, and what they take; the answer in words."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

from dicom_node.checking.fits import told
from dicom_node.destinations import Destination, DimseDestination, FolderDestination
from dicom_node.destinations.proposal import differences, propose
from dicom_node.errors import PeerError, Unreachable
from dicom_node.network.client import echo
from dicom_node.network.dicomweb.qido import ask
from dicom_node.network.dicomweb.web_server import WebServer
from dicom_node.network.peer import Peer
from dicom_node.network.probe import SERVICES, STORED, SYNTAXES, probe
from dicom_node.objects.profile import STANDARD
from storage.errors import IllegalStep

WORDS = {"echo": "C-ECHO", "commitment": "storage commitment"}


@dataclass(frozen=True)
class Echoed:
    """Whether it answers, in a sentence, and how long that took."""

    answers: bool
    sentence: str
    seconds: float


@dataclass(frozen=True)
class Probed:
    """What it takes: transfer syntaxes by object and service, what of the wanted profile it lacks, and what fits.

    `profile` is what to write for the nearest profile, {} for the standard, None where nothing fits or nobody answers.
    """

    answers: bool
    sentence: str
    accepted: dict[str, tuple[str, ...]]
    profile: dict[str, Any] | None = None
    lacking: tuple[str, ...] = ()

    @property
    def table(self) -> list[tuple[str, list[bool]]]:
        """Each object with yes or no for each of `SYNTAXES`."""
        return [(name, [word in self.accepted.get(name, ()) for word in SYNTAXES]) for name in STORED]

    @property
    def services(self) -> dict[str, bool]:
        """Each service with yes or no."""
        return {WORDS[name]: name in self.accepted for name in SERVICES}


def echoed(one: Any, calling_aet: str) -> Echoed:
    """C-ECHO by DICOM's own protocol, by DICOMweb a search that finds nothing; a folder is only looked at."""
    begun = time.perf_counter()
    try:
        how = _called(one, calling_aet)
        answers, sentence = True, f"{_name(one)} {how}"
    except PeerError as silence:
        answers, sentence = False, str(silence)
    seconds = time.perf_counter() - begun
    return Echoed(answers, f"{sentence} ({seconds:.2f} s)", round(seconds, 3))


def probed(one: Any, calling_aet: str) -> Probed:
    """Negotiate everything, send nothing. IllegalStep where it is not called by DICOM's own protocol."""
    if not isinstance(one, Peer | DimseDestination):
        raise IllegalStep(f"only who is called by DICOM's own protocol can be probed; this one is of kind {one.kind}")
    wanted = one.profile if isinstance(one, Destination) else STANDARD
    try:
        found = probe(_peer(one), _calling(one, calling_aet))
    except PeerError as silence:
        return Probed(False, str(silence), {})
    proposal = propose(wanted, found)
    profile = differences(proposal.profile) if proposal.profile else None
    if proposal.lacking or wanted == STANDARD:
        sentence = told(profile, proposal.lacking)
    else:
        sentence = "It takes everything that its profile sends."
    return Probed(True, sentence, dict(found.accepted), profile, proposal.lacking)


def _called(one: Any, calling_aet: str) -> str:
    if isinstance(one, FolderDestination):
        if not os.access(one.path, os.W_OK):
            raise Unreachable(f"folder {one.path} is not there, or cannot be written")
        return "can be written"
    if isinstance(one, WebServer):
        ask(one.peer)
        return "answers QIDO-RS"
    echo(_peer(one), _calling(one, calling_aet))
    return "answers C-ECHO"


def _peer(one: Peer | DimseDestination) -> Peer:
    return one.peer if isinstance(one, DimseDestination) else one


def _calling(one: Any, calling_aet: str) -> str:
    return one.calling_ae_title if isinstance(one, DimseDestination) else calling_aet


def _name(one: Any) -> str:
    if isinstance(one, FolderDestination):
        return f"folder {one.path}"
    return str(one.peer if isinstance(one, WebServer | DimseDestination) else one)
