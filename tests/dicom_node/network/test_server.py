"""Who may talk to the node, and what it knows of open associations."""

import socket
import subprocess
import sys
import threading
import time

import pytest
from own_addresses import EVERY
from pydicom import dcmread
from pydicom.uid import CTImageStorage, RTPlanStorage
from pynetdicom import AE, build_context
from wire import associate_rq

from dicom_node.counting import Counts
from dicom_node.network.client import echo, send

VERIFICATION = "1.2.840.10008.1.1"


def call(ear, calling="SCANNER", called="SEGNODE", contexts=(VERIFICATION,)):
    return AE(ae_title=calling).associate(
        ear.peer.host, ear.peer.port, [build_context(uid) for uid in contexts], ae_title=called
    )


def rejection(association) -> tuple[int, int, int]:
    assert association.is_rejected
    answer = association.acceptor.primitive
    return answer.result, answer.result_source, answer.diagnostic


def open_count(ear) -> int:
    with ear.database.reading() as tx:
        return tx.associations.open_count(time.time())


def eventually(condition) -> bool:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@pytest.mark.peer
def test_dcmtk_echoes(listen, dcmtk):
    ear = listen()
    done = dcmtk.run("echoscu", "-aec", "SEGNODE", "127.0.0.1", ear.peer.port)
    assert done.returncode == 0, done.stdout


def test_a_caller_by_ipv4_keeps_its_address_where_the_port_is_one_of_ipv6_too(listen):
    """Not ::ffff:127.0.0.1: the routes, the audit trail and the log compare it and show it."""
    ear = listen(host=EVERY)
    association = call(ear)
    assert association.is_established
    assert [one.requestor.address for one in ear.server.open_associations] == ["127.0.0.1"]
    association.release()


@pytest.mark.peer
def test_dcmtk_reads_the_reason_of_a_rejection(listen, dcmtk):
    ear = listen()
    done = dcmtk.run("echoscu", "-aec", "OTHER", "127.0.0.1", ear.peer.port)
    assert done.returncode != 0
    assert "Called AE Title Not Recognized" in done.stdout


def test_a_wrong_called_title_is_rejected_for_good(listen):
    assert rejection(call(listen(), called="OTHER")) == (1, 1, 7)


def test_any_called_title_will_do_where_it_is_not_required(listen):
    association = call(listen(require_called_aet=False), called="OTHER")
    assert association.is_established
    association.release()


def test_an_unknown_calling_title_is_rejected_for_good(listen):
    ear = listen(accept_calling_aets=("CT1", "CT2"))
    assert rejection(call(ear, calling="STRANGER")) == (1, 1, 3)
    echo(ear.peer, calling_aet="CT2")


def test_too_many_associations_are_rejected_for_now(listen):
    ear = listen(max_associations=1)
    first = call(ear)
    assert rejection(call(ear)) == (2, 3, 2)
    first.release()
    assert eventually(lambda: not ear.server.open_associations)
    echo(ear.peer)


def test_a_class_that_is_not_taken_has_its_context_rejected_and_the_others_work(listen):
    association = call(listen(), contexts=(CTImageStorage, RTPlanStorage))
    assert [context.abstract_syntax for context in association.accepted_contexts] == [CTImageStorage]
    (rejected,) = association.rejected_contexts
    assert (rejected.abstract_syntax, rejected.result) == (RTPlanStorage, 3)  # abstract syntax not supported
    association.release()


def test_an_open_association_is_a_row_until_it_is_released(listen):
    ear = listen()
    association = call(ear)
    assert eventually(lambda: open_count(ear) == 1)
    association.release()
    assert eventually(lambda: open_count(ear) == 0)


def test_an_aborted_association_is_closed_too(listen):
    ear = listen()
    association = call(ear)
    assert eventually(lambda: open_count(ear) == 1)
    association.abort()
    assert eventually(lambda: open_count(ear) == 0)


def test_a_connection_that_just_goes_away_is_closed_too(listen):
    ear = listen()
    association = call(ear)
    assert eventually(lambda: open_count(ear) == 1)
    association.dul.socket.socket.close()
    assert eventually(lambda: open_count(ear) == 0)


def test_leases_are_renewed_while_a_sender_stays(listen, monkeypatch):
    ear = listen(lease_term_s=0.3)
    association = call(ear)
    assert eventually(lambda: open_count(ear) == 1)
    opened = time.time()
    assert eventually(lambda: time.time() > opened + 0.9)
    assert open_count(ear) == 1
    association.release()


def test_a_study_is_not_settled_while_its_sender_is_still_there(listen, ct_series):
    ear = listen()
    association = call(ear, contexts=(CTImageStorage,))
    data = dcmread(ct_series[0])
    data.file_meta.TransferSyntaxUID = association.accepted_contexts[0].transfer_syntax[0]
    assert association.send_c_store(data).Status == 0

    def settled() -> int:
        with ear.database.reading() as tx:
            return len(tx.studies.settled(time.time(), 0.0))

    assert settled() == 0
    association.release()
    assert eventually(lambda: settled() == 1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom's refused socket
def test_stopping_lets_a_sender_finish_its_association(listen, ct_series):
    ear = listen()
    assert all(status.stored for status in send(ct_series, ear.peer).values())
    ear.server.stop()
    assert open_count(ear) == 0
    assert call(ear).is_established is False


def test_the_receiver_loads_neither_torch_nor_highdicom():
    heavy = "{'torch', 'highdicom', 'monai', 'SimpleITK'}"
    code = f"import sys, dicom_node.network.server; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_what_comes_and_who_is_rejected_is_counted(listen, ct_series):
    counts = Counts()
    ear = listen(counts=counts, accept_calling_aets=("SCANNER",))
    call(ear, called="OTHER")
    call(ear, calling="STRANGER")
    for _ in range(2):
        send([ct_series[0]], ear.peer, "SCANNER")
    found = {(name, *(value for _, value in labels)): number for (name, labels), number in counts.take().items()}
    data = dcmread(ct_series[0])
    assert found.pop(("received_bytes",)) > 2 * len(data.PixelData)
    assert found == {
        ("associations_rejected", "called_ae_title"): 1, ("associations_rejected", "calling_ae_title"): 1,
        ("associations_accepted",): 2, ("received_instances", "kept"): 1, ("received_instances", "held"): 1,
    }


class TestDrain:
    """Told to end, it takes nobody new, and lets those go on who are at it."""

    def drained(self, ear, grace_s: float) -> threading.Thread:
        thread = threading.Thread(target=ear.server.stop, args=(grace_s,))
        thread.start()
        return thread

    def test_ports_are_closed_at_once_and_an_open_association_ends_by_itself(self, listen, ct_series):
        ear = listen()
        data = dcmread(ct_series[0])
        association = call(ear, contexts=(CTImageStorage,))
        port, started = ear.server.port, time.monotonic()
        end = self.drained(ear, 20.0)
        assert eventually(lambda: is_refused(port))
        assert association.send_c_store(data).Status == 0x0000
        association.release()
        end.join(20)
        assert not end.is_alive()
        assert time.monotonic() - started < 15.0, "it does not wait for the whole grace"
        assert len(ear.instances(data.StudyInstanceUID)) == 1
        assert open_count(ear) == 0

    def test_who_is_connected_and_asks_only_now_is_told_to_try_again(self, listen):
        ear = listen()
        busy = call(ear)
        with socket.create_connection(("127.0.0.1", ear.server.port), 10) as connection:
            listener = ear.server._listeners[0]
            assert eventually(lambda: len(listener._connections) == 2), "both are accepted"
            end = self.drained(ear, 20.0)
            assert eventually(lambda: listener.socket.fileno() < 0)
            connection.sendall(associate_rq())
            answer = connection.recv(64)
        assert (answer[0], *answer[7:10]) == (3, 2, 3, 1), "rejected for now: temporary congestion (PS3.8 Table 9-21)"
        busy.release()
        end.join(20)

    def test_one_that_stays_longer_than_the_grace_is_aborted(self, listen):
        ear = listen(drain_s=0.2)
        association = call(ear)
        ear.server.stop()
        assert eventually(lambda: association.is_aborted)
        assert open_count(ear) == 0


def is_refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
