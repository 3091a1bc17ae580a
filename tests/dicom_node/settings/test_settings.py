"""The configuration: what it is when nothing is said, and that every mistake is named at once."""

from pathlib import Path

import pytest
from misconfigured import mistakes
from ruamel.yaml import YAML

from dicom_node.destinations import FolderDestination
from dicom_node.settings import FILES, NodeSettings, load, shipped_folder
from inference.findings import IntendedUse
from inference.tasks import TASKS


@pytest.fixture
def conf(tmp_path) -> Path:
    folder = tmp_path / "conf"
    folder.mkdir()
    return folder


def test_without_a_folder_the_shipped_files_are_loaded():
    settings = load()
    assert set(settings.models) == set(TASKS)
    assert {route.task for route in settings.routes} == set(TASKS)
    assert set(settings.destinations()) == {"pacs"}
    assert set(settings.content) == set(FILES)


def test_an_empty_folder_means_the_same(conf):
    assert load(conf).sha256 == load().sha256


def test_the_shipped_node_yaml_shows_every_key_with_its_default():
    text = (shipped_folder() / "node.yaml").read_text()
    written = YAML(typ="safe").load(text)
    for name, field in NodeSettings.model_fields.items():
        assert f"# {name}:" in text
        if name not in ("database_url", "destinations"):
            shown = NodeSettings.model_validate({name: written[name]})
            assert getattr(shown, name) == field.get_default(call_default_factory=True), name


def test_only_clinical_results_leave_unless_a_person_says_otherwise():
    assert load().destinations()["pacs"].accepts == (IntendedUse.CLINICAL,)


def test_paths_are_below_the_folder_and_the_database_in_the_data(conf):
    (conf / "node.yaml").write_text(
        "data_folder: data\ndestinations:\n  pacs: {kind: folder, path: out}\n  far: {kind: folder, path: /srv/far}\n"
    )
    settings = load(conf)
    assert settings.node.data_folder == conf / "data"
    assert settings.node.database == f"sqlite:///{conf / 'data' / 'segnode.sqlite'}"
    places = {name: destination.path for name, destination in settings.destinations().items()}
    assert places == {"pacs": conf / "out", "far": Path("/srv/far")}
    assert isinstance(settings.destinations()["pacs"], FolderDestination)


def test_a_database_may_be_named(conf):
    (conf / "node.yaml").write_text(
        "database_url: postgresql://node@db/segnode\ndestinations:\n  pacs: {kind: folder, path: out}\n"
    )
    assert load(conf).node.database == "postgresql://node@db/segnode"


def test_a_shipped_bundle_lies_in_the_software_and_another_below_the_folder(conf):
    (conf / "models.yaml").write_text(
        "models:\n"
        '  ours: {task: liver_tumour, kind: bundle, path: "shipped:liver_tumour"}\n'
        "  theirs: {task: liver_tumour, kind: bundle, path: bundles/theirs}\n"
    )
    (conf / "routes.yaml").write_text("routes: []\n")
    models = load(conf).models
    assert Path(models["ours"].backend.path).parts[-3:] == ("inference", "bundles", "liver_tumour")
    assert Path(models["theirs"].backend.path) == conf / "bundles" / "theirs"


def test_content_and_hash_change_with_the_text(conf):
    before = load(conf)
    (conf / "logging.yaml").write_text("level: DEBUG\n")
    after = load(conf)
    assert after.content["logging.yaml"] == "level: DEBUG\n"
    assert after.sha256 != before.sha256


def test_settings_are_frozen():
    settings = load()
    with pytest.raises(ValueError):
        settings.node.port = 104


def test_every_mistake_of_every_file_is_named_at_once(conf):
    found = mistakes(
        conf,
        node="port: 99999\nquiet: 3\ndestinations:\n  pacs:\n    kind: dimse\n    ae_title: PACS\n    host: h\n",
        routes="routes:\n- name: a\n  when: {kind: modality, any_of: [MR]}\n  select: {kind: mr_brain}\n"
        "  task: brain_tumour\n  model: m\n  urgency: 9\n",
        models="models:\n  m: {task: knee, kind: threshold, lower: low, upper: 3}\n",
        logging="level: LOUD\n",
    )
    assert {problem.split(": ")[0] + " " + problem.split(": ")[1].split(" = ")[0] for problem in found} == {
        "node.yaml:1 port",
        "node.yaml:2 quiet",
        "node.yaml:4 destinations.pacs.port",
        "routes.yaml:7 routes.0.urgency",
        "models.yaml:2 models.m.lower",
        "logging.yaml:1 level",
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("port: 99999\n", "node.yaml:1: port = 99999: input should be less than or equal to 65535"),
        ("quiet_s: 0\n", "node.yaml:1: quiet_s = 0: input should be greater than 0"),
        ("ae_title: A\\B\n", "an AE title is 1 to 16 plain characters"),
        ("devices: some\n", "devices = 'some': input should be 'auto'"),
        ("executor: ray\n", "executor: ray needs ray: with the address of the cluster's head"),
        ("ray: {address: head}\n", "ray.address = 'head'"),
        ("destinations:\n  x: {kind: pigeon}\n", "'dimse', 'folder', 'stow'"),
        ("destinations:\n  x:\n    kind: folder\n    paht: o\n",
         "x.paht: no such key; allowed: accepts, alternative, alternative_after_s, concurrency, iocm, kind, path"),
        ("destinations:\n  x: {kind: folder, path: o, accepts: [all]}\n", "'demonstration', 'research' or 'clinical'"),
        ("- a\n- b\n", "node.yaml:1: the whole file"),
        ("port: [1\n", "node.yaml:2: no valid YAML"),
        ("port: 1\nport: 2\n", 'node.yaml:2: no valid YAML: found duplicate key "port"'),
    ],
)  # fmt: skip
def test_a_mistake_names_file_line_key_value_and_what_is_allowed(conf, text, sentence):
    assert any(sentence in problem for problem in mistakes(conf, node=text))


def test_passwords_are_not_repeated(conf):
    (problem, *_) = mistakes(conf, node="database_url: {password: hunter2}\n")
    assert "hunter2" not in problem


def test_a_model_of_an_unknown_task_is_named_with_those_that_there_are(conf):
    found = mistakes(conf, models="models:\n  m: {task: knee, kind: threshold, lower: 1, upper: 2, label: 1}\n")
    allowed = "brain_tumour, liver_tumour, lung_nodule"
    assert f"models.yaml:2: models.m.task = 'knee': no such task; allowed: {allowed}" in found


ROUTE = """routes:
- name: a
  when: {kind: modality, any_of: [MR]}
  select: {kind: mr_brain}
  task: brain_tumour
  model: MODEL
  destinations: [DESTINATION]
"""


def test_a_route_must_lead_somewhere(conf):
    found = mistakes(conf, routes=ROUTE.replace("MODEL", "missing").replace("DESTINATION", "nowhere"))
    assert found == [
        "routes.yaml:6: route a names model 'missing'; known: brain_tumour, liver_tumour, lung_nodule",
        "routes.yaml:7: route a names destination 'nowhere'; known: pacs",
    ]


def test_a_routes_model_must_solve_its_task(conf):
    found = mistakes(conf, routes=ROUTE.replace("MODEL", "liver_tumour").replace("DESTINATION", "pacs"))
    assert found == ["routes.yaml:5: route a is for brain_tumour, model liver_tumour solves liver_tumour"]


def test_a_route_makes_something_that_its_destinations_take(conf):
    only_images = "destinations: {pacs: {kind: dimse, ae_title: PACS, host: pacs, port: 104, profile: {sr: none}}}\n"
    routes = ROUTE.replace("MODEL", "brain_tumour").replace("DESTINATION", "pacs") + "  outputs: [sr]\n"
    (told,) = mistakes(conf, node=only_images, routes=routes)
    assert told == "routes.yaml:8: route a makes sr, and the profile of destination pacs takes nothing of it"


def test_a_destinations_profile_may_be_a_presets_name(conf):
    text = "destinations: {pacs: {kind: dimse, ae_title: PACS, host: pacs, port: 104, profile: ohif}}\n"
    (conf / "node.yaml").write_text(text)
    assert load(conf).node.destinations["pacs"].profile.diameters
