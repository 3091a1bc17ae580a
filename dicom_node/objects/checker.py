"""dciodvfy, the IOD checker of dicom3tools, on our objects where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile

from dicom_node.errors import ResultInvalid
from dicom_node.objects.codes import OWN_SCHEME
from dicom_node.objects.copied import is_copied

TIME_LIMIT_S = 120.0
_ATTRIBUTE = re.compile(r"</\w+\(([0-9a-f]{4}),([0-9a-f]{4})\)")  # the outermost that a line speaks of
_VALUE = re.compile(r" = <.*")  # it may hold any character, and go on on lines of its own
# What it says about every object of ours: Device UID of Contributing Equipment is younger than its tables,
# the place of a Secondary Capture is more than its IOD asks for, and our own codes are none of DICOM's.
_BEYOND = "> - Attribute is not present in standard DICOM IOD"
_KNOWN = ("DeviceUID(0018,1002)", f"Unrecognized defined term = <{OWN_SCHEME}>",
          "Standard Extended SOP Class", "needed to build DICOMDIR",
          f"ImagePositionPatient(0020,0032){_BEYOND}", f"ImageOrientationPatient(0020,0037){_BEYOND}",
          f"FrameOfReferenceUID(0020,0052){_BEYOND}", f"PositionReferenceIndicator(0020,1040){_BEYOND}")
# Errors that are none: it knows no LABELMAP yet and no reference to its segments. Our own check does.
_FALSE = ("Information Object Not found", "SegmentNumber not monotonically increasing",
          "Shall not be present for Referenced SOP Class that is not segmentation")
# Nor is this one: it asks for the side where the body part is not paired.
_NO_SIDE = "</Laterality(0020,0060)> - Missing attribute for Type 2C Conditional"
# Copied, too: UIDs, whose components old scanners begin with 0 (ours are checked elsewhere), and who made the images.
_FROM_IMAGES = ("for this VR [UI]", "Illegal root for UID", "</ContributingEquipmentSequence(0018,a001)[1]/",
                "</PositionReferenceIndicator(0020,1040)")
_SUMMARY = "Error - Dicom dataset contains"  # repeats what other lines say with their attribute


def dciodvfy(part10: bytes, *, labelmap: bool = False) -> tuple[str, ...]:
    """The checker's remarks on a file, without values; ResultInvalid where it finds an error that is ours.

    `labelmap`: the file is a LABELMAP or cites one, which its release of 2022 does not know.

    What it says of an attribute copied from the source images is a remark: the archive lives with it already.
    """
    program = shutil.which("dciodvfy")
    if program is None:
        return ()
    with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
        file.write(part10)
        file.flush()
        try:
            done = subprocess.run([program, "-new", file.name], capture_output=True, text=True, errors="replace",
                                  timeout=TIME_LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            return (f"dciodvfy did not end within {TIME_LIMIT_S:.0f} s",)
    lines = (done.stderr + done.stdout).splitlines()
    errors = [line for line in lines if line.startswith("Error - ") and not line.startswith(_SUMMARY)
              and _NO_SIDE not in line and not (labelmap and any(known in line for known in _FALSE))]
    ours = [_VALUE.sub("", line) for line in errors if not _copied(line)]
    if ours:
        raise ResultInvalid(f"dciodvfy: {'; '.join(ours[:5])}")
    remarks = [*errors, *(line for line in lines if line.startswith("Warning - "))]
    return tuple(_VALUE.sub("", line) for line in remarks if not any(known in line for known in _KNOWN))


def _copied(line: str) -> bool:
    found = _ATTRIBUTE.search(line)
    copied = found is not None and is_copied(int(found[1] + found[2], 16))
    return copied or any(said in line for said in _FROM_IMAGES)
