"""`ray:` of node.yaml. That nobody answers stands in test_ray_cluster.py."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pydantic import ValidationError

from inference.executors import ray_settings
from inference.executors.ray_settings import RaySettings


def test_only_the_address_must_be_said() -> None:
    settings = RaySettings(address="head.example:6379")
    assert (settings.workers, settings.gpus, settings.cpus) == (4, "auto", 1.0)


@pytest.mark.parametrize("address", ["head", "ray://head:10001", "head:", "auto", "http://head:1", "head:1/../x"])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    with pytest.raises(ValidationError, match="address"):
        RaySettings(address=address)


@pytest.mark.parametrize("asked", [{"gpus": 2}, {"gpus": "some"}, {"workers": 0}, {"cpus": -1}, {"what": 1}])
def test_what_makes_no_sense_is_named(asked: dict) -> None:
    with pytest.raises(ValidationError, match=next(iter(asked))):
        RaySettings(address="head:1", **asked)


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_settings, "find_spec", lambda _: None)
    with pytest.raises(ValidationError, match=r"pip install 'segnode\[cluster\]'"):
        RaySettings(address="head:1", models_folder=Path())


def test_a_cluster_that_listens_is_fine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as head:
        RaySettings(address=f"127.0.0.1:{head.getsockname()[1]}").knock()
        head.settimeout(10.0)
        connection, _ = head.accept()
        assert connection.recv(1) == b"", "it leaves without a word"
