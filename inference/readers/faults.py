"""What pydicom and its decoders raise on data that they cannot make sense of."""

from __future__ import annotations

import struct
import zlib

from pydicom.errors import BytesLengthException, InvalidDicomError

DICOM_FAULTS = (AttributeError, EOFError, IndexError, KeyError, NotImplementedError, RuntimeError, TypeError,
                ValueError, BytesLengthException, InvalidDicomError, struct.error, zlib.error)
