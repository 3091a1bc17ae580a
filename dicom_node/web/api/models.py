"""Installed models: what they are, whether their files are whole, what they have done; and what to do about them.

Each command may be sent again: what is so already is not done again.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from dicom_node.models import benching, model_switch
from dicom_node.models.model_views import model_view, models_view
from dicom_node.models.shadow_choice import name_shadow
from dicom_node.models.shadowing import shadow_view
from dicom_node.models.verifying import known, verify
from dicom_node.settings.models import Name
from dicom_node.web.access import Caller, Here
from dicom_node.web.api.answers import PROBLEMS
from dicom_node.web.api.history import Written, author, written

router = APIRouter(tags=["models"], responses=PROBLEMS)


class Checked(BaseModel):
    """When its files were last read again at whose wish; `fault` is empty where all were as recorded."""

    model: str
    at: float = Field(description="seconds since 1970, UTC")
    by: str
    sha256: str
    fault: str


class Switch(BaseModel):
    """When and by whom; empty where models.yaml does not say."""

    since: str
    by: str


class Sure(BaseModel):
    """Whether it is known that studies wait for it."""

    model_config = ConfigDict(extra="forbid")

    sure: bool = Field(default=False, description="Do it though studies wait for it, which is refused (409) otherwise.")


class Beside(BaseModel):
    """The model that is to run on the same images; null for none."""

    model_config = ConfigDict(extra="forbid")

    shadow: Name | None


class Run(BaseModel):
    """A model run in one way on a phantom: its precision, after its engine where that is not torch.

    `ratio` is how much faster than the first, Dice that with fp32.
    """

    precision: str
    windows: int
    seconds: float
    network_s: float
    peak_mb: float
    dice_with_fp32: float
    ratio: float | None


class Tried(BaseModel):
    """The last time that it was tried: PENDING, RUNNING, DONE or FAILED with its reason."""

    state: str
    by: str
    asked_at: float
    at: float | None
    reason: str
    device: str
    chosen: str = Field(description="The way that it is run there.")
    better: str | None = Field(description="Another one that is faster there and finds the same.")
    runs: list[Run]


class Compared(BaseModel):
    """One version of a model and one of its shadow: means over studies, the studies that differ most, what failed."""

    shadow: str
    version: str
    shadow_version: str
    studies: int
    failed: int
    mean_dice: float | None
    seconds: float | None
    shadow_seconds: float | None
    regions: list[dict[str, Any]] = Field(description="By region: studies that have it, mean Dice, both volumes (ml).")
    worst: list[dict[str, Any]]
    failures: list[dict[str, Any]]


class Shadows(BaseModel):
    """All of them, and how many studies wait to be compared."""

    model: str
    waiting: int
    compared: list[Compared]


class Model(BaseModel):
    """An installed model; `card`, `files` and further fields are there where one is asked for by its name."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(description="Its name in models.yaml.")
    task: str
    kind: str
    version: str
    intended_use: str
    sha256: str
    fault: str = Field(description="Why it cannot run; empty where it can.")
    pinned: bool = Field(description="Whether the hash of each of its files was recorded.")
    trusted: bool = Field(description="Whether it runs no code of its maker's, or may.")
    verified: Checked | None
    disabled: Switch | None = Field(description="Since when and by whom it takes no new jobs; null where it does.")
    bench: Tried | None
    shadow: str = Field(description="The model that runs on the same images behind all jobs; empty where none does.")
    shadow_of: list[str]
    routes: list[str]
    studies: int = Field(description="Of how many studies it has made results, among its last 1000 jobs.")
    waiting: int = Field(description="How many studies wait for it.")
    mean_s: float | None = Field(description="What one of its last 1000 jobs took in the mean, in seconds.")


@router.get("/api/v1/models", response_model=list[Model])
def models(console: Here) -> list[dict[str, Any]]:
    """Installed models: task, version, intended use, hash, what each has done."""
    with console.parts.database.reading() as tx:
        return models_view(console.parts, tx, console.clock())


@router.get("/api/v1/models/{name}", response_model=Model)
def one_model(console: Here, name: str) -> dict[str, Any]:
    """One, with its card and the hash of each of its files."""
    with console.parts.database.reading() as tx:
        return model_view(console.parts, tx, name, console.clock())


@router.get("/api/v1/models/{name}/shadow", response_model=Shadows)
def shadows(console: Here, name: str) -> dict[str, Any]:
    """How its shadows compare with it, of the newest 1000 studies."""
    known(console.parts.settings, name)
    with console.parts.database.reading() as tx:
        return shadow_view(tx, name)


@router.put("/api/v1/models/{name}/shadow", response_model=Written)
def put_shadow(console: Here, caller: Caller, name: str, wanted: Beside) -> dict[str, Any]:
    """Have another model for its task run on the same images when no job waits, or none."""
    return written(console, name_shadow(console.parts, name, wanted.shadow or "", author(console, caller)))


@router.post("/api/v1/models/{name}/verify", response_model=Checked)
def verify_model(console: Here, caller: Caller, name: str) -> dict[str, Any]:
    """Read every file of it again."""
    return vars(verify(console.parts, name, author(console, caller)))


@router.post("/api/v1/models/{name}/bench", response_model=Tried, status_code=HTTPStatus.ACCEPTED)
def bench_model(console: Here, caller: Caller, name: str) -> dict[str, Any]:
    """Have it tried on a phantom as soon as no job waits; one model at a time (409)."""
    benching.ask(console.parts, name, author(console, caller))
    with console.parts.database.reading() as tx:
        tried: dict[str, Any] = model_view(console.parts, tx, name, console.clock())["bench"]
    return tried


@router.post("/api/v1/models/{name}/disable", response_model=Written)
def disable_model(console: Here, caller: Caller, name: str, wanted: Sure | None = None) -> dict[str, Any]:
    """Have it take no new jobs; those that wait for it stay in the queue."""
    sure = wanted.sure if wanted else False
    return written(console, model_switch.disable(console.parts, name, author(console, caller), sure=sure))


@router.post("/api/v1/models/{name}/enable", response_model=Written)
def enable_model(console: Here, caller: Caller, name: str) -> dict[str, Any]:
    """Have it take jobs again."""
    return written(console, model_switch.enable(console.parts, name, author(console, caller)))
