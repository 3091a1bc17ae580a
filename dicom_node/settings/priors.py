"""`priors:` in node.yaml: where earlier results of a patient are looked for, and how long a study waits for them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class PriorSettings(BaseModel):
    """Without an `archive` only what is here already, or waited for up to `wait_s`, is known of a patient."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    archive: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    deadline_s: Annotated[float, Field(gt=0, le=86400)] = 60.0
    retrieve: Literal["move", "get"] = "move"
    studies: Annotated[int, Field(ge=1, le=20)] = 3
    years: Annotated[int, Field(ge=1, le=100)] = 5
    wait_s: Annotated[float, Field(ge=0, le=86400)] = 300.0

    def policy(self) -> dict[str, Any]:
        """What a recall remembers of this, so that a change of configuration does not reach into one that runs."""
        return self.model_dump(include={"retrieve", "studies", "years"})
