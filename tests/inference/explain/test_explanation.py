"""An explanation travels from the worker to whoever asked."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np

from inference.explain.explanation import Explanation
from inference.findings import IntendedUse, ModelIdentity
from inference.volume import Grid, SliceSource


def test_it_can_be_sent():
    model = ModelIdentity("net", "1", "ab", "us", IntendedUse.RESEARCH)
    sent = Explanation(model, Grid((1, 2, 3), np.eye(4)), (SliceSource("1.2"),), {"grad-cam": Path("grad-cam.npy")})
    back = pickle.loads(pickle.dumps(sent))
    assert (back.model, back.maps, back.sources[0].sop_instance_uid) == (model, sent.maps, "1.2")
    assert back.grid.matches(sent.grid)


def test_to_know_it_takes_neither_torch_nor_the_readers():
    code = "import sys, inference.explain.explanation; print([m for m in ('torch', 'SimpleITK') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
