"""Where results go: one kind a file, chosen by `kind` in the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dicom_node.destinations.base import Destination
from dicom_node.destinations.dimse import DimseDestination
from dicom_node.destinations.folder import FolderDestination

KINDS: dict[str, type[Destination]] = {"dimse": DimseDestination, "folder": FolderDestination}
AnyDestination = Annotated[DimseDestination | FolderDestination, Field(discriminator="kind")]

__all__ = ["KINDS", "AnyDestination", "Destination", "DimseDestination", "FolderDestination"]
