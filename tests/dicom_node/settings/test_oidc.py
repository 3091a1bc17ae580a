"""Which groups of a site give which role, wherever its provider puts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dicom_node.errors import ConfigurationError
from dicom_node.settings import load
from dicom_node.settings.oidc import OpenIdSettings

CLIENT = {"issuer": "https://login.example", "client_id": "segnode"}
ROLES = {"viewer": ["all"], "operator": ["pacs"], "admin": ["pacs-admins"]}


@pytest.mark.parametrize(
    ("claim", "claims", "role"),
    [
        ("groups", {"groups": ["all", "pacs-admins", "pacs"]}, "admin"),
        ("groups", {"groups": ["all"]}, "viewer"),
        ("groups", {"groups": "pacs"}, "operator"),
        ("groups", {"groups": ["PACS"]}, None),
        ("groups", {"groups": [{"name": "pacs"}, 5]}, None),
        ("groups", {}, None),
        ("realm_access.roles", {"realm_access": {"roles": ["pacs"]}}, "operator"),
        ("realm_access.roles", {"realm_access": ["pacs"]}, None),
        ("https://example.org/roles", {"https://example.org/roles": ["pacs"]}, "operator"),
    ],
)
def test_the_highest_group_counts(claim: str, claims: dict[str, Any], role: str | None) -> None:
    settings = OpenIdSettings.model_validate({**CLIENT, "groups_claim": claim, "roles": ROLES})
    assert settings.role_of(claims) == role


def test_everybody_may_look_where_the_settings_say_so() -> None:
    settings = OpenIdSettings.model_validate({**CLIENT, "roles": ROLES, "other_role": "viewer"})
    assert (settings.role_of({}), settings.role_of({"groups": ["pacs"]})) == ("viewer", "operator")


def test_a_name_is_a_text() -> None:
    settings = OpenIdSettings.model_validate(CLIENT)
    assert [settings.name_of(claims) for claims in ({"preferred_username": "Ada"}, {"preferred_username": 5}, {})] == [
        "Ada", "", "",
    ]  # fmt: skip


def test_its_secret_and_certificates_lie_beside_the_configuration(conf: Path) -> None:
    (conf / "oidc.secret").write_text("open sesame\n")
    file = conf / "node.yaml"
    said = {**CLIENT, "client_secret": {"file": "oidc.secret"}}
    file.write_text(f"{file.read_text()}\nweb: {{port: 8470, oidc: {said}}}\n")
    oidc = load(conf).node.web.oidc
    assert oidc is not None
    assert oidc.client_secret is not None
    assert oidc.client_secret.read() == "open sesame"


def test_a_secret_that_is_not_there_is_a_mistake_of_the_configuration(conf: Path) -> None:
    file = conf / "node.yaml"
    said = {**CLIENT, "client_secret": {"file": "oidc.secret"}, "tls": {"authorities": "no.pem"}}
    file.write_text(f"{file.read_text()}\nweb: {{port: 8470, oidc: {said}}}\n")
    with pytest.raises(ConfigurationError) as caught:
        load(conf, look_at_files=True)
    told = "\n".join(caught.value.problems)
    assert "web.oidc.client_secret = " in told
    assert "web.oidc.tls.authorities" in told
