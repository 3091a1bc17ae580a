"""Who is not let in gets the standard's reason and the journal ours; what is not allowed is not negotiated."""

import socket
import time

import pytest
from pydicom.uid import CTImageStorage, RTPlanStorage
from pynetdicom import AE, build_context
from pynetdicom.sop_class import Verification

from dicom_node.network.admission import Admittance, Role
from dicom_node.network.client import echo, send


def call(ear, calling="CT1", called="SEGNODE", classes=(Verification,)):
    return AE(ae_title=calling).associate(
        "127.0.0.1", ear.server.port, [build_context(uid) for uid in classes], ae_title=called
    )


def rejection(association) -> tuple[int, int, int]:
    assert association.is_rejected
    answer = association.acceptor.primitive
    return answer.result, answer.result_source, answer.diagnostic


def refused(ear) -> list[str]:
    return [text for event, text in ear.journal() if event == "refused"]


HERE = Admittance(ae_titles=["CT1"], addresses=["127.0.0.0/8"], may=["store"])
ELSEWHERE = Admittance(ae_titles=["MR1"], addresses=["10.1.2.0/24"], may=["store"])


@pytest.mark.parametrize(
    ("rules", "caller", "code", "why"),
    [
        ({"admission": (HERE,)}, {"calling": "STRANGER"}, (1, 1, 3), "no row of admission for its address"),
        ({"admission": (HERE, ELSEWHERE)}, {"calling": "MR1"}, (1, 1, 3), "no row of admission for its address"),
        ({"admission": (ELSEWHERE,)}, {"calling": "MR1"}, (1, 1, 1), "its address is in no row"),
        ({"accept_calling_aets": ("MR1",)}, {}, (1, 1, 3), "not in accept_calling_aets"),
        ({}, {"called": "OTHER"}, (1, 1, 7), "it calls 'OTHER', we are SEGNODE"),
    ],
)
def test_a_refusal_has_the_standards_reason_and_is_journalled_with_ours(listen, rules, caller, code, why):
    ear = listen(**rules)
    assert rejection(call(ear, **caller)) == code
    (text,) = refused(ear)
    assert f"{caller.get('calling', 'CT1')!r} from 127.0.0.1" in text
    assert why in text
    assert str(code) in text


@pytest.mark.peer
@pytest.mark.parametrize(
    ("rules", "arguments", "words"),
    [
        ({"admission": (HERE,)}, ("-aet", "STRANGER"), "Reason: Calling AE Title Not Recognized"),
        ({"admission": (ELSEWHERE,)}, ("-aet", "MR1"), "Reason: No Reason"),
        ({}, ("-aec", "OTHER"), "Reason: Called AE Title Not Recognized"),
    ],
)
def test_dcmtk_prints_the_reason(listen, dcmtk, rules, arguments, words):
    done = dcmtk.run("echoscu", "-aec", "SEGNODE", *arguments, "127.0.0.1", listen(**rules).server.port)
    print(done.stdout)
    assert done.returncode != 0
    assert words in done.stdout
    assert "Result: Rejected Permanent, Source: Service User" in done.stdout


@pytest.mark.peer
def test_dcmtk_reads_that_the_limit_is_reached_for_now(listen, dcmtk):
    ear = listen(max_associations=1)
    holder = call(ear)
    done = dcmtk.run("echoscu", "-aec", "SEGNODE", "127.0.0.1", ear.server.port)
    print(done.stdout)
    assert "Result: Rejected Transient" in done.stdout
    assert "Reason: Local Limit Exceeded" in done.stdout
    holder.release()


def test_who_is_in_the_table_comes_in(listen, ct_series):
    ear = listen(admission=(HERE,))
    assert all(status.stored for status in send(ct_series, ear.peer, calling_aet="CT1").values())
    assert refused(ear) == []


def test_a_role_that_is_not_allowed_has_its_contexts_rejected_by_us_and_the_association_stays(listen):
    ear = listen(admission=(Admittance(ae_titles=["ASKER"], may=["find"]),))
    association = call(ear, calling="ASKER", classes=(CTImageStorage, Verification, RTPlanStorage))
    assert association.is_established
    assert association.send_c_echo().Status == 0
    results = {context.abstract_syntax: context.result for context in association.rejected_contexts}
    assert results == {CTImageStorage: 1, RTPlanStorage: 3}  # 1: rejected by the user, 3: not supported (PS3.8 9.3.3.2)
    association.release()
    (text,) = refused(ear)
    assert text == "1 presentation contexts of 'ASKER' from 127.0.0.1 were rejected: it may find"


def test_a_caller_that_may_nothing_may_still_echo(listen, ct_series):
    ear = listen(admission=(Admittance(may=[]),))
    echo(ear.peer)
    statuses = send(ct_series, ear.peer)
    assert not any(status.stored for status in statuses.values())


def test_every_role_that_a_row_allows_is_negotiated(listen):
    ear = listen(admission=(Admittance(may=[Role.STORE, Role.FIND]),))
    association = call(ear, classes=(CTImageStorage, Verification))
    assert len(association.accepted_contexts) == 2
    association.release()


def test_connections_that_say_nothing_take_no_place(listen):
    ear = listen(max_associations=1)
    silent = [socket.create_connection(("127.0.0.1", ear.server.port)) for _ in range(5)]
    time.sleep(0.2)
    association = call(ear)
    assert association.is_established
    assert refused(ear) == []
    association.release()
    for connection in silent:
        connection.close()


def test_a_place_is_free_again_when_an_association_has_ended(listen):
    ear = listen(max_associations=1)
    for _ in range(3):
        association = call(ear)
        assert association.is_established
        association.release()
        deadline = time.monotonic() + 10
        while ear.server.open_associations and time.monotonic() < deadline:
            time.sleep(0.02)
