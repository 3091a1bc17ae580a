"""Reading back what a PDF of ours says, by its own operators."""

from __future__ import annotations

import re
import zlib


def words(pdf: bytes) -> str:
    """The text of all pages, from their content streams."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    text = b""
    for stream in streams:
        try:
            text += zlib.decompressobj().decompress(stream)  # whose checksum may end in what looks like a line's end
        except zlib.error:
            continue
    return " ".join(re.sub(rb"\\(.)", rb"\1", t).decode("latin-1")
                    for t in re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", text))


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))
