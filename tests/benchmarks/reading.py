"""How fast a series becomes a volume, beside a plain loop of pydicom's and SimpleITK's series reader: `make bench`.

python tests/benchmarks/reading.py [--rounds 3] [--images 400] [--kinds plain,j2k,jpegls] [--series FOLDER]. Each
contestant reads in a process of its own, told what it took and the most memory that it held; all must give the same
voxels, float32. The limit: the files' bytes into one array, with no header read; of compressed files, their frames
decoded from memory. Files lie in the page cache.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from harness import Comparison, Record, options, report, take_turns
from numpy.typing import NDArray

ROWS = 512
THREADS = min(8, os.cpu_count() or 1)
ONE_THREAD = "pydicom in a loop, by pylibjpeg in one thread"
KINDS = {"plain": "uncompressed", "j2k": "JPEG 2000 lossless", "jpegls": "JPEG-LS lossless"}


class Figures(NamedTuple):
    """Of one reading: seconds, MiB at most, and a sum over the voxels."""

    seconds: float
    mib: float
    voxels: int


def ours(paths: list[Path]) -> Callable[[], NDArray[Any]]:
    from inference.readers.dicom import read_series

    return lambda: read_series(paths).array


def pydicom_loop(paths: list[Path], plugin: str = "") -> Callable[[], NDArray[Any]]:
    """By pydicom's own choice of a decoder: of JPEG 2000 that is GDCM where it is installed, in several threads."""
    from pydicom import dcmread

    def read() -> NDArray[Any]:
        slices = []
        for path in paths:
            ds = dcmread(path)
            if plugin:
                ds.pixel_array_options(decoding_plugin=plugin)
            values = ds.pixel_array.astype(np.float32) * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
            slices.append((float(ds.ImagePositionPatient[2]), values))
        slices.sort(key=lambda pair: pair[0])
        return np.stack([values for _, values in slices])

    return read


def simpleitk(paths: list[Path]) -> Callable[[], NDArray[Any]]:
    import SimpleITK as sitk

    kept = []  # the array is a view of the image, not a copy

    def read() -> NDArray[Any]:
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(paths[0].parent)))
        reader.SetOutputPixelType(sitk.sitkFloat32)
        kept.append(reader.Execute())
        return sitk.GetArrayViewFromImage(kept[0])

    return read


def bytes_alone(paths: list[Path]) -> Callable[[], NDArray[Any]]:
    """What no reader beats: the same bytes as numbers, by as many threads."""
    sizes = [path.stat().st_size for path in paths]

    def read() -> NDArray[Any]:
        array = np.empty((len(paths), ROWS, ROWS), np.float32)

        def put(z: int) -> None:
            pixels = np.fromfile(paths[z], np.uint16, ROWS * ROWS, offset=sizes[z] - 2 * ROWS * ROWS)
            array[z] = pixels.reshape(ROWS, ROWS)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(put, range(len(paths))))
        return array

    return read


def decoding_alone(paths: list[Path]) -> Callable[[], NDArray[Any]]:
    """What no reader beats with the same decoder and as many threads: frames in memory, and nothing kept of them."""
    from imagecodecs import jpeg2k_decode, jpegls_decode
    from pydicom import dcmread
    from pydicom.encaps import get_frame
    from pydicom.uid import JPEG2000Lossless

    read_files = [dcmread(path) for path in paths]
    decode = jpeg2k_decode if read_files[0].file_meta.TransferSyntaxUID == JPEG2000Lossless else jpegls_decode
    frames = [get_frame(ds.PixelData, 0, number_of_frames=1) for ds in read_files]

    def read() -> NDArray[Any]:
        with ThreadPoolExecutor(THREADS) as pool:
            for last in pool.map(decode, frames):  # noqa: B007 (the others are let go at once)
                pass
        return last

    return read


CONTESTANTS = {"ours": ours, "pydicom in a loop": pydicom_loop, "SimpleITK": simpleitk, "bytes alone": bytes_alone,
               "decoding alone": decoding_alone, ONE_THREAD: partial(pydicom_loop, plugin="pylibjpeg")}
LIMITS = {"plain": "bytes alone", "j2k": "decoding alone", "jpegls": "decoding alone"}


def measure(name: str, folder: Path) -> Figures:
    """In this process: read the series in a folder."""
    read = CONTESTANTS[name](sorted(folder.iterdir()))
    start = time.perf_counter()
    array = read()
    seconds = time.perf_counter() - start
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Figures(seconds, mib, 0 if name in LIMITS.values() else crc32(np.ascontiguousarray(array).data))


def apart(name: str, folder: Path) -> Figures:
    """In a process of its own."""
    command = [sys.executable, __file__, "--measure", name, "--series", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Figures(*json.loads(done.stdout))


def write(kind: str, count: int, folder: Path) -> Path:
    """A noisy body in air as a CT series of `count` slices."""
    from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless

    from inference.volume import Grid, Spacing, Volume, regular_affine
    from inference.writers.dicom_series import Acquisition, Encoding, StudyDetails, write_series

    if folder.exists():
        return folder
    rng, (y, x) = np.random.default_rng(7), np.mgrid[-1:1:ROWS * 1j, -1:1:ROWS * 1j]
    array = np.empty((count, ROWS, ROWS), np.float32)
    for z in range(count):
        body = np.where(x**2 + (1.4 * y)**2 < 0.8, 40.0 + 60.0 * np.sin(5 * x + z / 20), -990.0)
        array[z] = np.clip(np.rint(body + rng.normal(0, 12, body.shape)), -1024, 3000)
    grid = Grid(array.shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(1, 0.7, 0.7)), "1.2.3")
    syntax = {"plain": ExplicitVRLittleEndian, "j2k": JPEG2000Lossless, "jpegls": JPEGLSLossless}[kind]
    write_series(Volume(array, grid, "HU"), Acquisition.ct(StudyDetails.of("reading")), folder,
                 Encoding(reverse=True, transfer_syntax=syntax))
    return folder


def compare(kind: str, found: dict[str, list[Figures]], count: int) -> list[Comparison]:
    """Lines of the table, once all are sure to have read the same."""
    sums = {one.voxels for name, figures in found.items() if name != LIMITS[kind] for one in figures}
    assert len(sums) == 1, f"not all read the same voxels: {found}"
    what = f"read {count} x {ROWS}², {KINDS[kind]}"
    seconds = {name: (name, [one.seconds for one in figures]) for name, figures in found.items()}
    memory = {name: (name, [one.mib for one in figures]) for name, figures in found.items()}
    lines = [Comparison(what, "s", seconds["ours"], seconds["pydicom in a loop"], wanted=2.0),
             Comparison(what, "s", seconds["ours"], seconds["SimpleITK"], wanted=1.0),
             Comparison(f"{what}, against the limit", "s", seconds["ours"], seconds[LIMITS[kind]])]
    if ONE_THREAD in found:
        lines.insert(1, Comparison(what, "s", seconds["ours"], seconds[ONE_THREAD]))
    return [*lines, *(Comparison(f"{what}, most memory", "MiB", memory["ours"], memory[name])
                      for name in ("pydicom in a loop", "SimpleITK"))]


def main() -> None:
    parser = options(__doc__, rounds=3)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--series", type=Path, help="folder to write the series to, or find them in")
    parser.add_argument("--measure", choices=CONTESTANTS, help="only read this folder, and say what it took")
    chosen = parser.parse_args()
    if chosen.measure:
        print(json.dumps(measure(chosen.measure, chosen.series)))
        return
    lines: list[Comparison] = []
    with tempfile.TemporaryDirectory() as temporary:
        place = chosen.series or Path(temporary)
        for kind in chosen.kinds.split(","):
            folder = write(kind, chosen.images, place / f"{kind}-{chosen.images}")
            names = ["ours", "pydicom in a loop", "SimpleITK", LIMITS[kind], *([ONE_THREAD] if kind == "j2k" else [])]
            found = take_turns({name: partial(apart, name, folder) for name in names}, chosen.rounds)
            lines += compare(kind, found, chosen.images)
    remarks = [f"Reading: up to {THREADS} threads; SimpleITK decides by itself how many it takes.",
               "JPEG 2000: pydicom takes GDCM, and that several threads for one frame; all of them are OpenJPEG."]
    report(Record("reading", lines, remarks), chosen.record)


if __name__ == "__main__":
    main()
