"""Who is asked whether a study is here in full, by who sent it; and how patiently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

EVERYBODY = "*"

Seconds = Annotated[float, Field(gt=0, le=7 * 86400)]


class Source(BaseModel):
    """The archive of what some peer sends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    peer: Annotated[str, Field(min_length=1, max_length=64)]
    retrieve: Literal["move", "get", "none"] = "move"
    deadline_s: Seconds = 600.0
    ask_again_s: Seconds = 10.0
    incomplete: Literal["process", "refuse"] = "process"

    def policy(self) -> dict[str, Any]:
        """What a fetch remembers of this, so that a change of configuration does not reach into one that runs."""
        return self.model_dump(include={"retrieve", "ask_again_s", "incomplete"})


class Backfill(BaseModel):
    """How gently studies are pulled that a person wants (`segnode fetch`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_in_flight: Annotated[int, Field(ge=1, le=1000)] = 4
    rate_per_minute: Annotated[float, Field(gt=0, le=600)] = 6.0
    priority: Annotated[int, Field(ge=0, le=100)] = 0


@dataclass(frozen=True)
class Sources:
    """Sources by calling AE title; `*` stands for every title that is not named."""

    by_title: Mapping[str, Source] = field(default_factory=dict)

    def of(self, calling_aets: Iterable[str]) -> Source | None:
        """Who is asked about a study that these have sent: the first named one's source, else everybody's."""
        named = (self.by_title[title] for title in calling_aets if title in self.by_title)
        return next(named, self.by_title.get(EVERYBODY))
