"""The configuration for strangers' eyes: everything but comments, passwords and tokens."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from dicom_node.configuring.configuration_shown import MASK, shown, without_secrets
from dicom_node.settings import shipped_folder


def test_passwords_and_comments_are_left_out_and_the_places_of_secrets_stay() -> None:
    text = (
        "ae_title: SEGNODE  # password is hunter2\n"
        "database_url: postgresql://segnode:hunter2@db.example:5432/segnode\n"
        "peers:\n  pacs: {url: https://pacs.example/dicom-web, authentication: {kind: basic, user: robot, "
        "password: {file: secret.txt}}}\n"
        "alerts: {hooks: [{url: 'https://hooks.example/services/T0AB12CD34/B0EF56GH78IJ90KL', token: hunter2}]}\n"
    )
    said = shown({"node.yaml": text})["node.yaml"]
    data = YAML(typ="safe").load(said)
    assert "hunter2" not in said
    assert "B0EF56GH78IJ90KL" not in said
    assert data["database_url"] == f"postgresql://{MASK}@db.example:5432/segnode"
    assert data["peers"]["pacs"]["url"] == "https://pacs.example/dicom-web"
    assert data["peers"]["pacs"]["authentication"]["password"] == {"file": "secret.txt"}
    assert data["alerts"]["hooks"][0]["token"] == MASK


@pytest.mark.parametrize("password", ["ab/cdSECRET", "ab#cdSECRET", "ab?cdSECRET", "ab'cdSECRET", "ab@cdSECRET"])
@pytest.mark.parametrize("user", ["segnode", "segnode@server"])
def test_whatever_a_database_takes_as_password_is_left_out(user: str, password: str) -> None:
    said = shown({"node.yaml": f'database_url: "postgresql://{user}:{password}@db.example:5432/segnode"\n'})["node.yaml"]
    assert said == f"database_url: postgresql://{MASK}@db.example:5432/segnode\n"


@pytest.mark.parametrize("name", ["node.yaml", "routes.yaml", "models.yaml", "logging.yaml"])
def test_what_is_shipped_says_the_same_as_before(name: str) -> None:
    text = (shipped_folder() / name).read_text()
    reader = YAML(typ="safe")
    assert reader.load(shown({name: text})[name]) == (reader.load(text) or {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no https here", "no https here"),
        ("asked https://u:p@x.example/a?key=1#z.", f"asked https://{MASK}@x.example/a?{MASK}#{MASK}"),
        ("http://[::1", MASK),
    ],
)
def test_addresses_in_any_text_lose_what_lets_in(text: str, said: str) -> None:
    assert without_secrets(text) == said
