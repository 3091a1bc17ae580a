"""A route as a site writes it: when it fires, which model answers, where the answer goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from dicom_node.routing.one_series import OneSeries
from dicom_node.routing.predicates import AnyPredicate
from dicom_node.routing.roles import MrBrain
from dicom_node.routing.vocabulary import Vocabulary
from inference.tasks import TASKS

AnySelection = Annotated[OneSeries | MrBrain, Field(discriminator="kind")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]
AeTitle = Annotated[str, Field(pattern=r"^[^\\\x00-\x1f]{1,16}$")]
PriorityValue = Annotated[int, Field(ge=0, le=100)]


class Priority(BaseModel):
    """How urgent a route's jobs are, 0 to 100; the highest is claimed first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: PriorityValue = Field(default=50, description="priority where no peer below sent the study")
    peers: dict[AeTitle, PriorityValue] = Field(default_factory=dict, description="priority by calling AE title")

    def of(self, calling_aets: Iterable[str]) -> int:
        """The highest priority among the peers that sent the study."""
        return max((self.peers[aet] for aet in calling_aets if aet in self.peers), default=self.default)


def _priority(value: Any) -> Any:
    return {"default": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Route(BaseModel):
    """When / task / model / outputs / destinations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="short name, shown in the journal and in results")
    description: str = Field(default="", max_length=200, description="one sentence for people")
    enabled: bool = Field(default=True, description="false: the route is kept but never fires")
    when: AnyPredicate = Field(description="predicate that a series must answer with yes")
    select: AnySelection = Field(description="how a task's inputs are chosen among those series")
    task: Name = Field(description="task of the model: brain_tumour, liver_tumour, lung_nodule")
    model: Name = Field(description="name of a model in models.yaml")
    outputs: tuple[Literal["seg", "sr"], ...] = Field(
        default=("seg", "sr"), min_length=1, description="objects that are made of a result"
    )
    destinations: tuple[str, ...] = Field(default=(), description="names of destinations in node.yaml")
    priority: Annotated[Priority, BeforeValidator(_priority)] = Field(
        default_factory=Priority, description="a number, or {default: number, peers: {AE title: number}}"
    )
    incomplete: Literal["process", "refuse"] | None = Field(
        default=None, description="what becomes of a study that lacks images; left out, what its source says"
    )
    missing_frame_of_reference: Literal["synthesise", "refuse"] = Field(
        default="synthesise", description="what becomes of a series whose images name no frame of reference"
    )
    parameters: dict[str, Any] = Field(default_factory=dict, description="handed to the model as they are")

    @model_validator(mode="after")
    def _roles_are_the_tasks(self) -> Route:
        card = TASKS.get(self.task)
        needed = tuple(role.name for role in card.roles) if card else self.select.roles
        if set(needed) != set(self.select.roles):
            fills, needs = ", ".join(self.select.roles), ", ".join(needed)
            raise ValueError(f"select {self.select.kind} fills {fills}, but task {self.task} needs {needs}")
        return self

    @field_validator("outputs", "destinations")
    @classmethod
    def _named_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a name is there twice")
        return value


class Routing(BaseModel):
    """The whole of routes.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    routes: tuple[Route, ...] = Field(default=(), description="every route looks at every study")
    vocabulary: Vocabulary = Field(default_factory=Vocabulary, description="the site's own words")

    @field_validator("routes")
    @classmethod
    def _names_differ(cls, value: tuple[Route, ...]) -> tuple[Route, ...]:
        names = [route.name for route in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two routes are called {', '.join(twice)}")
        return value
