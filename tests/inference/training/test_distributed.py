"""Two processes train one network: gradients are averaged, and the first process decides."""

import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from inference.training.distributed import World, joined

PROGRAM = """
import sys

import torch

from inference.training.distributed import joined

with joined() as world:
    network = torch.nn.Linear(2, 1)
    torch.nn.init.ones_(network.weight)
    wrapped = world.wrapped(network)
    wrapped(torch.full((1, 2), float(world.rank + 1))).sum().backward()
    told = world.decided(f"said by {world.rank}")
    torch.save({"gradient": network.weight.grad, "told": told, "first": world.first}, f"{sys.argv[1]}/{world.rank}.pt")
"""


def test_torchrun_makes_a_world_in_which_gradients_are_averaged_and_the_first_decides(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ended = subprocess.run(
        [*run, str(tmp_path / "program.py"), str(tmp_path)], check=False, timeout=240, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert (first["first"], second["first"]) == (True, False)
    assert first["told"] == second["told"] == "said by 0"
    for one in (first, second):  # 1 and 2 by themselves
        assert torch.equal(one["gradient"], torch.full((1, 2), 1.5))


def test_alone_nothing_is_wrapped_or_asked() -> None:
    network = nn.Linear(1, 1)
    with joined() as world:
        assert world == World(device="cuda" if torch.cuda.is_available() else "cpu")
        assert world.first
        assert world.wrapped(network) is network
        assert world.decided("mine") == "mine"
