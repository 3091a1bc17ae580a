"""A file of weights to load."""

import pytest
import torch


@pytest.fixture
def save(tmp_path):
    """Writes weights as a file and returns its path."""

    def write(content, name="weights.pth"):
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return write
