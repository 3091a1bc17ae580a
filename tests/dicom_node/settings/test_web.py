"""`web:` in node.yaml."""

import socket

import pytest
from pydantic import ValidationError

from dicom_node.checking.check import check
from dicom_node.errors import ConfigurationError
from dicom_node.network.tls.settings import BrowserTls
from dicom_node.settings import load
from dicom_node.settings.web import WebSettings


def test_what_is_shipped_shows_what_holds_without_it_and_is_this_machine_alone():
    assert load().node.web == WebSettings()
    assert WebSettings().address == "http://127.0.0.1:8470"


@pytest.mark.parametrize(("settings", "address", "secure"), [
    ({"host": "0.0.0.0", "port": 80}, f"http://{socket.gethostname()}:80", False),
    ({"host": "::1"}, "http://[::1]:8470", False),
    ({"tls": {"certificate": "c.pem"}}, "https://127.0.0.1:8470", True),
    ({"url": "https://segnode.example"}, "https://segnode.example", True),
])
def test_where_people_reach_it(settings, address, secure):
    web = WebSettings.model_validate(settings)
    assert (web.address, web.secure) == (address, secure)


@pytest.mark.parametrize("wrong", [
    {"port": 0}, {"host": ""}, {"url": "https://a/b"}, {"url": "ftp://a"}, {"proxies": ["here"]}, {"session_hours": 0},
    {"names_for": ["doctor"]}, {"tls": {"key": "k.pem"}}, {"tls": {"certificate": "c", "authorities": "a"}},
])
def test_what_is_not_allowed_is_refused(wrong):
    with pytest.raises(ValidationError):
        WebSettings.model_validate(wrong)


@pytest.mark.parametrize(("line", "told"), [
    ("web: {host: 0.0.0.0}", True), ("web: {host: console.example}", True),
    ("web: {host: 0.0.0.0, port: null}", False), ("web: {host: localhost}", False), ("", False),
])
def test_a_console_that_others_reach_in_the_clear_is_remarked(conf, line, told):
    with (conf / "node.yaml").open("a") as file:
        file.write(line + "\n")
    remarks = check(conf, with_echo=False).remarks
    assert any(remark.startswith("web: passwords and patient names travel") for remark in remarks) is told


def test_its_files_lie_below_the_configuration_and_are_looked_at(conf):
    with (conf / "node.yaml").open("a") as file:
        file.write("web: {tls: {certificate: c.pem, key: k.pem}}\n")
    tls = load(conf).node.web.tls
    assert isinstance(tls, BrowserTls)
    assert (tls.certificate, tls.key) == (conf / "c.pem", conf / "k.pem")
    with pytest.raises(ConfigurationError, match=r"node.yaml:\d+: web.tls.certificate.*is not there"):
        load(conf, look_at_files=True)
