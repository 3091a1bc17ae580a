"""A bundle's network is built from its configuration, with its weights, and answers on the source grid."""

import shutil

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from inference.backends import build
from inference.backends.base import Explainable, Target
from inference.backends.bundle import Bundle, build_network
from inference.backends.bundle_files import INFERENCE, METADATA, SHIPPED, WEIGHTS, read_bundle, write_hashes
from inference.errors import BundleBroken, ModelError
from inference.tasks import TASKS


def test_settings_name_a_folder(bundle):
    settings = build({"kind": "bundle", "path": str(bundle)})
    assert isinstance(settings, Bundle)
    assert settings.identity() == read_bundle(bundle).identity


OLD = "opt/segnode/0.0.9/lib/python3.11/site-packages/inference/bundles"


def test_a_job_of_another_release_or_machine_runs_by_the_shipped_bundle_of_this_one(tmp_path):
    """It names that by the folder of the program that queued it."""
    ours = build({"kind": "bundle", "path": str(SHIPPED / "liver_tumour")})
    theirs = build({"kind": "bundle", "path": str(tmp_path / OLD / "liver_tumour")})
    assert theirs.identity() == ours.identity()


def test_while_the_program_that_queued_it_is_there_a_job_keeps_its_bundle(bundle, tmp_path):
    there = tmp_path / OLD / "liver_tumour"
    shutil.copytree(bundle, there)
    assert build({"kind": "bundle", "path": str(there)}).identity() == read_bundle(bundle).identity


def test_a_folder_of_a_site_is_never_taken_for_a_shipped_one(tmp_path):
    with pytest.raises(BundleBroken):
        build({"kind": "bundle", "path": str(tmp_path / "inference" / "bundles" / "liver_tumour")}).identity()


def test_the_network_has_the_weights_of_the_file(bundle, network):
    built = build_network(read_bundle(bundle))
    for name, value in network.state_dict().items():
        assert torch.allclose(built.state_dict()[name].float(), value.float(), atol=1e-3), name
    assert {weights.dtype for weights in built.parameters()} == {torch.float32}
    assert not built.training


def test_monai_builds_the_same_network(bundle):
    parser = ConfigParser()
    parser.read_config(str(bundle / INFERENCE))
    parser.read_meta(str(bundle / METADATA))
    network = parser.get_parsed_content("network_def")
    network.load_state_dict(torch.load(bundle / WEIGHTS, weights_only=True))
    image = torch.randn(1, 1, 8, 8, 8)
    assert torch.allclose(network.eval()(image), build_network(read_bundle(bundle))(image), atol=1e-4)


def test_the_answer_lies_on_the_source_grid(bundle, ct):
    told = []
    loaded = build({"kind": "bundle", "path": str(bundle)}).load("cpu")
    answer = loaded.segment({"CT": ct}, TASKS["lung_nodule"], lambda done, step: told.append((done, step)))
    assert answer.labels.shape == ct.grid.shape
    assert answer.labels.dtype == np.uint8
    assert set(np.unique(answer.labels)) <= {0, 1}
    assert list(answer.seconds) == ["prepare", "network", "restore"]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert (loaded.device, loaded.judged) == ("cpu", True)


def test_the_same_input_gives_the_same_answer(bundle, ct):
    loaded = build({"kind": "bundle", "path": str(bundle)}).load("cpu")
    first, second = (loaded.segment({"CT": ct}, TASKS["lung_nodule"], lambda *_: None).labels for _ in range(2))
    assert np.array_equal(first, second)


def run(bundle, ct, **more):
    loaded = build({"kind": "bundle", "path": str(bundle), **more}).load("cpu")
    return loaded.segment({"CT": ct}, TASKS["lung_nodule"], lambda *_: None)


def test_openvino_runs_it_and_it_is_the_same_model(bundle, ct):
    found = {engine: run(bundle, ct, engine=engine, precision="fp32") for engine in ("torch", "openvino")}
    assert np.array_equal(found["torch"].labels, found["openvino"].labels)
    assert np.abs(found["torch"].probability - found["openvino"].probability).max() < 2e-3
    settings = build({"kind": "bundle", "path": str(bundle), "engine": "openvino"})
    assert settings.identity() == settings.load("cpu").identity == read_bundle(bundle).identity


def test_one_pass_tells_its_entropy_and_agrees_with_nobody(bundle, ct):
    answer = run(bundle, ct)
    assert answer.agreement is None
    assert answer.uncertainty.shape == ct.grid.shape
    assert answer.uncertainty.dtype == np.float16
    assert 0 < answer.uncertainty.max() <= 1


def test_passes_over_flipped_inputs_are_averaged_on_the_right_voxels(bundle, ct, monkeypatch):
    """What is seen backwards is put back: the network answers with its own input."""
    seen = []

    def answering(network, array, *_):
        seen.append(array.copy())
        return (array - 0.4) * 10

    monkeypatch.setattr("inference.sliding.slide", answering)
    once, often = run(bundle, ct), run(bundle, ct, flips=["x", "z"])
    assert np.array_equal(once.labels, often.labels)
    assert np.abs(once.uncertainty - often.uncertainty).max() < 2e-3
    assert often.agreement == (4, {"nodule": 1.0})
    plain, *turned = seen[1:]
    assert np.array_equal(plain, seen[0])
    assert [np.array_equal(one, np.flip(plain, axes)) for one, axes in zip(turned, [3, 1, (1, 3)], strict=True)] == [
        True] * 3


def test_passes_differ_and_say_so(bundle, ct):
    answer = run(bundle, ct, flips=["y"])
    assert answer.agreement.members == 2
    assert 0 <= answer.agreement.dice["nodule"] <= 1


def test_a_bundle_that_is_run_otherwise_is_another_model(bundle):
    plain, flipped = (build({"kind": "bundle", "path": str(bundle), "flips": axes}) for axes in ([], ["y", "x"]))
    assert plain.identity() == read_bundle(bundle).identity
    assert flipped.identity() == build(flipped.model_dump(mode="json")).load("cpu").identity
    assert len({plain.identity().sha256, flipped.identity().sha256}) == 2
    assert build({"kind": "bundle", "path": str(bundle), "flips": ["x", "y"]}).identity() == flipped.identity()
    with pytest.raises(ModelError, match="flips"):
        build({"kind": "bundle", "path": str(bundle), "flips": ["left"]})


def test_progress_runs_through_every_pass(bundle, ct):
    told = []
    loaded = build({"kind": "bundle", "path": str(bundle), "flips": ["x"]}).load("cpu")
    loaded.segment({"CT": ct}, TASKS["lung_nodule"], lambda done, step: told.append(done))
    assert told == sorted(told)


def test_a_bundle_for_another_task_is_refused(bundle, ct):
    loaded = build({"kind": "bundle", "path": str(bundle)}).load("cpu")
    with pytest.raises(ModelError, match="made for lung_nodule, not for liver_tumour"):
        loaded.segment({"CT": ct}, TASKS["liver_tumour"], lambda *_: None)


@pytest.mark.parametrize("target", ["os.system", "inference.errors.Unfit", "torch.nn.Linear", ""])
def test_a_bundle_names_only_networks_of_this_program(bundle, rewrite, target):
    rewrite(INFERENCE, lambda inference: inference["network_def"].update(_target_=target))
    with pytest.raises(BundleBroken, match="only those of this program"):
        build_network(read_bundle(bundle))


@pytest.mark.parametrize("target", ["inference.networks.next.Net", "inference.networks.planes.over_volumes"])
def test_what_is_no_network_of_this_version_is_answered_by_a_sentence(bundle, rewrite, target):
    rewrite(INFERENCE, lambda inference: inference["network_def"].update(_target_=target))
    with pytest.raises(BundleBroken, match="which this version lacks"):
        build_network(read_bundle(bundle))


def test_weights_that_do_not_fit_are_named(bundle, rewrite):
    rewrite(INFERENCE, lambda inference: inference["network_def"].update(widths=[4, 16]))
    with pytest.raises(BundleBroken, match="cannot be built"):
        build_network(read_bundle(bundle))


class Harm:
    """A pickle that would call a function when it is read."""

    def __reduce__(self):
        return (print, ("harm",))


@pytest.mark.parametrize("write", [lambda path: torch.save(Harm(), path), lambda path: path.write_bytes(b"no weights")])
def test_weights_are_data_and_never_code(bundle, write, capsys):
    write(bundle / WEIGHTS)
    write_hashes(bundle)
    with pytest.raises(BundleBroken, match="cannot be built"):
        build_network(read_bundle(bundle))
    assert "harm" not in capsys.readouterr().out


def test_its_network_can_be_looked_into(bundle, ct):
    loaded = build({"kind": "bundle", "path": str(bundle)}).load("cpu")
    assert isinstance(loaded, Explainable)
    mask = np.zeros(ct.grid.shape, bool)
    mask[8:12, 10:18, 12:20] = True
    told = []
    found = loaded.maps({"CT": ct}, TASKS["lung_nodule"], Target(mask, 1), lambda done, _: told.append(done))
    assert list(found) == ["grad-cam", "attention-gate-1"]
    assert {one.shape for one in found.values()} == {ct.grid.shape}
    assert all(0 <= one.min() <= one.max() <= 1 for one in found.values())
    assert found["attention-gate-1"].any()
    assert told == sorted(told)
    assert list(loaded.maps({"CT": ct}, TASKS["lung_nodule"], None, lambda *_: None)) == ["attention-gate-1"]
    with pytest.raises(ModelError, match="made for lung_nodule"):
        loaded.maps({"CT": ct}, TASKS["liver_tumour"], None, lambda *_: None)
