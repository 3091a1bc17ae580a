"""Whom the node calls and who may come in: TLS, web servers, sources, commitment, each with its mistakes."""

from pathlib import Path

import pytest
from misconfigured import mistakes

from dicom_node.destinations import DimseDestination
from dicom_node.errors import ConfigurationError
from dicom_node.network.peer import Peer
from dicom_node.settings import load


@pytest.fixture
def conf(tmp_path) -> Path:
    folder = tmp_path / "conf"
    folder.mkdir()
    return folder


def test_destinations_are_called_under_the_nodes_title_unless_they_name_another(conf):
    (conf / "node.yaml").write_text(
        "ae_title: AI_NODE\n"
        "destinations:\n"
        "  pacs: {kind: dimse, ae_title: PACS, host: h, port: 104}\n"
        "  other: {kind: dimse, ae_title: PACS, host: h, port: 104, calling_ae_title: AI_2}\n"
    )
    destinations = load(conf).destinations()
    assert isinstance(destinations["pacs"], DimseDestination)
    assert (destinations["pacs"].calling_ae_title, destinations["other"].calling_ae_title) == ("AI_NODE", "AI_2")


def test_peers_are_known_by_name(conf):
    (conf / "node.yaml").write_text(
        "peers:\n  ct1: {ae_title: CT1, host: ct1.example, port: 104}\n"
        "destinations:\n  pacs: {kind: folder, path: out}\n"
    )
    assert load(conf).peers() == {"ct1": Peer(ae_title="CT1", host="ct1.example", port=104)}


TLS = "tls: {certificate: tls/node.crt, key: tls/node.key, authorities: tls/ca.pem}\n"
PACS = "destinations:\n  pacs: {kind: dimse, ae_title: PACS, host: h, port: 2762, tls: {}}\n"


def test_paths_of_tls_are_below_the_folder_and_peers_take_what_they_do_not_name(conf):
    peers = "peers:\n  ct1: {ae_title: CT1, host: ct1.example, port: 2762, tls: {authorities: ct.pem}}\n"
    (conf / "node.yaml").write_text(TLS + peers + PACS)
    node = load(conf).node
    assert (node.tls.certificate, node.tls.port) == (conf / "tls" / "node.crt", 2762)
    pacs, ct1 = node.destinations["pacs"].tls, node.peers["ct1"].tls
    assert (pacs.certificate, pacs.key, pacs.authorities) == (node.tls.certificate, node.tls.key, node.tls.authorities)
    assert (ct1.certificate, ct1.authorities) == (node.tls.certificate, conf / "ct.pem")
    assert node.destinations["pacs"].peer.tls == pacs


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("port: null\n", "neither port nor tls says where to listen"),
        (TLS + "port: 2762\n", "port and tls.port are both 2762"),
        ("tls: {certificate: c, key: k}\n", "authorities must name who signs them"),
        ("tls: {certificate: c, client_certificates: none, profile: tls10}\n", "tls.profile = 'tls10'"),
        ("tls: {certificate: c, authorities: a, key_password: hunter2}\n", "node.yaml:1: tls.key_password:"),
        (PACS, "destinations.pacs.tls.authorities: is needed and neither there nor in the node's own tls"),
        ("admission:\n  - {addresses: [10.1.2.3/24], may: [store]}\n", "node.yaml:2: admission.0.addresses.0 ="),
        ("admission:\n  - {may: [print]}\n", "should be 'store', 'find' or 'commit'"),
        ("admission:\n  - {ae_titles: [CT1]}\n", "node.yaml:2: admission.0.may: is needed and not there"),
    ],
)  # fmt: skip
def test_mistakes_about_who_may_come_in_are_told_with_the_way_out(conf, text, sentence):
    found = mistakes(conf, node=text)
    assert any(sentence in problem for problem in found), found
    assert not any("hunter2" in problem for problem in found)


def test_files_of_tls_are_looked_at_only_where_that_is_asked_and_each_is_named_with_its_line(conf):
    text = f"port: 11112\n{TLS}{PACS}".replace(", key:", ",\n  key:")
    (conf / "node.yaml").write_text(text)
    assert load(conf).node.tls is not None
    with pytest.raises(ConfigurationError) as caught:
        load(conf, look_at_files=True)
    assert caught.value.problems == [
        f"node.yaml:2: tls.certificate = '{conf}/tls/node.crt': is not there",
        f"node.yaml:3: tls.key = '{conf}/tls/node.key': is not there",
        f"node.yaml:3: tls.authorities = '{conf}/tls/ca.pem': is not there",
    ]  # a destination that uses the same files does not tell them again


def test_good_files_of_tls_are_no_mistake(conf, ours, hospital):
    tls = f"tls: {{certificate: {ours.certificate}, key: {ours.key}, authorities: {hospital.certificate}}}\n"
    (conf / "node.yaml").write_text(tls + PACS)
    assert load(conf, look_at_files=True).node.ears == "0.0.0.0:11112 and 0.0.0.0:2762 (TLS)"


STOW = """destinations:
  pacs:
    kind: stow
    url: https://pacs.example/dicom-web/
    authentication: {kind: oauth2, token_url: https://login.example/token, client_id: a, client_secret: SECRET, tls: {}}
    tls: {authorities: tls/web.pem}
"""


def test_a_web_destination_is_completed_like_the_others(conf):
    (conf / "node.yaml").write_text(TLS + STOW.replace("SECRET", "{file: web.secret}"))
    web = load(conf).destinations()["pacs"]
    assert web.url == "https://pacs.example/dicom-web"
    assert web.authentication.client_secret.file == conf / "web.secret"
    assert web.authentication.tls.authorities == conf / "tls" / "ca.pem", "the node's own, where it names none"
    assert web.tls.authorities == conf / "tls" / "web.pem"
    assert "calling_ae_title" not in web.model_fields_set


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [
        ("hunter2", "node.yaml:5: destinations.pacs.authentication.client_secret: input should be"),
        ("{text: hunter2}", "authentication.client_secret.text: no such key; allowed: environment, file"),
        ("{file: a}, password: {file: b}", "authentication.password: no such key; allowed: client_id, client_secret"),
        ("{}", "authentication.client_secret: either file or environment says where the password is"),
        ("{file: a}", "destinations.pacs.authentication.tls.authorities: is needed and neither there nor in"),
    ],
)
def test_mistakes_about_credentials_are_told_without_them(conf, secret, sentence):
    found = mistakes(conf, node=STOW.replace("SECRET", secret))
    assert any(sentence in problem for problem in found), found
    assert not any("hunter2" in problem for problem in found)


def test_a_password_in_an_address_is_no_address_and_is_not_repeated(conf):
    found = mistakes(conf, node="destinations: {web: {kind: stow, url: 'https://a:hunter2@pacs.example'}}\n")
    assert found == [
        "node.yaml:1: destinations.web.url: an address holds no user and no password: authentication says them"
    ]


def test_passwords_are_looked_for_only_where_that_is_asked(conf, monkeypatch):
    monkeypatch.delenv("SEGNODE_TEST", raising=False)
    secret = "{environment: SEGNODE_TEST}"
    text = STOW.replace("SECRET", secret).replace(", tls: {}", "").replace("    tls: {authorities: tls/web.pem}\n", "")
    (conf / "node.yaml").write_text(text)
    load(conf)
    with pytest.raises(ConfigurationError) as caught:
        load(conf, look_at_files=True)
    (problem,) = caught.value.problems
    assert problem.startswith("node.yaml:5: destinations.pacs.authentication.client_secret = 'SEGNODE_TEST': is no ")
    monkeypatch.setenv("SEGNODE_TEST", "open sesame")
    load(conf, look_at_files=True)


ASKED = "destinations: {pacs: {kind: dimse, ae_title: PACS, host: pacs, port: 104, commitment: COMMITMENT}}\n"


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_commitment_may_be_relayed_to_a_destination_that_is_asked(conf, mode):
    text = f"commitment: {{service: relay, relay_to: pacs}}\n{ASKED.replace('COMMITMENT', mode)}"
    (conf / "node.yaml").write_text(text)
    assert load(conf).node.commitment.service == "relay"


@pytest.mark.parametrize(
    "text",
    [
        "commitment: {service: relay}\n" + ASKED.replace("COMMITMENT", "auto"),
        "commitment: {service: relay, relay_to: pacs}\n" + ASKED.replace("COMMITMENT", "off"),
        "commitment: {service: relay, relay_to: share}\ndestinations: {share: {kind: folder, path: share}}\n",
    ],
    ids=["nowhere", "off", "folder"],
)
def test_commitment_is_relayed_to_somebody_who_commits(conf, text):
    assert any("name a destination of kind dimse whose commitment is auto or required" in p
               for p in mistakes(conf, node=text))


def test_whom_we_can_call_back_is_known_by_ae_title(conf):
    (conf / "node.yaml").write_text(
        ASKED.replace("COMMITMENT", "auto") + "peers: {ct: {ae_title: CT1, host: ct, port: 105}}\n"
    )
    known = load(conf).node.known_peers
    assert {aet: peer.host for aet, peer in known.items()} == {"PACS": "pacs", "CT1": "ct"}


def test_we_are_called_by_every_title_by_which_we_call(conf):
    there = "destinations:\n  {}: {{kind: dimse, ae_title: PACS, host: pacs, port: 104{}}}\n"
    for more, titles in (("", ("NODE",)), (", calling_ae_title: SENDER", ("NODE", "SENDER"))):
        (conf / "node.yaml").write_text("ae_title: NODE\n" + there.format("pacs", more))
        assert load(conf).node.called_titles == titles


SOURCES = """peers:
  ct1: {ae_title: CT_ONE, host: h, port: 104}
destinations:
  pacs: {kind: dimse, ae_title: PACS, host: 127.0.0.1, port: 4242}
sources:
  "*": {peer: pacs, deadline_s: 9}
  ct1: {peer: pacs, retrieve: none}
  MR1: {peer: ct1}
"""


def test_sources_are_named_by_title_or_by_the_name_of_a_peer(conf):
    (conf / "node.yaml").write_text(SOURCES)
    settings = load(conf)
    assert settings.archives()["pacs"] == Peer(ae_title="PACS", host="127.0.0.1", port=4242)
    assert {title: source.peer for title, source in settings.sources().by_title.items()} == {
        "*": "pacs", "CT_ONE": "pacs", "MR1": "ct1",
    }  # fmt: skip
    assert settings.sources().of(["CT_ONE"]).retrieve == "none"
    assert settings.sources().of(["OTHER"]).deadline_s == 9


def test_a_source_must_be_somebody_whom_we_can_call(conf):
    found = mistakes(conf, node=SOURCES.replace("{peer: ct1}", "{peer: gone}"))
    assert found == [
        "node.yaml:8: sources.MR1.peer = 'gone': no such peer, or destination that can be asked; known: ct1, pacs"
    ]


def test_without_sources_nobody_is_asked():
    assert load().sources().of(["ANYBODY"]) is None


WEB = """tls: {certificate: tls/node.crt, key: tls/node.key, authorities: tls/ca.pem}
peers:
  vna:
    kind: dicomweb
    url: https://vna.example/dicom-web/
    authentication: {kind: oauth2, token_url: https://login.example/t, client_id: a, client_secret: {file: s}, tls: {}}
    tls: {authorities: vna.pem}
  ct1: {ae_title: CT1, host: ct1.example, port: 104}
sources: {"*": {peer: vna}, vna: {peer: web}}
destinations:
  pacs: {kind: folder, path: out}
  web: {kind: stow, url: https://pacs.example}
"""


def test_a_peer_may_be_a_web_server_which_is_completed_like_the_others(conf):
    (conf / "node.yaml").write_text(WEB)
    settings = load(conf)
    web = settings.archives()["vna"]
    assert (web.url, web.ae_title) == ("https://vna.example/dicom-web", "vna")
    assert web.line.tls.authorities == conf / "vna.pem"
    assert web.authentication.client_secret.file == conf / "s"
    assert web.authentication.tls.authorities == conf / "tls" / "ca.pem", "the node's own, where it names none"
    assert set(settings.archives()) == {"vna", "ct1", "web"}
    assert set(settings.sources().by_title) == {"*", "vna"}
    assert (set(settings.peers()), set(settings.web_servers())) == ({"ct1"}, {"vna"})
    assert set(settings.node.known_peers) == {"CT1"}, "a web server asks nobody to keep anything"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("kind: dicomweb", "kind: pigeon", "node.yaml:3: peers.vna: kind is dimse (also where it is left out) or "),
        ("    kind: dicomweb\n", "", "peers.vna.url: no such key; allowed: ae_title, host, kind, port, tls"),
        ("url:", "urll:", "allowed: ae_title, answer_s, authentication, connect_s, kind, tls, url"),
        ("https://vna", "http://vna", "node.yaml:3: peers.vna: tls is of no use with http"),
        ("https://vna", "vna", "node.yaml:5: peers.vna.url: an address begins with https://"),
        ("{file: s}", "hunter2", "node.yaml:6: peers.vna.authentication.client_secret: input should be"),
        ("peer: web", "peer: pacs", "no such peer, or destination that can be asked; known: ct1, vna, web"),
    ],
)
def test_mistakes_about_web_servers_are_told_with_the_way_out(conf, old, new, sentence):
    found = mistakes(conf, node=WEB.replace(old, new, 1))
    assert any(sentence in problem for problem in found), found
    assert not any("hunter2" in problem for problem in found)


@pytest.mark.parametrize(("key", "text"), [
    ("host", "host: {0}"),
    ("web.host", "web: {{host: {0}}}"),
    ("peers.a.host", "peers: {{a: {{ae_title: A, host: {0}, port: 104}}}}"),
    ("destinations.a.host", "destinations: {{a: {{kind: dimse, ae_title: A, host: {0}, port: 104}}}}"),
    ("audit.syslog.host", "audit: {{syslog: {{host: {0}}}}}"),
    ("alerts.mail.host", "alerts: {{mail: {{host: {0}, sender: a@b, recipients: [c@d]}}}}"),
])  # fmt: skip
def test_a_host_that_cannot_be_named_is_told(conf, key, text):
    told = mistakes(conf, node=text.format("pacs..hospital.example") + "\n")
    assert f"node.yaml:1: {key} = 'pacs..hospital.example': no host has this name: a part" in told[0]
