"""`web.oidc` in node.yaml: people sign in with the account that they have at the site, and are what its groups say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from dicom_node.network.dicomweb.authentication import Text
from dicom_node.network.dicomweb.openid import OpenIdClient

RoleName = Literal["viewer", "operator", "admin"]
HIGHEST_FIRST: tuple[RoleName, ...] = ("admin", "operator", "viewer")


class GroupsOfRoles(BaseModel):
    """Groups of the site whose people get a role; a name that is written here is compared exactly."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    viewer: tuple[Text, ...] = ()
    operator: tuple[Text, ...] = ()
    admin: tuple[Text, ...] = ()


class OpenIdSettings(OpenIdClient):
    """Which claims name the person and the groups, and which groups give which role; the highest counts."""

    label: Text = "Sign in with your account of this site"
    name_claim: Text = "preferred_username"
    groups_claim: Text = "groups"
    roles: GroupsOfRoles = GroupsOfRoles()
    other_role: RoleName | None = None  # of who is in none of them; None: not let in

    @property
    def wanted(self) -> frozenset[str]:
        """Claims without which nobody comes in, by the name of the outermost."""
        return frozenset({self.name_claim, self.groups_claim.split(".")[0]})

    def name_of(self, claims: Mapping[str, Any]) -> str:
        """The person's name there; "" where the provider tells none."""
        name = claims.get(self.name_claim)
        return name if isinstance(name, str) else ""

    def role_of(self, claims: Mapping[str, Any]) -> RoleName | None:
        """What the person may; None: not come in."""
        groups = set(self._groups(claims))
        for role in HIGHEST_FIRST:
            if groups & set(getattr(self.roles, role)):
                return role
        return self.other_role

    def _groups(self, claims: Mapping[str, Any]) -> Iterator[str]:
        """The claim by its whole name, which may hold dots, or else by its way down."""
        found: Any = claims
        for step in [self.groups_claim] if self.groups_claim in claims else self.groups_claim.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        if isinstance(found, str):
            yield found
        elif isinstance(found, list):
            yield from (group for group in found if isinstance(group, str))
