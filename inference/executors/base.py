"""What an executor promises: one request in, one result or one typed error out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from inference.explain.explanation import Explanation
from inference.findings import Result
from inference.request import ExplainRequest, Request

Report = Callable[[float, str], None]  # fraction done (0..1) and the name of the step


class Executor(Protocol):
    """Runs requests, as many at once as it has slots. Safe to call from several threads."""

    @property
    def slots(self) -> int:
        """How many requests run at the same time."""
        ...

    @property
    def trouble(self) -> str:
        """Why requests wait, where that lies in what they run on; empty where all is well."""
        ...

    def pids(self) -> dict[str, int]:
        """Worker process ids by device; empty where there are none."""
        ...

    def start(self) -> None:
        """Take up work, as soon as that can be; called once, before `run`."""
        ...

    def stop(self) -> None:
        """End every worker; requests that still run end with `WorkerDied`."""
        ...

    def run(self, request: Request, report: Report) -> Result:
        """Run one request and wait for it.

        Raises `Unfit`, `ModelError` or, where the worker process ended under the job or exceeded
        `request.time_limit_s`, `WorkerDied`.
        """
        ...

    def explain(self, request: ExplainRequest, report: Report) -> Explanation:
        """Have a model's network looked into, and wait for it; raises what `run` raises."""
        ...


class OneWay(ABC):
    """An executor to whose workers both kinds of request go the same way."""

    def run(self, request: Request, report: Report) -> Result:
        """See `Executor.run`."""
        result: Result = self._answer(request, report)
        return result

    def explain(self, request: ExplainRequest, report: Report) -> Explanation:
        """See `Executor.explain`."""
        explanation: Explanation = self._answer(request, report)
        return explanation

    @abstractmethod
    def _answer(self, request: Request, report: Report) -> Any:
        """What the worker answers, or raises."""
