"""Runs requests in this process: for scoring, training and tests. It loads torch here."""

from __future__ import annotations

from inference.executors.base import Report
from inference.explain.explanation import Explanation
from inference.findings import Result
from inference.request import ExplainRequest, Request


class Inline:
    """One slot, weights resident between requests, no time limit."""

    slots = 1
    trouble = ""

    def __init__(self, device: str = "cpu") -> None:
        self._device = device

    def pids(self) -> dict[str, int]:
        return {}

    def start(self) -> None:
        from inference.executors.residents import Residents

        self._residents = Residents(self._device)

    def stop(self) -> None:
        self._residents.clear()

    def run(self, request: Request, report: Report) -> Result:
        from inference.predict import predict

        return predict(request, self._residents.backend(request), report)

    def explain(self, request: ExplainRequest, report: Report) -> Explanation:
        from inference.explain.explain import explain

        return explain(request, self._residents.backend(request), report)
