"""models.yaml: which model solves which task and how its weights run, and which files each was recorded with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from dicom_node.settings.files import Document, Place
from dicom_node.written_path import NO_HOME
from inference.backends import AnyBackend
from inference.tasks import TASKS

BUNDLES = Path(__file__).resolve().parent.parent.parent / "inference" / "bundles"
SHIPPED = "shipped:"
NO_NAME = "history"  # the console has another page at the address of a model of this name
LOCK = "models.lock.json"  # SHA-256 of every file of a model, by model and by name; beside models.yaml

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]


class Disabled(BaseModel):
    """Since when and by whom a model takes no new jobs; `true` in the file stands for one that says neither."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: Annotated[str, Field(max_length=40)] = ""
    by: Annotated[str, Field(max_length=100)] = ""

    @field_validator("since", mode="before")
    @classmethod
    def _as_text(cls, said: Any) -> Any:
        """YAML takes a date for more than text."""
        return said.isoformat() if isinstance(said, date) else said

    def __str__(self) -> str:
        return "is disabled" + (f" since {self.since}" if self.since else "") + (f" by {self.by}" if self.by else "")


def _disabled(said: Any) -> Any:
    return ({} if said else None) if isinstance(said, bool) else said


class ModelSettings(BaseModel):
    """One model: the task that it solves, whether it takes jobs, and how its weights run (`kind` and its own keys).

    `shadow` names a model of the same task that runs on the same images behind all jobs, to be compared with it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Name
    shadow: Name | None = None
    disabled: Annotated[Disabled | None, BeforeValidator(_disabled)] = None
    backend: AnyBackend

    @model_validator(mode="before")
    @classmethod
    def _gather_backend(cls, data: Any) -> Any:
        """In the file a backend's keys stand beside `task`."""
        if not isinstance(data, dict) or "backend" in data:
            return data
        ours = cls.model_fields.keys() - {"backend"}
        backend = {key: value for key, value in data.items() if key not in ours}
        return {"backend": backend} | {key: data[key] for key in ours & data.keys()}

    @property
    def closed(self) -> str:
        """Why it takes no new job, as a sentence without its subject; "" where it takes some."""
        return str(self.disabled) if self.disabled else ""


class Models(BaseModel):
    """The whole of models.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: dict[Name, ModelSettings] = Field(default_factory=dict)


def closed_models(models: Mapping[str, ModelSettings]) -> dict[str, str]:
    """Those that take no new jobs, by name, with the reason."""
    return {name: model.closed for name, model in models.items() if model.closed}


def read_lock(folder: Path | None, problems: list[str]) -> tuple[str, dict[str, dict[str, str]]]:
    """The file of recorded hashes in a folder: its text, and hashes by model and file; empty where there is none."""
    path = folder / LOCK if folder else None
    if path is None or not path.exists():
        return "", {}
    try:
        text = path.read_text(encoding="utf-8")
        return text, {str(name): {str(file): str(value) for file, value in files.items()}
                      for name, files in json.loads(text).items()}
    except (OSError, ValueError, AttributeError) as wrong:
        problems.append(f"{LOCK}: cannot be read ({type(wrong).__name__}); `segnode models pin` writes it anew")
        return "", {}


def with_files(document: Document | None, base: Path, lock: Mapping[str, Mapping[str, str]]) -> Document | None:
    """Model paths made absolute (`shipped:NAME` is a bundle that comes with the software), and what was recorded."""
    if document is None or not isinstance(document.data, dict) or not isinstance(document.data.get("models"), dict):
        return document
    models = {name: _with_hashes(_with_path(model, base), lock.get(name))
              for name, model in document.data["models"].items()}
    return Document(document.name, document.text, {**document.data, "models": models}, document.lines)


def model_mistakes(models: Models, document: Document | None) -> Iterator[str]:
    """Tasks, roles and structures that do not exist, with those that do."""
    for name, model in models.models.items():

        def told(key: Place, value: str, sentence: str, name: str = name) -> str:
            where = document.at(("models", name, *key)) if document else "models.yaml"
            return f"{where}: models.{'.'.join(map(str, (name, *key)))} = {value!r}: {sentence}"

        if name == NO_NAME:
            yield told((), name, "no model can have this name; choose another")
        card = TASKS.get(model.task)
        if card is None:
            yield told(("task",), model.task, f"no such task; allowed: {', '.join(sorted(TASKS))}")
            continue
        if (path := str(getattr(model.backend, "path", ""))).startswith("~"):
            yield told(("path",), path, NO_HOME)
        if (sentence := _wrong_shadow(name, models)) is not None:
            yield told(("shadow",), str(model.shadow), sentence)
        roles = ", ".join(role.name for role in card.roles)
        structures = ", ".join(structure.name for structure in card.structures)
        for key, there, what in (("inputs", roles, "role"), ("outputs", structures, "structure")):
            for word, meant in getattr(model.backend, key, {}).items():
                if meant not in there.split(", "):
                    yield told((key, word), meant, f"task {card.name} has no such {what}; allowed: {there}")
        recipe = getattr(model.backend, "recipe", None)
        for role in recipe.roles if recipe else ():
            if role not in roles.split(", "):
                yield told(("recipe",), role, f"task {card.name} has no such role; allowed: {roles}")


def _wrong_shadow(name: str, models: Models) -> str | None:
    """What is wrong with a model's shadow; None where nothing is."""
    model = models.models[name]
    if model.shadow is None:
        return None
    shadow = models.models.get(model.shadow)
    if shadow is None:
        return f"no such model; known: {', '.join(sorted(models.models))}"
    if model.shadow == name:
        return "a model is no shadow of its own"
    if shadow.task != model.task:
        return f"model {model.shadow} solves {shadow.task}, this one {model.task}"
    return None


def _with_path(model: Any, base: Path) -> Any:
    path = model.get("path") if isinstance(model, dict) else None
    if not isinstance(path, str):
        return model
    try:
        place = BUNDLES / path.removeprefix(SHIPPED) if path.startswith(SHIPPED) else base / Path(path).expanduser()
    except RuntimeError:  # of a home that this machine does not know: `model_mistakes` tells it
        return model
    return {**model, "path": str(place)}


def _with_hashes(model: Any, recorded: Mapping[str, str] | None) -> Any:
    if not isinstance(model, dict) or not recorded or "sha256" in model:
        return model
    return {**model, "sha256": dict(recorded)}
