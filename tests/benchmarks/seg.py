"""How fast a label map becomes a SEG in a file, beside dcmqi's itkimage2segimage: `make bench`.

python tests/benchmarks/seg.py [--rounds 5] [--images 400] [--folder FOLDER]. The same masks on the same CT: three
organs that fill it, then thirty nodules. Each contestant works in a process of its own, which tells the most memory
that it held. Ours, as the node calls it, reads the images' headers, encodes and writes; what the process needs to
start is not counted, for the node's runs already, and said in a remark. dcmqi's seconds are those of its process.
highdicom alone, from a stack of masks, is shown as a remark. All must hold the same masks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from harness import Comparison, Record, options, report, take_turns
from numpy.typing import NDArray

ROWS = 512
CASES = {"organs": 3, "nodules": 30}
ENTITIES = {"Category": ("49755003", "Morphologically Altered"), "Type": ("108369006", "Neoplasm")}


class Figures(NamedTuple):
    """Of one making: seconds, MiB at most, and seconds of the whole process."""

    seconds: float
    mib: float
    whole: float


def labels_of(case: str, count: int) -> NDArray[np.uint8]:
    """Ellipsoids, none over another's middle."""
    z, y, x = np.ogrid[-1:1:count * 1j, -1:1:ROWS * 1j, -1:1:ROWS * 1j]
    labels = np.zeros((count, ROWS, ROWS), np.uint8)
    if case == "organs":
        for number, (cx, cy, radius) in enumerate(((-0.4, 0.0, 0.38), (0.4, 0.0, 0.35), (0.0, 0.55, 0.2)), start=1):
            labels[((z / 0.98)**2 + ((y - cy) / radius)**2 + ((x - cx) / radius)**2 < 1)] = number
        return labels
    rng = np.random.default_rng(30)
    for number in range(1, CASES[case] + 1):
        place = np.array([-0.75 + 1.5 * (number % 6) / 5, -0.7 + 1.4 * (number // 6) / 5, rng.uniform(-0.9, 0.9)])
        wide = rng.uniform(0.02, 0.05)
        labels[((z - place[2]) / wide)**2 + ((y - place[1]) / wide)**2 + ((x - place[0]) / wide)**2 < 1] = number
    return labels


def prepare(folder: Path, count: int) -> None:
    """The CT, and of each case the label map as the model leaves it and as dcmqi wants it."""
    import SimpleITK as sitk

    from inference.readers.dicom import read_series
    from inference.volume import Grid, Spacing, Volume, regular_affine
    from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

    if (folder / "ct").exists():
        return
    grid = Grid((count, ROWS, ROWS), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(1, 0.7, 0.7)), "1.2.3")
    volume = Volume(np.zeros(grid.shape, np.float32), grid, "HU")
    read = read_series(write_series(volume, Acquisition.ct(StudyDetails.of("seg")), folder / "ct"))
    for case, segments in CASES.items():
        labels = labels_of(case, count)
        np.save(folder / f"{case}.npy", labels)
        image = sitk.GetImageFromArray(labels)
        image.SetSpacing(read.grid.spacing[::-1])
        image.SetOrigin(read.grid.origin.tolist())
        sitk.WriteImage(image, str(folder / f"{case}.nrrd"))
        (folder / f"{case}.json").write_text(json.dumps(metadata(segments)))


def metadata(segments: int) -> dict[str, Any]:
    codes = {f"SegmentedProperty{what}CodeSequence": {"CodeValue": value, "CodingSchemeDesignator": "SCT",
                                                      "CodeMeaning": meaning}
             for what, (value, meaning) in ENTITIES.items()}
    described = [{"labelID": n, "SegmentLabel": f"Segment {n}", "SegmentDescription": f"Segment {n}",
                  "SegmentAlgorithmType": "AUTOMATIC", "SegmentAlgorithmName": "net", **codes,
                  "recommendedDisplayRGBValue": [255, 8 * n, 0]} for n in range(1, segments + 1)]
    return {"ContentCreatorName": "Segnode", "ClinicalTrialSeriesID": "1", "ClinicalTrialTimePointID": "1",
            "SeriesDescription": "seg", "SeriesNumber": "300", "InstanceNumber": "1", "BodyPartExamined": "CHEST",
            "segmentAttributes": [described]}


def ours(case: str, folder: Path) -> float:
    """Seconds that the encoding takes in this process; the file lies in the folder."""
    files = sorted((folder / "ct").iterdir())
    first = folder / f"{case}-first.npy"
    np.save(first, np.ones((2, ROWS, ROWS), np.uint8))
    encode(first, 1, files[:2])  # tables of the standard are read once a process
    start = time.perf_counter()
    (folder / f"{case}-ours.dcm").write_bytes(encode(folder / f"{case}.npy", CASES[case], files))
    return time.perf_counter() - start


def encode(labels: Path, segments: int, files: list[Path]) -> bytes:
    """As the node does it, from the images' headers on."""
    from dicom_node.objects.context import EncodeContext
    from dicom_node.objects.finish import part10
    from dicom_node.objects.seg import encode_segmentations
    from dicom_node.objects.source import load_sources

    result = result_of(labels, segments, files)
    (made,) = encode_segmentations(result, load_sources(result, {"CT": files}), EncodeContext(0.0, "job"))
    return part10(made.seg)


def result_of(labels: Path, segments: int, files: list[Path]) -> Any:
    """What the model leaves: names of slices among it, which the reader has found."""
    from inference import codes
    from inference.findings import Finding, IntendedUse, ModelIdentity, Result, Structure
    from inference.volume import Grid, SliceSource
    from inference.writers.dicom_series import Acquisition, StudyDetails, uid_of

    lesion = Structure(1, "Lesion", codes.ABNORMAL_STRUCTURE, codes.NEOPLASM, codes.LIVER, (255, 0, 0), True)
    series = Acquisition.ct(StudyDetails.of("seg")).series_instance_uid
    sources = tuple(SliceSource(uid_of("instance", series, number, "")) for number in range(1, len(files) + 1))
    affine = np.array([[0, 0, 0.7, 0], [0, 0.7, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    findings = tuple(Finding(n, f"Segment {n}", lesion, (), 1, 1.0) for n in range(1, segments + 1))
    model = ModelIdentity("net", "1", "ab" * 32, "Segnode", IntendedUse.DEMONSTRATION)
    return Result("liver_tumour", model, Grid((len(files), ROWS, ROWS), affine, "1.2.3"), "CT", labels, findings,
                  sources={"CT": sources})


def highdicom(case: str, folder: Path) -> float:
    """The same by highdicom alone, from a stack of masks."""
    import highdicom as hd
    from pydicom import dcmread
    from pydicom.sr.coding import Code

    labels = np.load(folder / f"{case}.npy")
    start = time.perf_counter()
    described = [hd.seg.SegmentDescription(n, f"Segment {n}", Code("49755003", "SCT", "Morphologically Altered"),
                                           Code("108369006", "SCT", "Neoplasm"),
                                           hd.seg.SegmentAlgorithmTypeValues.MANUAL)
                 for n in range(1, CASES[case] + 1)]
    images = [dcmread(path, stop_before_pixels=True) for path in sorted((folder / "ct").iterdir())]
    stack = np.stack([labels == n for n in range(1, CASES[case] + 1)], axis=-1)
    seg = hd.seg.Segmentation(images, stack, hd.seg.SegmentationTypeValues.BINARY, described, "1.2.3.5", 1, "1.2.3.6",
                              1, "Segnode", "net", "1", "0")
    seg.save_as(folder / f"{case}-highdicom.dcm")
    return time.perf_counter() - start


MAKERS = {"ours": ours, "highdicom": highdicom}


def apart(name: str, case: str, folder: Path) -> Figures:
    """In a process of its own."""
    if name == "dcmqi":
        import dcmqi

        program = Path(dcmqi.__file__).parent / "bin" / "itkimage2segimage"
        command = [str(program), "--inputImageList", str(folder / f"{case}.nrrd"), "--inputDICOMDirectory",
                   str(folder / "ct"), "--skip", "1", "--inputMetadata", str(folder / f"{case}.json"), "--outputDICOM",
                   str(folder / f"{case}-dcmqi.dcm")]
    else:
        command = [sys.executable, __file__, "--make", name, "--case", case, "--folder", str(folder)]
    start = time.perf_counter()
    with (folder / f"{name}.out").open("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        whole = time.perf_counter() - start
        out.seek(0)
        said = out.read()
    assert status == 0, said[-2000:]
    seconds = whole if name == "dcmqi" else json.loads(said.splitlines()[-1])
    return Figures(seconds, usage.ru_maxrss / 1024, whole)


def held(seg: Path) -> dict[tuple[int, tuple[float, ...]], int]:
    """Of every segment and place the mask, as a sum over it."""
    from pydicom import dcmread

    from dicom_node.objects.decode import segments_seen

    return {(segment, tuple(float(v) for v in group.PlanePositionSequence[0].ImagePositionPatient)):
            crc32(np.ascontiguousarray(mask).data) for group, segment, mask in segments_seen(dcmread(seg))}


def compare(case: str, folder: Path, count: int, rounds: int) -> tuple[list[Comparison], str]:
    """Lines of the table and a remark."""
    found = take_turns({name: partial(apart, name, case, folder) for name in ("ours", "dcmqi")}, rounds)
    what = f"SEG of {count} x {ROWS}², {CASES[case]} {case}"
    whole = float(np.median([one.whole for one in found["ours"]]))
    lines = [Comparison(what, "s", *((name, [one.seconds for one in found[name]]) for name in ("ours", "dcmqi")),
                        wanted=1.0),
             Comparison(f"{what}, most memory", "MiB",
                        *((name, [one.mib for one in found[name]]) for name in ("ours", "dcmqi")), wanted=1.0)]
    return lines, f"{what}: {whole:.2f} s with the start of Python and its libraries, which the node has behind it."


def main() -> None:
    parser = options(__doc__, rounds=5)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--folder", type=Path, help="where the images and masks are put, or found")
    parser.add_argument("--make", choices=MAKERS, help="only make this one's SEG here, and say what it took")
    parser.add_argument("--case", choices=CASES)
    chosen = parser.parse_args()
    if chosen.make:
        print(MAKERS[chosen.make](chosen.case, chosen.folder))
        return
    lines: list[Comparison] = []
    remarks = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        # A child begins with the peak of the process that it was forked from, so this one stays small until the end.
        preparing = get_context("spawn").Process(target=prepare, args=(folder, chosen.images))
        preparing.start()
        preparing.join()
        assert preparing.exitcode == 0, "the images could not be made"
        for case in CASES:
            some, remark = compare(case, folder, chosen.images, chosen.rounds)
            lines += some
            remarks.append(remark)
        alone = apart("highdicom", "organs", folder)
        for case in CASES:
            ours_hold, theirs_hold = (held(folder / f"{case}-{name}.dcm") for name in ("ours", "dcmqi"))
            assert ours_hold == theirs_hold, f"{case}: not the same masks"
    remarks.append(f"highdicom alone, 3 organs as a stack of masks: {alone.seconds:.2f} s, {alone.mib:.0f} MiB.")
    report(Record("seg", lines, remarks, {"dcmqi": "1.5.7"}), chosen.record)


if __name__ == "__main__":
    main()
