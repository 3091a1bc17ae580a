"""Where results go: one kind a file, chosen by `kind` in the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dicom_node.destinations.base import Destination
from dicom_node.destinations.dimse import DimseDestination
from dicom_node.destinations.folder import FolderDestination
from dicom_node.destinations.stow import StowDestination

KINDS: dict[str, type[Destination]] = {
    "dimse": DimseDestination,
    "folder": FolderDestination,
    "stow": StowDestination,
}
AnyDestination = Annotated[DimseDestination | FolderDestination | StowDestination, Field(discriminator="kind")]

__all__ = ["KINDS", "AnyDestination", "Destination", "DimseDestination", "FolderDestination", "StowDestination"]
