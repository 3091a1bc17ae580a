"""What a DICOMweb archive in a test holds and gives: QIDO-RS and WADO-RS over a folder, with the habits of servers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydicom import Dataset, dcmread

JSON = {"Content-Type": "application/dicom+json"}
WebAnswer = tuple[int, dict[str, str], Any]


@dataclass
class Shelf:
    """Gives the files below `folder`. `most` is the server's own limit of a page, which it tells nobody."""

    folder: Path
    most: int = 1000
    counts: bool = True  # says how many instances a series has
    pages: bool = True  # minds the offset
    empty: int = 204  # how it says that nothing is found
    newline: bytes = b"\r\n"
    preamble: bytes = b""
    boundary: str = "part-of-an-answer"

    def answer(self, path: str) -> WebAnswer:
        asked = urlsplit(path.partition("/dicom-web/")[2])
        words = asked.path.split("/")
        query = {key: texts[0] for key, texts in parse_qs(asked.query).items()}
        if words == [""]:
            return 204, {}, b""
        if query or len(words) % 2:
            return self._search(words, query)
        return self._retrieve(words)

    def _held(self, words: list[str], query: dict[str, str]) -> list[tuple[Path, Dataset]]:
        uids = dict(zip(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), words[1::2], strict=False))
        wanted = uids | {key: text for key, text in query.items() if key in ("StudyInstanceUID", "StudyDate")}
        read = [(path, dcmread(path, stop_before_pixels=True)) for path in sorted(self.folder.rglob("*.dcm"))]
        return [(p, data) for p, data in read if all(str(data.get(key)) == text for key, text in wanted.items())]

    def _search(self, words: list[str], query: dict[str, str]) -> WebAnswer:
        found: dict[str, dict[str, Any]] = {}
        level = {"studies": "StudyInstanceUID", "series": "SeriesInstanceUID", "instances": "SOPInstanceUID"}[words[-1]]
        for _, data in self._held(words, query):
            entry = found.setdefault(str(data[level].value), _json(data))
            entry["00201209"]["Value"][0] += 1
        if not self.counts:
            for entry in found.values():
                del entry["00201209"]
        offset = int(query.get("offset", 0)) if self.pages else 0
        page = list(found.values())[offset : offset + min(self.most, int(query.get("limit", self.most)))]
        return (200, JSON, json.dumps(page).encode()) if page or self.empty == 200 else (self.empty, {}, b"")

    def _retrieve(self, words: list[str]) -> WebAnswer:
        files = [path.read_bytes() for path, _ in self._held(words, {})]
        return (200, *self.multipart(files)) if files else (404, {}, b"")

    def multipart(self, files: list[bytes]) -> tuple[dict[str, str], bytes]:
        """Headers and body of an answer that brings `files`."""
        n, dashes = self.newline, b"--" + self.boundary.encode()
        head = n + b"Content-Type: application/dicom" + n + n
        body = self.preamble + b"".join(dashes + head + file + n for file in files) + dashes + b"--" + n
        kind = f'multipart/related; boundary="{self.boundary}"; type="application/dicom"'
        return {"Content-Type": kind}, body


def _json(data: Dataset) -> dict[str, Any]:
    """DICOM JSON (PS3.18 F.2) of what is searched for; who the patient is as well, as servers do."""
    texts = {
        "00080016": ("UI", data.SOPClassUID), "00080018": ("UI", data.SOPInstanceUID),
        "0020000D": ("UI", data.StudyInstanceUID), "0020000E": ("UI", data.SeriesInstanceUID),
        "00080060": ("CS", data.Modality), "00080061": ("CS", data.Modality), "00080020": ("DA", data.StudyDate),
        "00081030": ("LO", "Chest"), "00100020": ("LO", data.PatientID),
    }  # fmt: skip
    return {
        **{tag: {"vr": vr, "Value": [str(text)]} for tag, (vr, text) in texts.items()},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": str(data.PatientName)}]},
        "00201209": {"vr": "IS", "Value": [0]},
    }
