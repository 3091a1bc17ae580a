"""How fast results and studies are sent on: `make bench-sending`.

python tests/benchmarks/sending.py [--rounds 5] [--images 400] [--record FOLDER]. Our C-STORE user, in a process that
runs already as the node's does, beside DCMTK's `dcmsend`, which is started for each as it is; both with TCP_NODELAY. To
Debian's Orthanc and to DCMTK's storescp: one SEG, and a CT study. Every turn sends instances that nobody has seen.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness import Comparison, Record, options, report, take_turns
from ingest import MEMORY, Images, tools
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage
from receivers import ENVIRONMENT, Receiver, orthanc, storescp

from dicom_node.network.client import send
from dicom_node.network.peer import Peer
from dicom_node.network.statuses import Outcome
from inference.writers.acquisition import uid_of

FRAMES = 60


def ours(receiver: Receiver, files: list[Path]) -> None:
    """The node's own way out."""
    answers = send(files, Peer(ae_title=receiver.aet, host="127.0.0.1", port=receiver.port))
    if any(answer.outcome is not Outcome.STORED for answer in answers.values()):
        raise RuntimeError("not everything was stored")


def dcmsend(receiver: Receiver, files: list[Path]) -> None:
    """DCMTK's way."""
    command = ["dcmsend", "-aec", receiver.aet, "127.0.0.1", str(receiver.port), *map(str, files)]
    subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)


def turn(images: Images, place: Path, count: int, to: Receiver, way: Callable[[Receiver, list[Path]], None]) -> float:
    """Seconds for so many new images."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        files = images.write(Path(folder) / "new", count)
        start = time.perf_counter()
        way(to, files)
        return time.perf_counter() - start


def seg(place: Path) -> Images:
    """A segmentation as large as one of a liver: 60 frames of 512 x 512 bits, each with its functional groups."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = SegmentationStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = uid_of("seg", time.time_ns())
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.StudyInstanceUID, data.SeriesInstanceUID = uid_of("study", time.time_ns()), uid_of("series", time.time_ns())
    data.PatientID, data.Modality, data.SegmentationType = "PHANTOM-0", "SEG", "BINARY"
    data.NumberOfFrames, data.Rows, data.Columns, data.SamplesPerPixel = FRAMES, 512, 512, 1
    data.BitsAllocated = data.BitsStored = 1
    data.HighBit = data.PixelRepresentation = 0
    data.PhotometricInterpretation = "MONOCHROME2"
    data.PerFrameFunctionalGroupsSequence = Sequence([_group(number) for number in range(FRAMES)])
    data.PixelData = bytes(FRAMES * 512 * 512 // 8)
    path = place / "seg.dcm"
    data.save_as(path, enforce_file_format=True)
    return Images.like(path)


def _group(number: int) -> Dataset:
    position, segment, group = Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [0, 0, number]
    segment.ReferencedSegmentNumber = 1
    group.PlanePositionSequence, group.SegmentIdentificationSequence = Sequence([position]), Sequence([segment])
    return group


def main() -> None:
    parser = options(__doc__, rounds=5)
    parser.add_argument("--images", type=int, default=400, help="of the study")
    chosen = parser.parse_args()
    lines: list[Comparison] = []
    with contextlib.ExitStack() as stack:
        disk = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)))
        peers = {
            "Orthanc": stack.enter_context(orthanc(disk / "orthanc")),
            "storescp": stack.enter_context(storescp(disk / "storescp")),
        }
        loads = {"a SEG": (seg(place), 1), f"{chosen.images} CT images": (Images.of("ct", place), chosen.images)}
        for name, (images, count) in loads.items():
            for whom, peer in peers.items():
                found = take_turns(
                    {
                        "segnode": lambda i=images, n=count, p=peer: turn(i, place, n, p, ours),
                        "dcmsend": lambda i=images, n=count, p=peer: turn(i, place, n, p, dcmsend),
                    },
                    chosen.rounds,
                )
                pair = (("segnode", found["segnode"]), ("dcmsend", found["dcmsend"]))
                lines.append(Comparison(f"sending {name} to {whom}", "s", *pair, True, 1.0))
    report(Record("sending", lines, ["Sending: dcmsend's figures hold its start."], tools()), chosen.record)


if __name__ == "__main__":
    main()
