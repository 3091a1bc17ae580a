"""OpenSSL's reasons in words; those of the handshakes themselves are in test_tls_dial.py and test_listener.py."""

import ssl

import pytest

from dicom_node.network.tls.tls_words import ALERTS, FAILURES, explain


def ssl_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] words of OpenSSL")
    error.reason = reason
    return error


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_the_other_ends_no(alert):
    for prefix in ("TLSV1_", "SSLV3_", "TLSV13_"):
        reason = explain(ssl_error(prefix + alert))
        assert (reason.sentence, reason.refused) == (ALERTS[alert], True)


@pytest.mark.parametrize("failure", FAILURES)
def test_what_did_not_come_about_may_be_tried_again(failure):
    reason = explain(ssl_error(failure))
    assert (reason.sentence, reason.refused) == (FAILURES[failure], False)


def test_what_nobody_thought_of_is_named_as_openssl_names_it():
    assert explain(ssl_error("SOMETHING_NEW")).sentence == "TLS fails (SOMETHING_NEW)"


def test_silence_and_a_connection_that_ends_are_told_apart():
    assert "in time" in explain(TimeoutError()).sentence
    assert "ended the connection" in explain(ConnectionResetError()).sentence


def test_whoever_falls_silent_or_goes_away_was_not_kept_out():
    assert all(explain(error).left for error in (TimeoutError(), ConnectionResetError(), ssl_error("UNEXPECTED_EOF")))
    kept_out = ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_UNKNOWN_CA", "SOMETHING_NEW")
    assert not any(explain(error).left for error in map(ssl_error, kept_out))
