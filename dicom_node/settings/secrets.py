"""What the settings of passwords need beyond their form: absolute paths, and that they are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dicom_node.errors import NoSecret
from dicom_node.network.secret import Secret
from dicom_node.settings.files import Document, Place

if TYPE_CHECKING:
    from dicom_node.settings import NodeSettings

PARTNERS = ("peers", "destinations")


def with_secrets(node: NodeSettings, base: Path) -> NodeSettings:
    """`node` with the files of its partners' passwords, and of the console's provider, below `base`."""

    def completed(holder: Any, part: str = "authentication") -> Any:
        inner = getattr(holder, part, None)
        if inner is None:
            return holder
        absolute = {key: secret.below(base) for key, secret in _secrets(inner)}
        return holder.model_copy(update={part: inner.model_copy(update=absolute)})

    partners = {
        group: {name: completed(partner) for name, partner in getattr(node, group).items()} for group in PARTNERS
    }
    return node.model_copy(update={**partners, "web": completed(node.web, "oidc")})


def secret_mistakes(node: NodeSettings, document: Document | None) -> list[str]:
    """A sentence for each password that is not where the settings say; of the passwords themselves nothing."""
    problems = []
    for place, secret in _every_secret(node):
        where = document.at(place) if document else "node.yaml"
        try:
            if not secret.read():
                problems.append(f"{where}: {'.'.join(map(str, place))} = {secret.place!r}: is empty")
        except NoSecret as absent:
            problems.append(f"{where}: {'.'.join(map(str, place))} = {secret.place!r}: {absent}")
    return problems


def _every_secret(node: NodeSettings) -> Iterator[tuple[Place, Secret]]:
    for group in PARTNERS:
        for name, partner in getattr(node, group).items():
            for key, secret in _secrets(getattr(partner, "authentication", None)):
                yield (group, name, "authentication", key), secret
    for key, secret in _secrets(node.web.oidc):
        yield ("web", "oidc", key), secret
    for keys, secret in node.archive.secrets():
        yield ("archive", *keys), secret
    for keys, secret in node.alerts.secrets():
        yield ("alerts", *keys), secret
    for keys, secret in node.tracing.secrets() if node.tracing else ():
        yield ("tracing", *keys), secret


def _secrets(settings: Any) -> Iterator[tuple[str, Secret]]:
    """The passwords among the fields of some settings; that of a key is looked at with its certificate."""
    for key in type(settings).model_fields if settings else ():
        if isinstance(value := getattr(settings, key), Secret):
            yield key, value
