"""`priors:` in node.yaml."""

import pytest
from pydantic import ValidationError

from dicom_node.errors import ConfigurationError
from dicom_node.settings import load
from dicom_node.settings.priors import PriorSettings


def test_nobody_is_asked_unless_the_site_says_so():
    assert PriorSettings().archive is None
    assert load().node.priors == PriorSettings(), "what is shipped shows what holds without it"


def test_a_recall_remembers_how_it_was_wanted():
    assert PriorSettings(archive="pacs", retrieve="get").policy() == {"retrieve": "get", "studies": 3, "years": 5}


@pytest.mark.parametrize(
    "wrong",
    [{"retrieve": "none"}, {"deadline_s": 0}, {"studies": 0}, {"years": 0}, {"archive": ""}, {"colour": 1},
     {"wait_s": -1}, {"wait_s": 86401}],
)
def test_what_is_not_allowed_is_refused(wrong):
    with pytest.raises(ValidationError):
        PriorSettings(**wrong)


def test_the_archive_must_be_somebody_who_answers_c_find(tmp_path):
    web = "vna: {kind: dicomweb, url: 'https://vna.example'}"
    for name in ("gone", "vna"):
        text = f"priors: {{archive: {name}}}\npeers: {{ct1: {{ae_title: CT, host: h, port: 104}}, {web}}}\n"
        (tmp_path / "node.yaml").write_text(text)
        told = rf"node.yaml:1: priors.archive = '{name}': no such peer, or destination that can be asked; known: ct1\n"
        with pytest.raises(ConfigurationError, match=told):
            load(tmp_path)
