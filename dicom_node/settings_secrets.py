"""What the settings of passwords need beyond their form: absolute paths, and that they are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dicom_node.errors import NoSecret
from dicom_node.network.secret import Secret
from dicom_node.settings_files import Document, Place

if TYPE_CHECKING:
    from dicom_node.settings import NodeSettings


def with_secrets(node: NodeSettings, base: Path) -> NodeSettings:
    """`node` with the files of its destinations' passwords below `base`."""

    def completed(destination: Any) -> Any:
        authentication = getattr(destination, "authentication", None)
        if authentication is None:
            return destination
        absolute = {key: secret.below(base) for key, secret in _secrets(authentication)}
        return destination.model_copy(update={"authentication": authentication.model_copy(update=absolute)})

    return node.model_copy(
        update={"destinations": {name: completed(destination) for name, destination in node.destinations.items()}}
    )


def secret_mistakes(node: NodeSettings, document: Document | None) -> list[str]:
    """A sentence for each password that is not where the settings say; of the passwords themselves nothing."""
    problems = []
    for name, destination in node.destinations.items():
        for key, secret in _secrets(getattr(destination, "authentication", None)):
            place: Place = ("destinations", name, "authentication", key)
            where = document.at(place) if document else "node.yaml"
            try:
                if not secret.read():
                    problems.append(f"{where}: {'.'.join(map(str, place))} = {secret.place!r}: is empty")
            except NoSecret as absent:
                problems.append(f"{where}: {'.'.join(map(str, place))} = {secret.place!r}: {absent}")
    return problems


def _secrets(settings: Any) -> Iterator[tuple[str, Secret]]:
    """The passwords among the fields of some settings; that of a key is looked at with its certificate."""
    for key in type(settings).model_fields if settings else ():
        if isinstance(value := getattr(settings, key), Secret):
            yield key, value
