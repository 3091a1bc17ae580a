"""An archive that answers C-FIND, C-MOVE and C-GET as a test says, well or not."""

from contextlib import contextmanager

from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from dicom_node.network.peer import Peer


@contextmanager
def archive(find=None, move_=None, get_=None):
    """Its answers are generators on the event; it offers what it has one for, and sends CT images by C-GET."""
    entity = AE(ae_title="ARCHIVE")
    entity.add_supported_context(Verification)
    entity.add_supported_context(CTImageStorage, scu_role=False, scp_role=True)
    handlers = []
    for model, event, handler in (
        (StudyRootQueryRetrieveInformationModelFind, evt.EVT_C_FIND, find),
        (StudyRootQueryRetrieveInformationModelMove, evt.EVT_C_MOVE, move_),
        (StudyRootQueryRetrieveInformationModelGet, evt.EVT_C_GET, get_),
    ):
        if handler:
            entity.add_supported_context(model)
            handlers.append((event, handler))
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield Peer(ae_title="ARCHIVE", host="127.0.0.1", port=server.server_address[1])
    finally:
        entity.shutdown()
