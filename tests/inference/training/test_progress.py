"""Who waits sees what is done of how much, and what is known so far."""

import io

from rich.console import Console

from inference.training.progress import progress


def test_a_bar_tells_what_is_done_and_its_note() -> None:
    shown = io.StringIO()
    bars = progress()
    bars.live.console = Console(file=shown, force_terminal=True, width=120)
    with bars:
        bars.update(bars.add_task("nodules", total=8, note=""), completed=3, note="Dice 0.512")
    assert "nodules" in shown.getvalue()
    assert "3/8" in shown.getvalue()
    assert "Dice 0.512" in shown.getvalue()
