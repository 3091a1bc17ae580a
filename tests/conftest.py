"""Real peers for the tests: DCMTK as scanner and archive, Orthanc as PACS. Nothing here is skipped when missing."""

import contextlib
import gc
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from certificates import expired, hospital, ours, scanner, strangers  # noqa: F401 (fixtures for all)
from drawn_study import drawn_case, drawn_place, drawn_study  # noqa: F401 (fixtures for all)
from empty_sqlite import empty_sqlite  # noqa: F401 (a fixture for all)
from ended_threads import ended_threads  # noqa: F401 (a fixture for all)
from object_server import object_server, road  # noqa: F401 (fixtures for all)
from running_node import make_node, make_shared_node  # noqa: F401 (fixtures for all)

START_LIMIT_S = 30.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Walks first: a file is one process's work, and the longest ones at the end would leave the others idle."""
    items.sort(key=lambda item: "walks" not in item.path.parts and not item.path.stem.endswith("_walk"))


def pytest_collection_finish() -> None:
    """Have the garbage collector leave alone what stays to the end, nine thousand tests and every library.

    It would walk over all of that, half a second each time, for a tenth of what the tests compute.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def require(program: str, package: str) -> str:
    """The path of `program`, or a failure that says which Debian package brings it."""
    found = shutil.which(program)
    if found is None:
        pytest.fail(f"{program} is missing: install Debian's package {package} (apt-get install {package})")
    return found


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Gives ports on loopback that nobody listens on."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return find


def wait_for_port(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"{process.args[0]} ended with exit code {process.returncode} before it listened")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"{process.args[0]} does not listen on port {port} after {START_LIMIT_S:.0f} s")


@dataclass(frozen=True)
class Dcmtk:
    """DCMTK's programs, run without Nagle's algorithm so that many small images do not stall."""

    environment: dict

    def run(self, program: str, *arguments: object) -> subprocess.CompletedProcess:
        """Run to the end and return code and output; the code is the caller's to judge."""
        command = [require(program, "dcmtk"), *map(str, arguments)]
        return subprocess.run(
            command,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="session")
def dcmtk() -> Dcmtk:
    require("storescu", "dcmtk")
    return Dcmtk({**os.environ, "TCP_NODELAY": "1"})


@dataclass(frozen=True)
class StoreScp:
    """A DCMTK storescp that keeps what it gets in `folder`, and writes to `log` what it was asked."""

    aet: str
    port: int
    folder: Path
    log: Path

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if path.is_file())

    def echoes(self) -> int:
        """How many C-ECHOs it got; only "-v" has it write them down."""
        return self.log.read_text().count("Received Echo Request")


@pytest.fixture
def storescp(dcmtk, free_port, tmp_path) -> Iterator[Callable[..., StoreScp]]:
    """Starts archives made of DCMTK's storescp; arguments choose what they accept (e.g. "+xa")."""
    running = []

    def start(*arguments: str) -> StoreScp:
        folder = tmp_path / f"storescp-{len(running)}"
        folder.mkdir()
        log = folder.with_suffix(".log")
        port = free_port()
        command = [require("storescp", "dcmtk"), "-aet", "ARCHIVE", "-od", str(folder), *arguments, str(port)]
        with log.open("wb") as output:
            process = subprocess.Popen(command, env=dcmtk.environment, stdout=output, stderr=output)
        running.append(process)
        wait_for_port(port, process)
        return StoreScp("ARCHIVE", port, folder, log)

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


class Orthanc:
    """A PACS: Debian's Orthanc on loopback, spoken to by REST and by DICOM."""

    aet = "ORTHANC"

    def __init__(self, configuration: Path, http: int, port: int, users: dict[str, str] | None = None) -> None:
        self.url = f"http://127.0.0.1:{http}"
        self.port = port
        self._http = http
        self._configuration = configuration
        self._process: subprocess.Popen | None = None
        self._headers = {}
        for user, password in (users or {}).items():
            self._headers = {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}

    def start(self) -> None:
        """Run it, with what it held before."""
        program = shutil.which("Orthanc") or require("/usr/sbin/Orthanc", "orthanc")
        command = [program, str(self._configuration)]
        with self._configuration.with_suffix(".log").open("ab") as log:
            environment = {**os.environ, "TCP_NODELAY": "1"}
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        wait_for_port(self._http, self._process)
        wait_for_port(self.port, self._process)

    def stop(self) -> None:
        """End it, as for an update; nobody answers until it is started again."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def get(self, path: str) -> object:
        """The JSON (or text) at `path`."""
        return self._call("GET", path)

    def post(self, path: str, body: object) -> object:
        """POST JSON, or bytes as they are."""
        return self._call("POST", path, body)

    def put(self, path: str, body: object) -> object:
        return self._call("PUT", path, body)

    def delete(self, path: str) -> None:
        self._call("DELETE", path)

    def file(self, instance: str) -> bytes:
        """The Part 10 file of one of its instances."""
        request = urllib.request.Request(f"{self.url}/instances/{instance}/file", headers=self._headers)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def upload(self, files: list[Path]) -> list[str]:
        """Put files in by REST; Orthanc's identifiers of the instances."""
        return [self.post("/instances", path.read_bytes())["ID"] for path in files]

    def know(self, name: str, aet: str, port: int, host: str = "127.0.0.1") -> None:
        """Tell it of a peer that it may send to."""
        self.put(f"/modalities/{name}", {"AET": aet, "Host": host, "Port": port})

    def send(self, name: str, resources: list[str]) -> dict:
        """Send instances, series or studies to a known peer by its own C-STORE job, and wait for its end."""
        return self.post(f"/modalities/{name}/store", {"Resources": resources, "Synchronous": True})

    def study(self, study_uid: str) -> dict | None:
        """The study with this Study Instance UID, as Orthanc describes it."""
        found = self.post("/tools/find", {"Level": "Study", "Expand": True, "Query": {"StudyInstanceUID": study_uid}})
        return found[0] if found else None

    def series(self, study_uid: str) -> list[dict]:
        """The series of a study: MainDicomTags, Instances…"""
        study = self.study(study_uid)
        return [self.get(f"/series/{identifier}") for identifier in study["Series"]] if study else []

    def _call(self, method: str, path: str, body: object = None) -> object:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=self._headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@pytest.fixture
def orthanc_settings() -> dict:
    """Orthanc settings on top of the fixture's own; a test module overrides this fixture."""
    return {}


DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@pytest.fixture(scope="session")
def dicomweb() -> dict:
    """Orthanc settings that have it speak DICOMweb, to one user with a password."""
    if not DICOMWEB.exists():
        pytest.fail(f"{DICOMWEB} is missing: install Debian's package orthanc-dicomweb (apt-get install …)")
    return {
        "Plugins": [str(DICOMWEB)],
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"segnode": "open sesame"},
    }


@pytest.fixture
def orthanc(free_port, tmp_path, orthanc_settings) -> Iterator[Orthanc]:
    """A fresh Orthanc that takes everything from everybody, on loopback, in a folder of its own."""
    with _running_orthanc(tmp_path, free_port, orthanc_settings) as running:
        yield running


@pytest.fixture(scope="module")
def make_shared_orthanc(free_port, tmp_path_factory) -> Iterator[Callable[[dict], Orthanc]]:
    """`make_shared_orthanc(settings)` starts one for a module, whose tests each look at studies of their own."""
    with contextlib.ExitStack() as stack:

        def make(settings: dict) -> Orthanc:
            return stack.enter_context(_running_orthanc(tmp_path_factory.mktemp("pacs"), free_port, settings))

        yield make


@contextlib.contextmanager
def _running_orthanc(place: Path, free_port: Callable[[], int], wanted: dict) -> Iterator[Orthanc]:
    http, dicom = free_port(), free_port()
    folder = place / "orthanc"
    folder.mkdir()
    settings = {
        "Name": "Segnode tests", "StorageDirectory": str(folder / "storage"), "IndexDirectory": str(folder / "storage"),
        "HttpPort": http, "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
        "DicomAet": Orthanc.aet, "DicomPort": dicom, "DicomCheckCalledAet": False, "DicomModalities": {},
        "DicomAlwaysAllowStore": True, "UnknownSopClassAccepted": True, "OverwriteInstances": False,
        "StableAge": 1, "Plugins": [], **wanted,
    }  # fmt: skip
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(settings))
    server = Orthanc(configuration, http, dicom, settings.get("RegisteredUsers"))
    try:
        server.start()
        yield server
    finally:
        server.stop()
