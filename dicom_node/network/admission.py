"""Who may come in, and what for: a table in the settings and one pure decision about a caller."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Annotated, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict

from dicom_node.network.addresses import unmapped
from dicom_node.network.peer import AETitle

VERIFICATION = "1.2.840.10008.1.1"
COMMITMENT = "1.2.840.10008.1.20."  # push and pull model
QUERY_RETRIEVE = "1.2.840.10008.5.1.4.1.2."


class Role(StrEnum):
    """What a caller may use. C-ECHO is for everybody who is let in."""

    STORE = "store"
    FIND = "find"
    COMMIT = "commit"


def role_of(abstract_syntax: str) -> Role | None:
    """The role that a SOP class belongs to; None where everybody may use it, and store for what is not known."""
    if abstract_syntax == VERIFICATION:
        return None
    if abstract_syntax.startswith(COMMITMENT):
        return Role.COMMIT
    return Role.FIND if abstract_syntax.startswith(QUERY_RETRIEVE) else Role.STORE


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as wrong:
        sentence = "an address like 10.1.2.3 or fd00::7, or a network like 10.1.2.0/24 or fd00::/64"
        raise ValueError(f"{sentence} ({wrong})") from wrong


Network = Annotated[str, AfterValidator(_network)]


class Admittance(BaseModel):
    """One row of the table: who, from where, for what. An empty list of titles or addresses means any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ae_titles: tuple[AETitle, ...] = ()
    addresses: tuple[Network, ...] = ()
    may: tuple[Role, ...]


class HouseRules(Protocol):
    """The settings that decide about a caller. `admission` empty: everybody may everything."""

    @property
    def ae_title(self) -> str: ...
    @property
    def called_titles(self) -> Collection[str]:
        """Every AE title of ours: `ae_title`, and those by which we call others, who may answer on a call of theirs."""
        ...

    @property
    def require_called_aet(self) -> bool: ...
    @property
    def accept_calling_aets(self) -> Sequence[str]: ...
    @property
    def admission(self) -> Sequence[Admittance]: ...
    @property
    def max_associations(self) -> int: ...


@dataclass(frozen=True)
class Caller:
    """Who asks for an association, and how many others are open."""

    calling_aet: str
    called_aet: str
    address: str
    others: int = 0


@dataclass(frozen=True)
class Rejection:
    """An A-ASSOCIATE-RJ: result, source and reason of PS3.8 Table 9-21, and why in our words."""

    result: int
    source: int
    reason: int
    sentence: str


def decide(caller: Caller, rules: HouseRules) -> Rejection | frozenset[Role]:
    """The roles that `caller` may use, or why it may not come in at all.

    The address comes first: PS3.8 has no reason for it, so a caller from a place that stands nowhere in the
    table gets "no reason given" (1, 1, 1) and learns nothing of our titles. A title that is not known, or not
    known from that place, is "calling AE title not recognised" (1, 1, 3).
    """
    near = [row for row in rules.admission if covers(row.addresses, caller.address)]
    if rules.admission and not near:
        return Rejection(1, 1, 1, "its address is in no row of admission")
    if rules.require_called_aet and caller.called_aet.strip() not in rules.called_titles:
        return Rejection(1, 1, 7, f"it calls {caller.called_aet.strip()!r}, we are {' or '.join(rules.called_titles)}")
    calling = caller.calling_aet.strip()
    if rules.accept_calling_aets and calling not in rules.accept_calling_aets:
        return Rejection(1, 1, 3, "its AE title is not in accept_calling_aets")
    matching = [row for row in near if not row.ae_titles or calling in row.ae_titles]
    if rules.admission and not matching:
        return Rejection(1, 1, 3, "its AE title is in no row of admission for its address")
    if caller.others >= rules.max_associations:
        return Rejection(2, 3, 2, f"{caller.others} associations are open, which is the limit")
    if not rules.admission:
        return frozenset(Role)
    return frozenset(role for row in matching for role in row.may)


def covers(networks: Sequence[str], address: str) -> bool:
    """Whether `address` lies in one of `networks`; no network is every place."""
    if not networks:
        return True
    try:
        place = ip_address(unmapped(address.partition("%")[0]))  # without the scope of a link-local one
    except ValueError:  # no IP address: it is in no network
        return False
    return any(place in network for network in map(ip_network, networks) if network.version == place.version)
