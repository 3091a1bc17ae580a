"""Writes boxes in the patient's frame, once an evaluation is over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ignite.engine import Events


class BoxWriter:
    """A handler that brings each item through the postprocessing and keeps its boxes."""

    def __init__(self, folder: str, after: Any) -> None:
        self.folder, self.after = folder, after

    def attach(self, engine: Any) -> None:
        engine.add_event_handler(Events.STARTED, self.begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.keep)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def begin(self, _engine: Any) -> None:
        self.kept: list[dict[str, Any]] = []

    def keep(self, engine: Any) -> None:
        for item in engine.state.output:
            found = self.after({**item["pred"], "image": item["image"]})
            self.kept.append({key: found[key].tolist() for key in ("box", "label", "label_scores")})

    def write(self, _engine: Any) -> None:
        (Path(self.folder) / "boxes.json").write_text(json.dumps(self.kept))
