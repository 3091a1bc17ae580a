"""Tells what a machine needs, one requirement a line, as setup.cfg has it: for a `node`, or for a `worker`.

A node runs every role and no model: it goes without torch, which models alone need (`executor: ray` runs them on
workers). A worker has everything.
"""

from __future__ import annotations

import configparser
import re
import sys
from collections.abc import Iterator
from pathlib import Path

SETUP = Path(__file__).resolve().parent.parent / "setup.cfg"
MODELS_ALONE = frozenset({"torch", "monai"})
NODE_EXTRAS = ("postgres", "s3", "cluster", "tracing")
EXTRAS = {"node": NODE_EXTRAS, "worker": (*NODE_EXTRAS, "kuberay", "nnunet", "zoo")}


def requirements(kind: str) -> Iterator[str]:
    """What a machine of this `kind` needs beside segnode itself."""
    parser = configparser.ConfigParser()
    parser.read(SETUP)
    for line in parser["options"]["install_requires"].split("\n"):
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower()
        if name and not (kind == "node" and name in MODELS_ALONE):
            yield line
    for extra in EXTRAS[kind]:
        yield from filter(None, parser["options.extras_require"][extra].split("\n"))


if __name__ == "__main__":
    if sys.argv[1:] not in (["node"], ["worker"]):
        sys.exit("usage: requirements.py node|worker")
    sys.stdout.write("".join(f"{line}\n" for line in requirements(sys.argv[1])))
