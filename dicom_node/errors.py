"""What can go wrong between us, our peers and our settings.

NodeError
├─ ConfigurationError  every mistake at once, each with file, key, value and what is allowed
├─ BadTlsFiles         certificates and keys that make no TLS; every mistake at once, each under its setting
├─ ReceiveError        an instance that cannot be kept; carries its DIMSE status (network/statuses.py)
│  ├─ BadDataset       it cannot be parsed, or a UID that we need is missing (0xC000 family)
│  ├─ UidMismatch      the data set does not agree with the request (0xA900)
│  ├─ OutOfResources   disk or database cannot take it now (0xA700)
│  └─ DiskFull         free space is below keep_free_bytes (0xA700); the clock journals that, once
├─ PeerError
│  ├─ Unreachable      try again later
│  └─ Refused          do not: the peer has said no
└─ ResultInvalid       an object of ours failed its own check and must not leave
"""

from __future__ import annotations

from dataclasses import dataclass


class NodeError(Exception):
    """Root of what this package raises on purpose; names no patient."""


class ConfigurationError(NodeError):
    """The configuration is wrong; `problems` holds one sentence for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Mistake:
    """What is wrong with which file under which setting, with the way out; `place` may be a variable's name."""

    key: str
    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.key} {self.place} {self.sentence}"


class BadTlsFiles(NodeError):
    """The files do not make a TLS context; `mistakes` holds every reason."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class ReceiveError(NodeError):
    """An instance that is not kept."""


class BadDataset(ReceiveError):
    """The data set cannot be parsed, or an identifier that we need is missing or malformed."""


class UidMismatch(ReceiveError):
    """The data set's UIDs do not agree with the C-STORE request."""


class OutOfResources(ReceiveError):
    """The node cannot make the instance durable now."""


class DiskFull(ReceiveError):
    """Free space is below the watermark: nothing new is taken."""


class PeerError(NodeError):
    """A peer did not take what we sent."""


class Unreachable(PeerError):
    """No answer, association aborted, or a status that may pass; try again later."""


class Refused(PeerError):
    """The peer has said no, and will say it again."""


class ResultInvalid(NodeError):
    """An object failed our own check before sending."""
