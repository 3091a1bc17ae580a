"""At the start, and in `segnode check`: does the object storage take and give?"""

from __future__ import annotations

from pathlib import Path

import pytest
from object_server import ObjectServer, Road

from dicom_node.assembly import assemble
from dicom_node.checking.check import check
from dicom_node.errors import ConfigurationError
from dicom_node.settings import load


@pytest.fixture
def conf(object_server: ObjectServer, road: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do not show this")
    bucket = object_server.bucket()
    (tmp_path / "routes.yaml").write_text("routes: []\n")
    (tmp_path / "models.yaml").write_text("models: {}\n")
    (tmp_path / "node.yaml").write_text(
        f"data_folder: data\nweb: {{port: null}}\ndestinations: {{pacs: {{kind: folder, path: out}}}}\n"
        f"archive: {{url: 's3://{bucket.name}/here', endpoint: '{road.url}', region: us-east-1, connect_s: 1, "
        "answer_s: 1}\n"
    )
    return tmp_path


def test_one_that_is_well_is_told(conf: Path) -> None:
    report = check(conf, with_echo=True)
    assert report.problems == []
    assert any(line.startswith("archive: s3://bucket-") and "takes and gives" in line for line in report.remarks)
    assert any("images travel to http://" in line for line in report.remarks)
    assemble(load(conf)).close()


def test_one_that_lets_nobody_in_ends_the_start(conf: Path, road: Road) -> None:
    road.meet("forbidden", "PUT", 99)
    (problem,) = check(conf, with_echo=True).problems
    assert problem.startswith("node.yaml: archive: s3://bucket-")
    with pytest.raises(ConfigurationError, match="refuses us") as refused:
        assemble(load(conf))
    assert "do not show this" not in f"{problem} {refused.value}"


def test_a_bucket_that_is_not_there_is_named(conf: Path) -> None:
    text = (conf / "node.yaml").read_text()
    (conf / "node.yaml").write_text(text.replace("s3://bucket-", "s3://no-bucket-"))
    (problem,) = check(conf, with_echo=True).problems
    assert "there is no such bucket; make it, or correct archive.url" in problem
    assert check(conf, with_echo=False).problems == []


def test_one_that_is_away_is_waited_for(conf: Path, road: Road, caplog: pytest.LogCaptureFixture) -> None:
    road.meet("deaf", "PUT", 99)
    report = check(conf, with_echo=True)
    assert (report.problems, len(report.silent)) == ([], 1)
    assert report.silent[0].startswith("archive: s3://bucket-")
    assemble(load(conf)).close()
    assert "as long as that is so nothing is taken" in caplog.text


def test_another_nodes_files_are_left_alone(conf: Path) -> None:
    """Its rows are in another database: here nothing would name its files, and the sweep would take them."""
    for _ in range(2):
        assemble(load(conf)).close()
    text = (conf / "node.yaml").read_text().replace("data_folder: data", "data_folder: another")
    (conf / "node.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match="holds the files of another node") as refused:
        assemble(load(conf))
    assert "remove the object here/belongs-to" in str(refused.value)
    (conf / "node.yaml").write_text(text.replace("/here", "/there"))
    assemble(load(conf)).close()
