"""Who a peer or destination is, in words; and node.yaml that says something else of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_node.assembly import Parts
from dicom_node.configuring.changes import Author
from dicom_node.configuring.partners import UNSEEN, entry_of, partner, partners, put
from dicom_node.errors import Overtaken
from dicom_node.settings import load
from storage.errors import NotFound

NODE = """
host: 127.0.0.1
data_folder: data
admission:
  - {ae_titles: [CT1, PACS], addresses: [10.1.0.0/16], may: [store]}
  - {ae_titles: [PACS], may: [find, commit]}
peers:
  vna: {kind: dicomweb, url: "https://vna.example/dicom-web"}
  mr: {ae_title: MR1, host: mr.example, port: 104}
destinations:
  share: {kind: folder, path: results, accepts: [demonstration]}
  pacs:
    kind: dimse
    ae_title: PACS
    host: pacs.example
    port: 104
    accepts: [demonstration]
    alternative: share
    profile: {preset: images, captures: key}
sources:
  "*": {peer: pacs}
  CT1: {peer: vna}
priors: {archive: pacs}
"""


@pytest.fixture
def conf(conf: Path) -> Path:
    (conf / "node.yaml").write_text(NODE)
    return conf


def test_each_is_told_with_what_it_is_here_for_and_what_it_may(conf: Path) -> None:
    told = {one["name"]: one for one in partners(load(conf))}
    assert list(told) == ["mr", "vna", "pacs", "share"]
    assert told["mr"]["may"] == "not call: its AE title is in no row of admission"
    assert told["pacs"]["may"] == "store from 10.1.0.0/16; find, commit"
    assert told["pacs"]["roles"] == [
        "gets no results: no route names it", "is asked whether studies of everybody are here in full",
        "is asked for earlier results",
    ]
    assert told["pacs"]["profile"] == "images, with captures: key"
    assert told["share"]["roles"] == ["gets results of everything", "stands in for pacs"]
    assert (told["vna"]["address"], told["vna"]["tls"]) == ("https://vna.example/dicom-web",
                                                            "yes, by the system's authorities")
    assert told["vna"]["roles"] == ["is asked whether studies of CT1 are here in full"]
    assert [told[name]["probed"] for name in ("mr", "pacs", "vna", "share")] == [True, True, False, False]


def test_an_entry_is_what_the_file_says(conf: Path) -> None:
    settings = load(conf)
    assert entry_of(settings, "peers", "mr") == {"ae_title": "MR1", "host": "mr.example", "port": 104}
    assert entry_of(settings, "peers", "ct") is None
    with pytest.raises(NotFound, match="there is no peer ct"):
        partner(settings, "peers", "ct")


def test_who_was_slower_is_told_what_has_changed(parts: Parts, conf: Path) -> None:
    now = {"ae_title": "MR1", "host": "mr.example", "port": 104}
    with pytest.raises(Overtaken, match=r"host was 10\.0\.0\.9, is mr\.example; tls was \{\}, is not there; port was"):
        put(parts, "peers", "mr", now, Author(1.0), was={"ae_title": "MR1", "host": "10.0.0.9", "tls": {}})
    assert put(parts, "peers", "mr", now | {"port": 105}, Author(1.0), was=UNSEEN).revision == 2
    put(parts, "peers", "mr", None, Author(1.0), was=now | {"port": 105})
    with pytest.raises(Overtaken, match="peer mr was removed since you looked"):
        put(parts, "peers", "mr", now, Author(1.0), was=now)
