"""The chart as Helm renders it: objects that Kubernetes takes, pods that may do little, a configuration that loads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from dicom_node.running.node import ROLES
from dicom_node.settings import NodeSettings, load

ROOT = Path(__file__).resolve().parents[2]
HELM = ROOT / "deploy" / "helm"
CHART = HELM / "segnode"
KUBERNETES = ("1.29", "1.35")  # the oldest and the newest that the objects are held against
MACHINES = {"g5.2xlarge": (8, 32), "Standard_NC4as_T4_v3": (4, 28), "Standard_NC8as_T4_v3": (8, 56)}  # processors, GiB
SITES: Mapping[str, dict[str, Any]] = {
    "as it is": {},
    "with an ingress": {"web": {"ingress": {"enabled": True}}},
    "with TLS": {
        "config": {"node": {"tls": {"certificate": "tls/segnode.crt", "key": "tls/segnode.key",
                                    "authorities": "tls/authorities.pem"}}},
        "receive": {"tls": {"enabled": True}},
        "secretFiles": [{"secret": "segnode-tls", "key": "tls.key", "path": "tls/segnode.key"}],
    },
    "with a PACS by DICOMweb": {"config": {"node": {"destinations": {
        "pacs": {"kind": "stow", "url": "https://pacs.example.org/dicom-web"}}}}},
    "with a PACS of another name": {"config": {
        "node": {"destinations": {"archive": {"kind": "dimse", "ae_title": "A", "host": "archive", "port": 104}}},
        "routes": {"routes": []},
    }},
    "in Berlin": {"timezone": "Europe/Berlin"},
    "with a password by no Secret": {"database": {"passwordSecret": {"name": ""}}},
    "with addresses": {
        "networkPolicy": {"dicomFrom": ["10.1.2.0/24"], "webFrom": [{"namespaceSelector": {}}]},
        "receive": {"service": {"sourceRanges": ["10.0.0.0/8"]}},
        "imagePullSecrets": ["registry"],
    },
    "with a bucket": {
        "config": {"node": {"archive": {"url": "s3://segnode/archive"},
                            "audit": {"mode": "syslog", "syslog": {"host": "audit.example.org", "port": 6514}}}},
    },
    "with nothing asked": {  # `off`, as Helm reads it
        "config": {"node": {"archive": {"url": "s3://segnode/archive"}, "audit": {"mode": False},
                            "commitment": {"service": False}}},
    },
    "with Ray": {"ray": {"enabled": True}},
    "with another's Ray": {
        "config": {"node": {"executor": "ray", "ray": {"address": "ray.example.org:6379"}}},
        "ray": {"tokenSecret": "theirs"},
    },
    "alone": {"receive": {"replicas": 1}, "pipeline": {"replicas": 1}, "archive": {"existingClaim": "share"}},
    **{path.name: YAML(typ="safe").load(path.read_text()) for path in sorted(HELM.glob("values-*.yaml"))},
}  # fmt: skip
# Helm's engine in a process of its own: a library in Go and a test run that forks do not go together.
RENDER = """
import json, sys
from helm_python import Chart, lint

chart, sites = sys.argv[1], json.load(sys.stdin)
with Chart.load(chart) as loaded:
    rendered = {name: loaded.render(site, name="site", namespace="imaging") for name, site in sites.items()}
json.dump([rendered, {name: lint(chart, site, strict=True) for name, site in sites.items()}], sys.stdout)
"""


def helm(sites: Mapping[str, dict[str, Any]]) -> tuple[dict[str, dict[str, str]], dict[str, Any]]:
    """What the chart becomes with each site's values, file by file, and what Helm's linter finds."""
    command = [sys.executable, "-c", RENDER, str(CHART)]
    done = subprocess.run(command, input=json.dumps(sites), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr)
    rendered, found = json.loads(done.stdout)
    return rendered, found


@pytest.fixture(scope="module")
def charted() -> tuple[dict[str, dict[str, str]], dict[str, Any]]:
    return helm(SITES)


@pytest.fixture(scope="module")
def rendered(charted) -> dict[str, list[dict[str, Any]]]:
    """The objects of each site."""

    def read(files: Mapping[str, str]) -> list[dict[str, Any]]:
        texts = [text for name, text in files.items() if name.endswith(".yaml")]
        return [one for text in texts for one in YAML(typ="safe").load_all(text) if one]

    return {site: read(files) for site, files in charted[0].items()}


@pytest.fixture(params=list(SITES))
def site(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def objects(rendered, site: str) -> list[dict[str, Any]]:
    return rendered[site]


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def pods(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in objects:
        if one["kind"] == "Deployment":
            yield one["spec"]["template"]["spec"]
        if one["kind"] == "RayCluster":
            yield one["spec"]["headGroupSpec"]["template"]["spec"]
            yield from (group["template"]["spec"] for group in one["spec"]["workerGroupSpecs"])


def configured(objects: list[dict[str, Any]], folder: Path) -> NodeSettings:
    """What a pod loads."""
    (configuration,) = of_kind(objects, "ConfigMap").values()
    for name, text in configuration["data"].items():
        (folder / name).write_text(text)
    return load(folder).node


def test_helm_finds_nothing_to_say(charted, site: str) -> None:
    told = charted[1][site]
    assert told["errors"] == []
    assert [one["error"] for one in told["messages"]] == ["icon is recommended"]


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_every_object(rendered, version: str) -> None:
    different = {json.dumps(one, sort_keys=True): one for objects in rendered.values() for one in objects}
    own = [one for one in different.values() if one["kind"] != "RayCluster"]  # which is KubeRay's
    kinds = {one["kind"] for one in own}
    assert kinds >= {"Deployment", "Service", "ConfigMap", "NetworkPolicy", "PodDisruptionBudget"}
    for one in own:
        kubernetes_validate.validate(one, version, strict=True)


def test_every_role_has_its_pods(objects) -> None:
    found = of_kind(objects, "Deployment")
    assert set(found) == {f"site-{role}" for role in ROLES}
    for role in ROLES:
        (container,) = found[f"site-{role}"]["spec"]["template"]["spec"]["containers"]
        assert {"name": "SEGNODE_ROLES", "value": role} in container["env"]


def test_no_pod_may_more_than_it_must(objects) -> None:
    for pod in pods(objects):
        held = pod["securityContext"]
        assert (held["runAsNonRoot"], held["runAsUser"], held["seccompProfile"]) == (
            True, 8104, {"type": "RuntimeDefault"})  # fmt: skip
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
            }  # fmt: skip
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"]["cpu"]
            assert {"/var/lib/segnode", "/tmp"} <= {mount["mountPath"] for mount in container["volumeMounts"]}


def test_every_role_is_probed(objects) -> None:
    for one in of_kind(objects, "Deployment").values():
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert {"startupProbe", "livenessProbe"} <= container.keys()
        assert ("readinessProbe" in container) == ("ports" in container)


def test_a_database_that_is_away_has_no_pod_killed(objects) -> None:
    for one in of_kind(objects, "Deployment").values():
        (container,) = one["spec"]["template"]["spec"]["containers"]
        probe = container["livenessProbe"]
        assert "tcpSocket" in probe or "--alive" in probe["exec"]["command"]


def test_who_must_go_is_waited_for(objects, tmp_path: Path) -> None:
    drain_s = configured(objects, tmp_path).drain_s
    for pod in pods(objects):
        assert pod["terminationGracePeriodSeconds"] == drain_s + 5 + 15  # no Service leads to it; drained; last words


def test_the_configuration_loads(objects, tmp_path: Path) -> None:
    node = configured(objects, tmp_path)
    assert (node.host, node.port, node.web.host) == ("0.0.0.0", 11112, "0.0.0.0")
    assert str(node.data_folder) == "/var/lib/segnode"
    assert node.database.startswith("postgresql://")


@pytest.mark.parametrize(("site", "names"), [
    ("as it is", {"pacs": "dimse"}),
    ("with a PACS by DICOMweb", {"pacs": "stow"}),
    ("with a PACS of another name", {"archive": "dimse"}),
])  # fmt: skip
def test_a_site_that_names_its_destinations_has_no_others(
    objects, tmp_path: Path, site: str, names: dict[str, str]
) -> None:
    destinations = configured(objects, tmp_path).destinations
    assert {name: one.kind for name, one in destinations.items()} == names


def test_every_volume_is_declared(objects) -> None:
    for pod in pods(objects):
        declared = {volume["name"] for volume in pod["volumes"]}
        containers = [*pod.get("initContainers", []), *pod["containers"]]
        assert {mount["name"] for one in containers for mount in one["volumeMounts"]} == declared


def test_services_lead_to_pods(objects) -> None:
    deployments = of_kind(objects, "Deployment").values()
    for service in of_kind(objects, "Service").values():
        wanted = service["spec"]["selector"].items()
        (chosen,) = (d for d in deployments if wanted <= d["spec"]["template"]["metadata"]["labels"].items())
        (container,) = chosen["spec"]["template"]["spec"]["containers"]
        ports = {port["name"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@pytest.mark.parametrize(("site", "zone"), [("as it is", []), ("in Berlin", ["Europe/Berlin"])])
def test_results_are_dated_in_the_zone_of_the_site(objects, site: str, zone: list[str]) -> None:
    """Those of images that do not say theirs; a container's own is UTC."""
    for one in of_kind(objects, "Deployment").values():
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert [said["value"] for said in container["env"] if said["name"] == "TZ"] == zone


class TestOneSite:
    @pytest.fixture
    def site(self) -> str:
        return "as it is"

    def test_the_password_comes_from_a_secret_alone(self, objects) -> None:
        for pod in (one["spec"]["template"]["spec"] for one in of_kind(objects, "Deployment").values()):
            (container,) = pod["containers"]
            (password,) = (one for one in container["env"] if one["name"] == "PGPASSWORD")
            assert password["valueFrom"] == {"secretKeyRef": {"name": "segnode-database", "key": "password"}}

    def test_pods_of_pipeline_and_clock_hear_nobody(self, objects) -> None:
        policies = of_kind(objects, "NetworkPolicy")
        assert set(policies) == {"site", "site-receive", "site-web"}
        assert "ingress" not in policies["site"]["spec"]

    def test_receivers_are_never_all_away_on_purpose(self, objects) -> None:
        assert {"site-receive", "site-pipeline"} == set(of_kind(objects, "PodDisruptionBudget"))


class TestRay:
    @pytest.fixture
    def site(self) -> str:
        return "with Ray"

    def test_a_cluster_grows_with_the_queue(self, objects) -> None:
        (cluster,) = of_kind(objects, "RayCluster").values()
        (group,) = cluster["spec"]["workerGroupSpecs"]
        assert cluster["spec"]["enableInTreeAutoscaling"]
        assert (group["minReplicas"], group["maxReplicas"]) == (1, 4)
        (worker,) = group["template"]["spec"]["containers"]
        assert worker["resources"]["limits"]["nvidia.com/gpu"] == 1
        assert cluster["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"

    def test_its_version_is_that_of_the_images(self, objects) -> None:
        (cluster,) = of_kind(objects, "RayCluster").values()
        assert f"\nray=={cluster['spec']['rayVersion']}\n" in (ROOT / "conf" / "constraints.txt").read_text()

    def test_the_node_is_told_of_it(self, objects, tmp_path: Path) -> None:
        node = configured(objects, tmp_path)
        assert node.executor == "ray"
        assert (node.ray.address, node.ray.workers, node.ray.gpus) == ("site-ray-head-svc:6379", 4, 1)

    def test_each_pipeline_takes_part_in_it(self, objects) -> None:
        pod = of_kind(objects, "Deployment")["site-pipeline"]["spec"]["template"]["spec"]
        (raylet,), (pipeline,) = pod["initContainers"], pod["containers"]
        assert pod["shareProcessNamespace"]  # by its process the pipeline finds it
        assert raylet["restartPolicy"] == "Always"  # a sidecar: there before the pipeline, and after it
        assert "--address=site-ray-head-svc:6379" in raylet["command"]
        shared = {"/tmp", "/dev/shm", "/var/lib/segnode"}
        assert shared <= {one["mountPath"] for one in raylet["volumeMounts"] if one in pipeline["volumeMounts"]}

    def test_who_takes_part_has_its_token(self, objects) -> None:
        (cluster,) = of_kind(objects, "RayCluster").values()
        assert cluster["spec"]["authOptions"] == {"mode": "token"}
        pod = of_kind(objects, "Deployment")["site-pipeline"]["spec"]["template"]["spec"]
        for container in [*pod["initContainers"], *pod["containers"]]:
            (token,) = (one for one in container["env"] if one["name"] == "RAY_AUTH_TOKEN")
            assert token["valueFrom"] == {"secretKeyRef": {"name": "site-ray", "key": "auth_token"}}

    def test_its_pods_know_nothing_of_the_node(self, objects) -> None:
        (cluster,) = of_kind(objects, "RayCluster").values()
        for pod in pods([cluster]):
            assert all("emptyDir" in volume for volume in pod["volumes"])
            assert all("env" not in container for container in pod["containers"])

    def test_its_members_may_call_the_pipeline(self, objects) -> None:
        (rule,) = of_kind(objects, "NetworkPolicy")["site-pipeline"]["spec"]["ingress"]
        assert rule["from"] == [{"podSelector": {"matchLabels": {"ray.io/cluster": "site-ray"}}}]

    def test_only_the_pipeline_may_talk_to_it(self, objects) -> None:
        policy = of_kind(objects, "NetworkPolicy")["site-ray"]["spec"]
        named = [one["podSelector"]["matchLabels"] for one in policy["ingress"][0]["from"]]
        assert policy["podSelector"]["matchLabels"] == {"ray.io/cluster": "site-ray"}
        assert [one.get("app.kubernetes.io/component") for one in named] == [None, "pipeline", None]


@pytest.mark.parametrize("cloud", ["aks", "eks"])
def test_a_machine_of_the_clouds_notes_bears_what_a_worker_asks_for(rendered, cloud: str) -> None:
    """With some left to Kubernetes itself: what asks for every processor of a machine is never placed there."""
    (cluster,) = of_kind(rendered[f"values-{cloud}.yaml"], "RayCluster").values()
    (worker,) = cluster["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"]
    notes = (ROOT / "deploy" / "CLOUD.md").read_text()
    machine = re.search(r"--node(?:-vm-size|-type) (?P<name>\S+)", notes.partition(f"## {cloud.upper()}")[2])
    assert machine
    processors, gib = MACHINES[machine["name"].strip("`")]
    asked = worker["resources"]["requests"]
    assert int(asked["cpu"]) < processors
    assert int(asked["memory"].removesuffix("Gi")) < 0.85 * gib


class TestModels:
    """Where they run, there torch is."""

    @pytest.fixture
    def pod(self, objects) -> dict[str, Any]:
        return of_kind(objects, "Deployment")["site-pipeline"]["spec"]["template"]["spec"]

    @pytest.mark.parametrize(("site", "more"), [("as it is", 0), ("with Ray", 1)])
    def test_one_more_pod_needs_no_gpu_that_is_not_there(self, objects, site: str, more: int) -> None:
        """Else the new pod waits for a GPU, the old ones for the new pod, and an upgrade never ends."""
        strategies = {name: one["spec"]["strategy"] for name, one in of_kind(objects, "Deployment").items()}
        rolled = {"maxUnavailable": 0, "maxSurge": 1}
        assert strategies.pop("site-pipeline")["rollingUpdate"] == {"maxUnavailable": 1 - more, "maxSurge": more}
        assert all(one["rollingUpdate"] == rolled for one in strategies.values())

    @pytest.mark.parametrize("site", ["as it is"])
    def test_in_the_pipeline_itself(self, pod, site: str) -> None:
        assert "initContainers" not in pod
        assert pod["containers"][0]["image"] == "registry.example.org/segnode-worker:0.1.0"

    @pytest.mark.parametrize("site", ["with Ray", "with another's Ray"])
    def test_or_in_a_cluster(self, pod, site: str) -> None:
        assert pod["containers"][0]["image"] == "registry.example.org/segnode:0.1.0"

    @pytest.mark.parametrize("site", ["with another's Ray"])
    def test_that_others_may_keep(self, pod, objects, site: str) -> None:
        (raylet,) = pod["initContainers"]
        assert of_kind(objects, "RayCluster") == {}
        assert "--address=ray.example.org:6379" in raylet["command"]
        assert raylet["env"][-1]["valueFrom"]["secretKeyRef"]["name"] == "theirs"


class TestBucket:
    @pytest.fixture
    def site(self) -> str:
        return "with a bucket"

    def test_the_node_is_told_of_it(self, objects, tmp_path: Path) -> None:
        assert configured(objects, tmp_path).archive.url == "s3://segnode/archive"

    def test_no_disk_is_shared(self, objects) -> None:
        assert of_kind(objects, "PersistentVolumeClaim") == {}
        assert all("persistentVolumeClaim" not in volume for pod in pods(objects) for volume in pod["volumes"])

    def test_the_audit_trail_must_leave_the_pods(self) -> None:
        with pytest.raises(ValueError, match=r"the audit trail must leave it: set config\.node\.audit"):
            helm({"wrong": {"config": {"node": {"archive": {"url": "s3://segnode/archive"}}}}})


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"database": {"url": "postgresql://segnode:secret@db/segnode"}}, "/database/url"),
        ({"timezone": "Mitteleuropäische Zeit"}, "/timezone"),
        ({"drainSeconds": -1}, "/drainSeconds"),
        ({"config": {"node": {"drain_s": 5}}}, "invalid propertyName 'drain_s'"),
        ({"config": {"node": {"web": {"port": 9000}}}}, "invalid propertyName 'port'"),
        ({"config": {"node": {"web": {"host": "127.0.0.1"}}}}, "invalid propertyName 'host'"),
        ({"recieve": {"replicas": 1}}, "'recieve' not allowed"),
        ({"secretFiles": [{"secret": "s", "key": "k", "path": "/etc/passwd"}]}, "/secretFiles/0/path"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match="don't meet the specifications") as refused:
        helm({"wrong": values})
    assert told in str(refused.value)
