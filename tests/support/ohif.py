"""OHIF beside a PACS's DICOMweb, as a hospital serves it, and a reader who works in it through Chromium."""

from __future__ import annotations

import io
import os
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

VERSION = "3.13.2"
BUILT = Path(sys.prefix) / "ohif" / VERSION
PACS_PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
PATIENCE_MS = 180_000  # software rendering on a busy machine

# What a site sets; and no questions before SEG and SR are taken up.
CONFIG = """window.config = {
  routerBasename: '/', showStudyList: true, extensions: [], modes: [], customizationService: {},
  investigationalUseDialog: {option: 'never'}, disableConfirmationPrompts: true, maxNumberOfWebWorkers: 1,
  defaultDataSourceName: 'pacs',
  dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'pacs',
    configuration: {
      friendlyName: 'PACS', name: 'pacs', wadoUriRoot: '/dicom-web', qidoRoot: '/dicom-web', wadoRoot: '/dicom-web',
      qidoSupportsIncludeField: false, imageRendering: 'wadors', thumbnailRendering: 'wadors',
      enableStudyLazyLoad: true, supportsFuzzyMatching: false, supportsWildcard: true,
      bulkDataURI: {enabled: true, relativeResolution: 'studies'}, omitQuotationForMultipartRequest: true,
    },
  }],
};"""

CHROMIUM = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
            "--ignore-gpu-blocklist", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")

READY = """() => window.services && window.cornerstone
  && window.cornerstone.getRenderingEngines().some(e => e.getViewports().some(v => v.getImageData && v.getImageData()))
"""
VIEWPORT = "const viewport = window.cornerstone.getRenderingEngines()[0].getViewports()[0];"
SHOW = f"""async instance => {{
  {VIEWPORT}
  await viewport.setImageIdIndex(viewport.getImageIds().findIndex(id => id.includes(`/instances/${{instance}}/`)));
  viewport.render();
}}"""
WHERE = f"""() => {{
  {VIEWPORT}
  const {{imageData, dimensions}} = viewport.getImageData();
  const at = (column, row) => [...viewport.worldToCanvas(imageData.indexToWorld([column, row, 0]))];
  return {{image: viewport.getCurrentImageId(), columns: dimensions[0], rows: dimensions[1],
          first: at(0, 0), last: at(dimensions[0] - 1, dimensions[1] - 1)}};
}}"""


@contextmanager
def serving(pacs: str) -> Iterator[str]:
    """OHIF's built pages and, at the same origin, the DICOMweb of the PACS at this URL; gives the site's URL."""

    class Site(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path.startswith("/dicom-web/"):
                wanted = {"Accept": self.headers.get("Accept", "*/*")}
                request = urllib.request.Request(pacs + self.path, headers=wanted)
                try:
                    with urllib.request.urlopen(request) as answer:
                        self.answer(answer.status, answer.headers["Content-Type"], answer.read())
                except urllib.error.HTTPError as refusal:
                    self.answer(refusal.code, refusal.headers["Content-Type"], refusal.read())
            elif path == "/app-config.js":
                self.answer(200, "text/javascript", CONFIG.encode())
            else:
                file = BUILT / path.lstrip("/")
                file = file if file.is_file() else BUILT / "index.html"
                self.answer(200, guess_type(file.name)[0], file.read_bytes())

        def answer(self, status: int, kind: str | None, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind or "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    assert BUILT.is_dir(), f"OHIF {VERSION} is not in {BUILT}: run `make viewers`"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Shown(NamedTuple):
    """What is on the screen: canvas pixels (y, x, RGB), and the image row and column under each, -1 beside it."""

    pixels: NDArray[np.int16]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    def painted(self, rgb: tuple[int, int, int]) -> NDArray[np.bool_]:
        """Canvas pixels of an opaque overlay of this colour; CIELab as SEG has it keeps a colour to a step or two."""
        return (np.abs(self.pixels - np.array(rgb)) <= 6).all(axis=2)

    def under(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Canvas pixels under which the mask (row, column) of the image is true."""
        on_image = (self.rows >= 0)[:, None] & (self.columns >= 0)[None]
        return mask[self.rows][:, self.columns] & on_image


class Reader:
    """Works in an open study as a radiologist does: by the series list, the panels and the viewport."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)

    def open(self, site: str, study_uid: str) -> None:
        self.page.add_init_script("localStorage.setItem('shownTours', '[\"basicViewerTour\"]')")
        self.page.goto(f"{site}/viewer?StudyInstanceUIDs={study_uid}", wait_until="commit")
        self.page.wait_for_function(READY)

    def series(self) -> list[str]:
        """The entries of the series list."""
        return self.page.locator('[data-cy^="study-browser-thumbnail"]').all_inner_texts()

    def load(self, series: str) -> None:
        """Double-click the entry whose description ends so."""
        self.page.locator('[data-cy^="study-browser-thumbnail"]').filter(has_text=series).dblclick()

    def segments(self) -> list[str]:
        """The names in the segmentation panel, once a SEG is loaded."""
        self.page.wait_for_function("() => window.services.segmentationService.getSegmentations().length")
        self.page.locator('[data-cy="panelSegmentation-btn"]').click()
        rows = self.page.locator('[data-cy="data-row-title"]')
        rows.first.wait_for()
        return rows.all_inner_texts()

    def measurements(self) -> str:
        """The text of the measurement panel, once an SR is taken up."""
        self.page.wait_for_function("() => window.services.measurementService.getMeasurements().length")
        self.page.locator('[data-cy="trackedMeasurements-btn"]').click()
        panel = self.page.locator('[data-cy="trackedMeasurements-panel"]')
        panel.locator('[data-cy="data-row"]').first.wait_for()
        return panel.inner_text()

    def opacity(self, share: float) -> None:
        """Move the opacity slider; at its end overlay pixels have the segment's colour and no other."""
        set_style = "fill => window.services.segmentationService.setStyle({type: 'Labelmap'}, {fillAlpha: fill})"
        self.page.evaluate(set_style, share)

    def show(self, instance_uid: str) -> Shown:
        """Scroll to an image and look, without the texts in the viewport's corners."""
        self.page.evaluate(SHOW, instance_uid)
        self.page.wait_for_timeout(200)
        where = self.page.evaluate(WHERE)
        assert f"/{instance_uid}/" in where["image"]
        png = self.page.locator(".cornerstone-canvas").first.screenshot(
            style='[data-cy^="viewport-overlay"] { visibility: hidden }')
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(np.int16)
        columns, rows = (
            indices(pixels.shape[1 - axis], where["first"][axis], where["last"][axis], where[name])
            for axis, name in enumerate(("columns", "rows")))
        return Shown(pixels, rows, columns)

    def keep(self, name: str) -> None:
        """Save the screen into the folder SCREENSHOTS, where that is set."""
        if folder := os.environ.get("SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.mouse.move(1250, 850)
            self.page.wait_for_timeout(1000)
            screen = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
            small = screen.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            small.save(Path(folder) / f"ohif-{name}.png", optimize=True)


def indices(length: int, first: float, last: float, count: int) -> NDArray[np.int64]:
    """The image index under each of `length` canvas pixels; the centres of the outer ones lie at `first`, `last`."""
    along = (np.arange(length) + 0.5 - first) / (last - first) * (count - 1)
    index = np.floor(along + 0.5).astype(np.int64)
    return np.where((index >= 0) & (index < count), index, -1)


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium that draws in software and reaches nothing but loopback."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(CHROMIUM))
        yield browser
        browser.close()
