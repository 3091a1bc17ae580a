"""The two doors through which strangers' bytes come: PDUs and data sets. A target raises only where we are wrong."""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import threading
from pathlib import Path

import psutil
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import evt
from wire import ABORT, RELEASE_RQ, Wire, associate_rq, echo_rq, p_data, store_rq

from dicom_node.errors import BadDataset
from dicom_node.network.acceptor.messages import Limits
from dicom_node.network.acceptor.upper_layer import Entity
from dicom_node.network.contexts import supported_contexts
from dicom_node.network.headers.header import read_header
from dicom_node.network.listener import listen

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
ARTIM_S = 2.0
PATIENT_S = 20.0


def data_set(syntax) -> bytes:
    """A small enhanced header with what the reader looks for."""
    data, frame, position, equipment = Dataset(), Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [1, 2, 3]
    frame.PlanePositionSequence = [position]
    equipment.DeviceUID = "2.25.9"
    data.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, "1.2.3.4"
    data.StudyInstanceUID, data.SeriesInstanceUID = "1.2", "1.2.3"
    data.PatientName, data.Modality, data.Rows, data.Columns = "A^B", "CT", 4, 4
    data.ImageType, data.PixelSpacing = ["ORIGINAL", "PRIMARY"], [1.0, 2.0]
    data.ContributingEquipmentSequence, data.PerFrameFunctionalGroupsSequence = [equipment], [frame, frame]
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, syntax.is_implicit_VR
    write_dataset(buffer, data)
    return buffer.getvalue()


def read(raw: bytes) -> None:
    """One data set; its first byte chooses the syntax. Anything but a header or BadDataset is a fault of ours."""
    if not raw:
        return
    try:
        read_header(raw[1:], SYNTAXES[raw[0] % len(SYNTAXES)])
    except BadDataset:
        return


DATA_SEEDS = [bytes([number]) + data_set(syntax) for number, syntax in enumerate(SYNTAXES)]
STORE = p_data((3, 3, store_rq("1.2.3.4"))) + p_data((3, 2, data_set(ExplicitVRLittleEndian)))
PDU_SEEDS = [
    associate_rq(),
    associate_rq() + RELEASE_RQ,
    associate_rq() + ABORT,
    associate_rq() + p_data((1, 3, echo_rq())) + RELEASE_RQ,
    associate_rq() + STORE + RELEASE_RQ,
    associate_rq() + p_data((1, 1, echo_rq()[:9]), (1, 3, echo_rq()[9:])),
]


class Listener:
    """A node's ear, and a peer that says what it is told, closes, and looks whether the node is as before."""

    def __init__(self) -> None:
        entity = Entity("SEGNODE")
        entity.supported_contexts = supported_contexts()
        entity.maximum_pdu_size, entity.maximum_associations = 16384, 1000
        entity.acse_timeout = entity.network_timeout = entity.dimse_timeout = ARTIM_S
        folder = Path(tempfile.mkdtemp())
        self.faults: list[str] = []
        threading.excepthook = lambda what: self.faults.append(f"{what.exc_type.__name__}: {what.exc_value}")
        self.server = listen(
            entity, ("127.0.0.1", 0), [(evt.EVT_C_STORE, self._store)], Limits(max_connections=500, folder=folder)
        )
        self.port = self.server.server_address[1]
        self.process = psutil.Process(os.getpid())

    def _store(self, event) -> int:
        read(b"\0" + bytes(event.request.DataSet.getbuffer()))
        return 0

    def hear(self, raw: bytes) -> None:
        """One conversation of mutated PDUs: the association in it is answered before the rest is sent."""
        with Wire(self.port, PATIENT_S) as wire:
            try:
                head = 6 + struct.unpack(">I", raw[2:6])[0] if raw[:1] == b"\x01" and len(raw) >= 6 else len(raw)
                wire.say(raw[:head])
                if head < len(raw):
                    wire.socket.settimeout(ARTIM_S + PATIENT_S)
                    wire.hear()
                    wire.say(raw[head:])
                wire.socket.shutdown(socket.SHUT_WR)
                wire.hear_all()  # TimeoutError here is a hang: nothing more comes from us, so it must end
            except (ConnectionError, BrokenPipeError):
                pass  # it closed first
            except OSError as error:
                if isinstance(error, TimeoutError):
                    raise
        if self.faults:
            raise AssertionError(self.faults)

    def check(self) -> None:
        """It still answers."""
        with Wire(self.port, PATIENT_S).associated() as wire:
            wire.say(p_data((1, 3, echo_rq())))
            assert wire.status() == 0

    def memory(self) -> int:
        """Resident bytes of this process."""
        return self.process.memory_info().rss
