"""The models that the settings name, each with its identity, as stages and views need them; loads no weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicom_node.pipeline.installed import InstalledModel
    from dicom_node.settings import Settings
    from inference.backends.base import BackendSettings
    from inference.findings import ModelIdentity

log = logging.getLogger(__name__)


def installed_models(settings: Settings) -> Mapping[str, InstalledModel]:
    """Every configured model with its identity, read from its files; loads no weights.

    A model whose files cannot be read keeps nothing else from working: its jobs fail with the reason, and
    go again by `segnode retry` once it is mended.
    """
    from dicom_node.pipeline.installed import InstalledModel

    return {
        name: InstalledModel(
            name=name,
            task=model.task,
            # what the file says and no more: the job may be run by a program that lacks a later key
            settings=model.backend.model_dump(mode="json", exclude_unset=True),
            identity=_identity(name, model.backend),
            closed=model.closed,
            shadow=model.shadow or "",
        )
        for name, model in settings.models.items()
    }


def _identity(name: str, backend: BackendSettings) -> ModelIdentity:
    from inference.errors import ModelError
    from inference.findings import IntendedUse, ModelIdentity

    try:
        return backend.identity()
    except ModelError as broken:
        log.error("model %s cannot be read: %s", name, broken)  # noqa: TRY400 (the sentence says it all)
        return ModelIdentity(name, "unreadable", "", "", IntendedUse.DEMONSTRATION)
