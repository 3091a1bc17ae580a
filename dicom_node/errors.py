"""What can go wrong between us, our peers and our settings.

NodeError
├─ ConfigurationError  every mistake at once, each with file, key, value and what is allowed
│  └─ NoSuchSource     a person names no archive that can be fetched from, or none where there are several
├─ Overtaken           what a person wants to change is not any more what that person has seen
├─ StudiesWait         studies wait for the model that is to be disabled; carries how many
├─ NotWritable         the configuration cannot be written here; carries the change to make by hand
├─ BadProxyHeader      a balancer's connection that does not begin by saying whose it is
├─ BadTlsFiles         certificates and keys that make no TLS; every mistake at once, each under its setting
├─ NoSecret            a password that is not where the settings say
├─ ReceiveError        an instance that cannot be kept; carries its DIMSE status (network/statuses.py)
│  ├─ BadDataset       it cannot be parsed, or a UID that we need is missing (0xC000 family)
│  ├─ NotNegotiated    it came in the presentation context of another SOP class (0x0122)
│  ├─ UidMismatch      the data set does not agree with the request (0xA900)
│  ├─ OutOfResources   disk or database cannot take it now (0xA700)
│  └─ DiskFull         free space is below keep_free_bytes (0xA700); the clock journals that, once
├─ CommitmentRefused   a commitment request or report that we do not take; carries its DIMSE status
├─ PeerError
│  ├─ Unreachable      try again later
│  │  └─ Unfinished    the peer was there and did not take everything; it may be the objects
│  └─ Refused          do not: the peer has said no
│     ├─ Rejected      …to us, whatever we bring: it will not have the association, or our TLS
│     └─ NotOffered    the peer has no such service
├─ NotVouched         nobody whom we believe says who somebody is that wants to come in
├─ NotTried            a model was to be tried and gave no answer; says why
├─ NotTold             nobody took a mail or a call of ours; try again later
└─ ResultInvalid       an object of ours failed its own check and must not leave
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class NodeError(Exception):
    """Root of what this package raises on purpose; names no patient."""


class ConfigurationError(NodeError):
    """The configuration is wrong; `problems` holds one sentence for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class NoSuchSource(ConfigurationError):
    """Who asks for a fetch has not named an archive that there is; the problem lists those."""


class Overtaken(NodeError):
    """Somebody else has changed it since it was read; the sentence says what it was and is."""


class NotSure(NodeError):
    """What was asked for has consequences that are asked about first; the sentence says them."""


class StudiesWait(NotSure):
    """Studies wait for what is to be disabled, and nobody said that this is known; `studies` is how many."""

    def __init__(self, sentence: str, studies: int) -> None:
        super().__init__(sentence)
        self.studies = studies


class NotWritable(NodeError):
    """A file of the configuration cannot be written here; `change` is what a person has to change, as a diff."""

    def __init__(self, sentence: str, change: str) -> None:
        super().__init__(sentence)
        self.change = change


@dataclass(frozen=True)
class Mistake:
    """What is wrong with which file under which setting, with the way out; `place` may be a variable's name."""

    key: str
    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.key} {self.place} {self.sentence}"


class BadProxyHeader(NodeError):
    """No header of the PROXY protocol that we take; the sentence goes on from "a connection was closed: "."""


class BadTlsFiles(NodeError):
    """The files do not make a TLS context; `mistakes` holds every reason."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class NoSecret(NodeError):
    """A password is not where the settings say; the sentence is about that place, which it does not name."""


class ReceiveError(NodeError):
    """An instance that is not kept."""


class BadDataset(ReceiveError):
    """The data set cannot be parsed, or an identifier that we need is missing or malformed."""


class NotNegotiated(ReceiveError):
    """It came in a presentation context that was negotiated for another SOP class."""


class UidMismatch(ReceiveError):
    """The data set's UIDs do not agree with the C-STORE request."""


class OutOfResources(ReceiveError):
    """The node cannot make the instance durable now."""


class DiskFull(ReceiveError):
    """Free space is below the watermark: nothing new is taken."""


class CommitmentRefused(NodeError):
    """A peer's storage commitment request or report that we do not take; `status` tells it so (PS3.7 C)."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class PeerError(NodeError):
    """A peer did not take what we sent; `answers` holds what it said of each instance, by SOP instance UID.

    `wait_s`: for so many seconds it has asked to be left in peace. `quote` is what it said in its own words, which may
    name the patient (network/discretion.py).
    """

    def __init__(
        self, sentence: str, answers: Mapping[str, str] | None = None, wait_s: float = 0.0, quote: str = ""
    ) -> None:
        super().__init__(sentence)
        self.answers = dict(answers or {})
        self.wait_s = wait_s
        self.quote = quote


class Unreachable(PeerError):
    """No answer, association aborted, or a status that may pass; try again later."""


class Unfinished(Unreachable):
    """The association came about, and then the peer did not answer, aborted, or had no room for an instance."""


class Refused(PeerError):
    """The peer has said no, and will say it again."""


class Rejected(Refused):
    """The peer will not have the association, or our TLS, until somebody changes its configuration or ours."""


class NotOffered(Refused):
    """The peer accepts no presentation context for the service."""


class ResultInvalid(NodeError):
    """An object failed our own check before sending."""


class NotVouched(NodeError):
    """A provider does not say who somebody is, or not in a way that can be believed."""


class NotTried(NodeError):
    """A model that was to be tried ended otherwise, or took too long."""


class NotTold(NodeError):
    """A notice was not heard; the message says by whom and why."""
