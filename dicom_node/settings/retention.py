"""`retention:` in node.yaml: which studies the node lets go, and when."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from storage.retention import DAY_S, Ended, Rule

Days = Annotated[float, Field(ge=0, le=36500)]


class RetentionRule(BaseModel):
    """What ended so, on this route, goes after so many days; the first rule that fits a job decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Ended
    route: str | None = None
    after_days: Days
    after_days_when_short: Days | None = None

    @model_validator(mode="after")
    def _agree(self) -> RetentionRule:
        if self.state is Ended.NOT_ROUTED and self.route:
            raise ValueError("a study that is not_routed has no route: leave the key out")
        if self.after_days_when_short is not None and self.after_days_when_short > self.after_days:
            raise ValueError("after_days_when_short is longer than after_days: a short disk would keep more")
        return self

    @property
    def rule(self) -> Rule:
        """The rule in storage's words."""
        short = None if self.after_days_when_short is None else self.after_days_when_short * DAY_S
        return Rule(self.state, self.after_days * DAY_S, self.route, short)


# What a hospital's node may let go: it is no archive, the PACS holds what it sent and got. Failed jobs, and results
# that were never sent anywhere, have no rule: they wait for a person.
DEFAULT_RULES = (
    RetentionRule(state=Ended.COMMITTED, after_days=14, after_days_when_short=1),
    RetentionRule(state=Ended.SENT, after_days=60, after_days_when_short=7),
    RetentionRule(state=Ended.NOT_ROUTED, after_days=14, after_days_when_short=1),
    RetentionRule(state=Ended.REFUSED, after_days=60, after_days_when_short=7),
)
