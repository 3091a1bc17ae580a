"""The Compose file, as Compose itself reads it, and the files that it hands to each service."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dicom_node.settings import load

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE = DEPLOY / "compose"
EVERY = ("segnode", "postgres", "orthanc", "ohif", "prometheus", "grafana")


def composed(*words: str) -> dict[str, Any]:
    compose = Path(sys.executable).parent / "docker-compose"
    command = [compose, "--project-directory", COMPOSE, *words, "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    profiles = ("--profile", "pacs", "--profile", "monitoring")
    return composed("--file", str(COMPOSE / "compose.yaml"), *profiles)["services"]


def test_the_node_comes_with_its_database_alone() -> None:
    assert set(composed("--file", str(COMPOSE / "compose.yaml"))["services"]) == {"segnode", "postgres"}


def test_profiles_bring_the_others(services) -> None:
    assert set(services) == set(EVERY)


def test_gpus_are_lent_by_a_second_file() -> None:
    files = ("--file", str(COMPOSE / "compose.yaml"), "--file", str(COMPOSE / "gpu.yaml"))
    resources = composed(*files)["services"]["segnode"]["deploy"]["resources"]
    assert resources["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert resources["limits"]["memory"]


@pytest.mark.parametrize("name", EVERY)
def test_each_service_has_bounds(services, name: str) -> None:
    service = services[name]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r":v?\d", service["image"]), "an image has a version"


@pytest.mark.parametrize("name", sorted(set(EVERY) - {"orthanc"}))
def test_each_runs_read_only_and_without_capabilities(services, name: str) -> None:
    assert services[name]["read_only"]
    assert services[name]["cap_drop"] == ["ALL"]


def test_only_the_dicom_port_is_open_to_other_machines(services) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    open_to_all = [port["published"] for port in ports if port.get("host_ip") != "127.0.0.1"]
    assert open_to_all == ["11112"]


@pytest.mark.parametrize("name", EVERY)
def test_every_file_that_is_mounted_is_there(services, name: str) -> None:
    binds = [volume["source"] for volume in services[name].get("volumes", []) if volume["type"] == "bind"]
    assert [source for source in binds if not Path(source).exists()] == []


def test_the_node_has_time_to_end(services) -> None:
    minutes, seconds = re.fullmatch(r"(?:(\d+)m)?(\d+)s", services["segnode"]["stop_grace_period"]).groups()
    assert int(minutes or 0) * 60 + int(seconds) >= load(COMPOSE / "segnode").node.drain_s + 15


def test_the_node_finds_the_others_by_name(services) -> None:
    node = load(COMPOSE / "segnode").node
    assert node.destinations["pacs"].peer.host in services
    assert node.database == "postgresql://segnode@postgres/segnode"


def test_results_are_dated_in_the_zone_of_the_site(monkeypatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")  # or in .env
    service = composed("--file", str(COMPOSE / "compose.yaml"))["services"]["segnode"]
    assert service["environment"]["TZ"] == "Europe/Berlin"


@pytest.mark.peer
def test_orthanc_starts_with_its_configuration(make_shared_orthanc) -> None:
    settings = json.loads((COMPOSE / "orthanc.json").read_text())
    assert settings["DicomModalities"] == {"segnode": ["SEGNODE", "segnode", 11112]}
    ports = ("DicomPort", "RemoteAccessAllowed")  # the test's own
    pacs = make_shared_orthanc({key: value for key, value in settings.items() if key not in ports})
    assert pacs.get("/system")["Name"] == settings["Name"]


def test_prometheus_asks_the_node_with_a_token(services) -> None:
    scrape = YAML(typ="safe").load((COMPOSE / "prometheus.yaml").read_text())["scrape_configs"][0]
    assert scrape["job_name"] == "segnode"  # as the alerts call it
    assert scrape["static_configs"][0]["targets"] == ["segnode:8470"]
    assert scrape["authorization"]["credentials_file"] == "/run/secrets/segnode.token"
    assert services["prometheus"]["secrets"][0]["source"] == "segnode.token"


def test_grafana_is_given_the_dashboard_and_where_to_ask(services) -> None:
    mounted = {volume["target"]: volume["source"] for volume in services["grafana"]["volumes"]}
    provider = YAML(typ="safe").load((COMPOSE / "grafana" / "dashboards.yaml").read_text())["providers"][0]
    (dashboard,) = (mounted[target] for target in mounted if target.startswith(provider["options"]["path"]))
    assert Path(dashboard) == DEPLOY / "monitoring" / "grafana-dashboard.json"
    source = YAML(typ="safe").load((COMPOSE / "grafana" / "datasource.yaml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090"


def test_the_viewer_asks_its_own_address(services) -> None:
    viewer, server = (COMPOSE / "ohif-config.js").read_text(), (COMPOSE / "ohif-nginx.conf").read_text()
    assert viewer.count("'/dicom-web'") == 3
    assert "location /dicom-web/" in server
    assert "proxy_pass http://orthanc:8042;" in server
