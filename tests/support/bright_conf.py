"""A configuration without weights: every volume has a route, and what is bright in it is called a liver tumour."""

from __future__ import annotations

MODELS = "models:\n  bright: {task: liver_tumour, kind: threshold, lower: 150, upper: 3000}\n"


def routes(*outputs: str, when: str = "{kind: volume}") -> str:
    """routes.yaml with one route, `everything`; its last line belongs to it, so that a test may add a key."""
    return f"""
routes:
  - name: everything
    when: {when}
    select: {{kind: one_series, role: CT}}
    task: liver_tumour
    model: bright
    outputs: [{", ".join(outputs)}]
    destinations: [pacs]
"""
