"""Installed models for people: what each is for, whether its files are trusted, who uses it, what it has done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicom_node.models.benching import bench_view
from dicom_node.models.installed_models import installed_models
from dicom_node.models.model_card import card_of
from dicom_node.models.shadowing import shadow_view
from dicom_node.models.verifying import known
from dicom_node.settings import Settings
from dicom_node.settings.models import ModelSettings
from inference.backends.base import BackendSettings
from inference.backends.bundle import Bundle
from inference.backends.bundle_files import HASHES
from inference.backends.foreign import Foreign
from inference.backends.json_file import json_object
from inference.errors import BundleBroken, ModelError
from inference.findings import IntendedUse, ModelIdentity
from inference.tasks import TASKS
from storage.database import Transaction
from storage.finding.figures import OfModel

if TYPE_CHECKING:
    from dicom_node.assembly import Parts


def model_lines(settings: Settings) -> list[dict[str, Any]]:
    """Installed models in a line each: task, version, intended use, hash."""
    return [
        {
            "model": model.name,
            "task": model.task,
            "kind": model.settings["kind"],
            "version": model.identity.version,
            "intended_use": str(model.identity.intended_use),
            "sha256": model.identity.sha256,
        }
        for model in installed_models(settings).values()
    ]


def models_view(parts: Parts, tx: Transaction, now: float) -> list[dict[str, Any]]:
    """All of them, sorted by name; without what only one by itself is shown with."""
    done, checks, benches = tx.figures.models(parts.settings.models), tx.model_checks.all(), tx.benches.newest()
    found = []
    for name, model in sorted(parts.settings.models.items()):
        check = checks.get(name)
        view = {**_what(name, model), **_used(parts.settings, name), **_done(done[name])}
        view["verified"] = vars(check) if check else None
        view["bench"] = bench_view(benches.get(name), now)
        found.append(view)
    return found


def model_view(parts: Parts, tx: Transaction, name: str, now: float) -> dict[str, Any]:
    """One, with its card, the hash of each of its files, and how shadows compare with it; NotFound."""
    model = known(parts.settings, name)
    view = next(one for one in models_view(parts, tx, now) if one["model"] == name)
    card = card_of(getattr(model.backend, "path", None), IntendedUse(view["intended_use"]))
    view["card"] = {"facts": card.facts, "sections": [part._asdict() for part in card.sections]}
    return {**view, "files": _recorded(model.backend), "shadows": shadow_view(tx, name)}


def _what(name: str, model: ModelSettings) -> dict[str, Any]:
    """What it is: task with inputs and structures, kind, version, maker, hash, and how far it is trusted."""
    identity, fault = _identity(name, model.backend)
    card, backend = TASKS[model.task], model.backend
    foreign = backend if isinstance(backend, Foreign) else None
    runs_code = foreign is not None and foreign.runs_code
    return {
        "model": name,
        "task": model.task,
        "task_title": card.title,
        "inputs": [role.name for role in card.roles],
        "finds": [structure.name for structure in card.structures],
        "kind": backend.kind,
        "title": identity.name,
        "version": identity.version,
        "manufacturer": identity.manufacturer,
        "intended_use": str(identity.intended_use),
        "clearance": identity.clearance,
        "sha256": identity.sha256,
        "fault": fault,
        "pinned": foreign is None or bool(foreign.sha256),
        "has_files": hasattr(backend, "path"),
        "runs_code": runs_code,
        "disabled": model.disabled.model_dump() if model.disabled else None,
        "closed": model.closed,
        "trusted": foreign is None or not runs_code or foreign.trusted,
    }


def _identity(name: str, backend: BackendSettings) -> tuple[ModelIdentity, str]:
    """Who it is, and what is wrong with its files, "" where nothing is."""
    try:
        return backend.identity(), ""
    except ModelError as broken:
        return ModelIdentity(name, "", "", "", IntendedUse.DEMONSTRATION), str(broken)


def _used(settings: Settings, name: str) -> dict[str, Any]:
    """By which routes, and beside which models it is the shadow or has one."""
    return {
        "routes": [route.name for route in settings.routes if route.model == name],
        "shadow": settings.models[name].shadow or "",
        "shadow_of": sorted(other for other, one in settings.models.items() if one.shadow == name),
    }


def _done(done: OfModel) -> dict[str, Any]:
    return {"studies": done.studies, "waiting": done.waiting, "mean_s": done.mean_s}


def _recorded(backend: BackendSettings) -> dict[str, str]:
    """The SHA-256 that each of its files must have; empty where it has none, or their list cannot be read."""
    if isinstance(backend, Foreign):
        return dict(backend.sha256)
    if not isinstance(backend, Bundle):
        return {}
    try:
        return {str(name): str(value) for name, value in json_object(backend.path, HASHES).items()}
    except BundleBroken:  # which is its fault already
        return {}
