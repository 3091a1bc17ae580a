"""Addresses of callers."""

import pytest

from dicom_node.network.addresses import unmapped


@pytest.mark.parametrize(("address", "itself"), [
    ("::ffff:10.1.2.3", "10.1.2.3"),
    ("::ffff:a01:203", "10.1.2.3"),
    ("10.1.2.3", "10.1.2.3"),
    ("::1", "::1"),
    ("fe80::1%eth0", "fe80::1%eth0"),
    ("a socket of this machine", "a socket of this machine"),
    ("", ""),
])  # fmt: skip
def test_an_ipv4_address_is_itself_through_whichever_socket_it_came(address, itself):
    assert unmapped(address) == itself
