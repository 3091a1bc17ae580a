"""A model as the stages know it: what an executor needs to run it, who it is, and whether it takes work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from inference.findings import ModelIdentity
from inference.request import Maker
from storage.records import Job


@dataclass(frozen=True)
class InstalledModel:
    """A model as configured. `closed` says since when and by whom it is disabled, "" where it is not."""

    name: str
    task: str
    settings: Mapping[str, Any]
    identity: ModelIdentity
    closed: str = ""
    shadow: str = ""  # the model that runs on the same images behind all jobs, "" where none does

    @property
    def name_for_jobs(self) -> dict[str, str]:
        """What of its identity makes another job of the same inputs."""
        return {"name": self.identity.name, "version": self.identity.version, "sha256": self.identity.sha256}


def closed(models: Iterable[InstalledModel]) -> dict[str, str]:
    """Those that take no work, by name, with the reason."""
    return {model.name: model.closed for model in models if model.closed}


def made_by_another(job: Job, here: ModelIdentity) -> str:
    """Why the model that is `here` may not make the job's result again; "" where it may.

    The UIDs of a result are the job's: a peer holds what another model has answered under them. Results that were made
    before jobs kept their maker tell none.
    """
    kept = job.summary.get("maker")
    if not kept or Maker(**kept) == Maker.of(here):
        return ""
    return (
        f"the result of study {job.study_instance_uid} was made by {kept['name']} {kept['version']}, and {here.name} "
        f"{here.version} is here now: another answer may not bear its UIDs; "
        f"`segnode run {job.study_instance_uid} --model {job.model}` makes a new one"
    )
