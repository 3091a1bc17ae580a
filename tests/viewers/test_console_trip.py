"""The whole trip from the console's pages alone, as somebody goes it who has never seen them; Orthanc is the PACS.

First way in, the PACS made known and called, a study that it sends, its progress, its overlay, why the localizer was
left out; then the PACS breaks, the failure is seen, it is mended, and the results go again. `make viewers` runs this.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ohif
import pytest
from drawn_study import DrawnStudy, MakeDrawnStudy
from running_node import RunningNode

from dicom_node.network.peer import Peer

pytestmark = [pytest.mark.viewer, pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1500)]

PASSWORD = "correct horse battery staple"
PATIENCE_MS = 600_000  # a CPU that is busy with other things infers meanwhile


@pytest.fixture(scope="module")
def study(drawn_study: MakeDrawnStudy) -> DrawnStudy:
    """An abdomen with a tumour, and its scout."""
    return drawn_study("liver_tumour", 9000)


@pytest.fixture
def node(tmp_path: Path, free_port: Any) -> Iterator[RunningNode]:
    """A node as it is after installing: its destination is called `pacs`, and nobody is there."""
    made = RunningNode(tmp_path / "node", Peer(ae_title="SEGNODE", host="127.0.0.1", port=free_port()), None)
    made.conf.mkdir(parents=True)
    (made.conf / "node.yaml").write_text(
        f"# our node\nae_title: SEGNODE\nhost: 127.0.0.1\nport: {made.peer.port}\ndata_folder: {tmp_path / 'data'}\n"
        f"quiet_s: 1\nweb: {{port: {free_port()}}}\ndestinations:\n  # put the PACS here\n"
        f"  pacs: {{kind: dimse, ae_title: PACS, host: 127.0.0.1, port: {free_port()}}}\n"
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def page() -> Iterator[Any]:
    with ohif.chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        assert complaints == []
        context.close()


def first_link(node: RunningNode) -> str:
    """The link that the node prints at its first start."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if found := re.search(r"http://\S+/welcome\?link=[\w-]+", (node.folder / "node.log").read_text()):
            return found[0]
        time.sleep(0.2)
    raise AssertionError("the node printed no link")


def shot(page: Any, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"trip-{name}.png", full_page=True)


def come_in(page: Any, node: RunningNode) -> None:
    page.goto(first_link(node))
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Come in").click()
    page.get_by_role("heading", name="Overview").wait_for()


def make_known(page: Any, orthanc: Any) -> None:
    """Say where the PACS is, and have it called."""
    page.get_by_role("link", name="Peers").click()
    page.get_by_role("button", name="C-ECHO pacs").click()
    page.get_by_role("status").get_by_text("cannot be reached").wait_for()
    shot(page, "1-nobody-there")
    page.get_by_role("link", name="pacs").first.click()
    page.get_by_label("AE title", exact=True).fill(orthanc.aet)
    page.get_by_label("Port", exact=True).fill(str(orthanc.port))
    page.get_by_label("demonstration").check()
    page.get_by_role("button", name="Write it").click()
    page.get_by_role("status").first.wait_for()
    page.get_by_role("link", name="Peers").first.click()
    page.get_by_role("button", name="C-ECHO pacs").click()
    page.get_by_role("status").get_by_text("answers").wait_for()
    shot(page, "2-echo")


def segmentations(orthanc: Any, uid: str) -> int:
    return sum(series["MainDicomTags"]["Modality"] == "SEG" for series in orthanc.series(uid))


def test_the_whole_trip(node: RunningNode, page: Any, orthanc: Any, study: DrawnStudy) -> None:
    come_in(page, node)
    make_known(page, orthanc)
    assert "# put the PACS here" in (node.conf / "node.yaml").read_text(), "comments are kept"

    # The PACS sends a study; its progress is seen without loading the page again.
    orthanc.know("segnode", "SEGNODE", node.peer.port)
    orthanc.upload(study.paths)
    page.get_by_role("link", name="Studies").first.click()
    orthanc.send("segnode", [orthanc.study(study.uid)["ID"]])
    page.locator(f'a[href="/studies/{study.uid}"]').first.click()
    page.get_by_role("progressbar").wait_for()
    shot(page, "3-progress")
    page.locator("#live-results, #live-study").get_by_text("Liver tumour", exact=False).first.wait_for()
    page.locator("#h-deliveries + div").get_by_text(re.compile("sent|committed", re.I)).first.wait_for()
    assert segmentations(orthanc, study.uid) == 1

    # The overlay, scrolled; and why the localizer was left out.
    page.locator(".pictures summary").first.click()
    caption = page.locator(".pictures figcaption").first
    caption.get_by_text(re.compile(r"of \d+: ")).wait_for()
    image = page.locator(".pictures img").first
    image.evaluate("image => image.decode()")
    assert image.evaluate("image => image.naturalWidth") >= 256
    first = caption.inner_text()
    page.get_by_label("Slice").press("ArrowLeft")
    caption.filter(has_not_text=first).wait_for()
    scout = page.get_by_role("row").filter(has_text=re.compile("scout|localizer|topogram", re.I)).first
    assert "liver-tumour no" in re.sub(r"\s+", " ", scout.inner_text())
    assert "localizer" in scout.inner_text().lower()
    shot(page, "4-overlay-and-reasons")

    # The PACS breaks: what is sent again waits, and says why.
    orthanc.stop()
    page.get_by_role("button", name="Send again").click()
    page.get_by_role("link", name="Deliveries").first.click()
    page.get_by_text("cannot be reached").first.wait_for()
    shot(page, "5-broken")

    # It is mended: the same results go again at once, and there are no duplicates.
    orthanc.start()
    page.get_by_label("Destination").select_option("pacs")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("button", name="Try pacs now").click()
    page.locator("#live-deliveries").get_by_text(re.compile("^(sent|committed)$", re.I)).first.wait_for()
    shot(page, "6-mended")
    assert segmentations(orthanc, study.uid) == 1
