"""`make fuzz`: atheris, guided by coverage, for MINUTES on each door and at least INPUTS inputs in all.

python tests/fuzz/run.py pdu|dataset [--minutes 10] [--inputs 50000]. Prints a JSON line of what happened.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
import warnings
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "support"), str(Path(__file__).parent)]

with atheris.instrument_imports(include=["dicom_node", "pynetdicom", "pydicom"]):
    import targets

EVERY = 2000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("door", choices=["pdu", "dataset"])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--inputs", type=int, default=50_000)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    listener = targets.Listener()
    door = listener.hear if options.door == "pdu" else targets.read
    seeds = targets.PDU_SEEDS if options.door == "pdu" else targets.DATA_SEEDS
    state = {"door": options.door, "inputs": 0, "slowest_s": 0.0, "rss_mib": []}
    start = time.monotonic()

    def one(raw: bytes) -> None:
        before = time.monotonic()
        door(raw)
        now = time.monotonic()
        state["inputs"] += 1
        state["slowest_s"] = round(max(state["slowest_s"], now - before), 3)
        if state["inputs"] % EVERY == 0:
            listener.check()
            state["rss_mib"].append(listener.memory() >> 20)
        if now - start > options.minutes * 60 and state["inputs"] >= options.inputs:
            listener.check()
            state.update(seconds=round(now - start), faults=len(listener.faults), result="no crash, no hang")
            print(json.dumps(state), flush=True)
            os._exit(0)  # libFuzzer would call an exit a crash

    corpus = Path(listener.server.limits.folder) / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        (corpus / str(number)).write_bytes(seed)
    atheris.Setup([sys.argv[0], str(corpus), "-max_len=4096", "-timeout=60", "-rss_limit_mb=2048"], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
