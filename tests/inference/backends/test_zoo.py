"""Bundles of the Model Zoo run as they came, from memory, and their answers are translated by name."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from turns import Told
from zoo_bundles import ENTRIES, TASKS, zoo_bundle

from inference import tasks
from inference.backends import build
from inference.backends.base import LoadedBackend, Segmented
from inference.backends.pins import hashes_of
from inference.errors import BundleBroken, Exhausted, ModelError
from inference.explain.members import pairwise_dice
from inference.tasks.card import TaskCard
from inference.transforms.geometry import canonical, restore
from inference.volume import Grid, Spacing, Volume, regular_affine

NAMES = sorted(ENTRIES)
IN_FILES = {"lung": {"overrides": {"whether_raw_luna16": False}}}  # its other reader is a library by itself


def card_of(name: str) -> TaskCard:
    return tasks.TASKS[TASKS[name]]


def model(root: Path, name: str, **keys: Any) -> LoadedBackend:
    entry = {"kind": "zoo", "path": root, "sha256": hashes_of(root), "trusted": True, "precision": "fp32"}
    return build({**entry, **ENTRIES[name], **keys}).load("cpu")


def run(loaded: LoadedBackend, name: str, inputs: dict[str, Volume]) -> Segmented:
    return loaded.segment(inputs, card_of(name), lambda *_: None)


def noise(name: str, grid: Grid) -> dict[str, Volume]:
    """Every role of the bundle's task as noise of its own."""
    return {role.name: Volume(np.random.default_rng(seed).normal(200 * (role.units != "HU"), 60, grid.shape)
                              .astype(np.float32), grid, role.units)
            for seed, role in enumerate(card_of(name).roles)}


@pytest.fixture
def grid() -> Grid:
    return Grid((14, 18, 20), regular_affine((-30, -20, 10), np.eye(3)[:, ::-1], Spacing(3.0, 2.0, 2.5)))


@pytest.mark.parametrize("name", NAMES)
def test_memory_and_files_give_the_same_answer(tmp_path, grid, name):
    root = zoo_bundle(tmp_path, name)
    recorded = hashes_of(root)
    answers = [run(model(root, name, mode=mode, **IN_FILES.get(name, {})), name, noise(name, grid)).labels
               for mode in ("memory", "file")]
    assert answers[0].any(), "the miniature finds something"
    assert np.mean(answers[0] == answers[1]) > 0.999  # files keep their place in single precision
    assert hashes_of(root) == recorded, "the folder is as it was"


def test_images_of_a_killed_process_are_gone_when_the_next_loads_a_bundle(tmp_path, grid, monkeypatch):
    root = zoo_bundle(tmp_path, "spleen")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed = multiprocessing.get_context("spawn").Process(target=die_running, args=(root, grid, tmp_path))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert list(tmp_path.glob("**/image_0.nii")), "the model was given files"
    model(root, "spleen", mode="file")
    assert not list(tmp_path.glob("**/image_0.nii"))


def die_running(root: Path, grid: Grid, temporary: Path) -> None:
    """Give a bundle its images as files, and be killed before it has answered."""
    tempfile.tempdir = str(temporary)
    loaded = model(root, "spleen", mode="file")
    loaded.network.register_forward_pre_hook(lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    run(loaded, "spleen", noise("spleen", grid))


@pytest.mark.parametrize("name", NAMES)
def test_it_stays_ready_for_the_next_study(tmp_path, grid, name):
    loaded = model(zoo_bundle(tmp_path, name), name)
    first, other = noise(name, grid), noise(name, Grid((10, 16, 16), grid.affine))
    answers = [run(loaded, name, inputs).labels for inputs in (first, other, first)]
    assert np.array_equal(answers[0], answers[2])
    assert answers[1].shape == (10, 16, 16)


@pytest.mark.parametrize(("kind", "mode"), [("CacheDataset", "memory"), ("monai.data.PersistentDataset", "file")])
def test_a_data_set_that_caches_shows_each_study_its_own_images_and_keeps_none(tmp_path, grid, kind, mode):
    root, kept = zoo_bundle(tmp_path, "spleen"), tmp_path / "kept"
    studies = [noise("spleen", grid), {"CT": Volume(-noise("spleen", grid)["CT"].array, grid, "HU")}]
    plain = [run(loaded, "spleen", study).labels for loaded in [model(root, "spleen")] for study in studies]
    caching = {"_target_": kind, **({"cache_rate": 1.0} if mode == "memory" else {"cache_dir": str(kept)})}
    edit(root / "configs/inference.json", lambda config: config["dataset"].update(caching))
    loaded = model(root, "spleen", mode=mode)
    for study, answer in zip(studies, plain, strict=True):
        assert np.mean(run(loaded, "spleen", study).labels == answer) > 0.999
    assert np.mean(plain[0] == plain[1]) < 0.999, "two studies, two answers"
    assert not kept.exists()


def test_a_workflow_has_one_job_at_a_time(tmp_path, grid):
    """It remembers what it last saw, until that is back on the source grid."""
    told = Told()
    model(zoo_bundle(tmp_path, "spleen"), "spleen").segment(noise("spleen", grid), card_of("spleen"), told.report,
                                                            told.turn)
    assert told.steps == ["turn", "prepare", "network", "back to the source grid", "over"]


@pytest.mark.parametrize("orientation", ["coronal", "sagittal", "doubly oblique"])
@pytest.mark.parametrize("name", ["spleen", "brats"])
def test_the_answer_follows_the_patient_however_the_slices_lie(tmp_path, volume_of, name, orientation):
    """A study in odd order is answered as the same study with its slices put in order beforehand."""
    source = volume_of(orientation, spacing=Spacing(3.0, 2.0, 2.5), shape=(14, 16, 18)).grid
    loaded, odd = model(zoo_bundle(tmp_path, name), name), noise(name, source)
    ordered = run(loaded, name, {role: canonical(one) for role, one in odd.items()}).labels
    answer = run(loaded, name, odd).labels
    assert answer.any()
    assert np.array_equal(restore(ordered, source), answer)


def test_slices_from_head_to_feet_are_the_same_patient(tmp_path, grid):
    affine = grid.affine.copy()
    affine[:3, 3], affine[:3, 0] = grid.to_lps((13, 0, 0)), -affine[:3, 0]
    upright = noise("spleen", grid)["CT"]
    upside_down = Volume(upright.array[::-1].copy(), Grid(grid.shape, affine), "HU")
    loaded = model(zoo_bundle(tmp_path, "spleen"), "spleen")
    answers = [run(loaded, "spleen", {"CT": one}).labels for one in (upright, upside_down)]
    assert np.array_equal(answers[0], answers[1][::-1])


def test_channels_are_found_by_their_names(tmp_path, grid):
    """The same weights with the channels in another order, which the metadata tells: the same answer."""
    one, other = zoo_bundle(tmp_path / "one", "brats"), zoo_bundle(tmp_path / "other", "brats")
    order = [3, 0, 2, 1]  # FLAIR, T1c, T2, T1
    edit(other / "configs/metadata.json", lambda m: m["network_data_format"]["inputs"]["image"].update(
        channel_def=dict(zip("0123", ("FLAIR", "T1c", "T2", "T1"), strict=True))))
    state = torch.load(one / "models/model.pt", weights_only=True)
    (first,) = [key for key, value in state.items() if value.ndim == 5 and value.shape[1] == 4]
    torch.save(state | {first: state[first][:, order]}, other / "models/model.pt")
    answers = [run(model(root, "brats"), "brats", noise("brats", grid)).labels for root in (one, other)]
    assert set(np.unique(answers[0])) == {0, 1, 2, 3}
    assert np.mean(answers[0] == answers[1]) > 0.999


def test_numbers_of_brats_18_become_those_of_the_task(tmp_path, grid):
    """It answers with 1 necrosis, 2 oedema, 4 enhancing tumour; the task has 1, 2, 3."""
    root = zoo_bundle(tmp_path, "brats")
    theirs = {name: run(model(root, "brats", outputs={name: structure}), "brats", noise("brats", grid)).labels
              for name, structure in ENTRIES["brats"]["outputs"].items()}
    assert {name: set(np.unique(labels)) for name, labels in theirs.items()} == {
        "necrosis": {0, 1}, "edema": {0, 2}, "enhancing": {0, 3}}
    with pytest.raises(ModelError, match=r"answered with 4, which none of its names stands for\. It names 1: nec"):
        run(model(root, "brats", labels={"necrosis": 1, "edema": 2, "enhancing": 3}), "brats", noise("brats", grid))


def test_names_of_channels_are_not_taken_for_numbers(tmp_path, grid):
    loaded = model(zoo_bundle(tmp_path, "brats"), "brats", labels={}, outputs={"Whole tumor": "Oedema"})
    with pytest.raises(ModelError, match="say under labels which number of its answer is what"):
        run(loaded, "brats", noise("brats", grid))


def test_a_mask_a_channel_is_read_by_the_channels_names(tmp_path, grid):
    """Without its last step the same bundle answers with nested regions: the smaller lies over the larger."""
    root = zoo_bundle(tmp_path, "brats")
    numbered = run(model(root, "brats"), "brats", noise("brats", grid)).labels
    edit(root / "configs/inference.json", lambda c: c["postprocessing"]["transforms"].pop(3))
    outputs = {"Enhancing tumor": "Enhancing tumour", "Tumor core": "Necrotic core", "Whole tumor": "Oedema"}
    regions = run(model(root, "brats", labels={}, outputs=outputs), "brats", noise("brats", grid)).labels
    assert np.array_equal(regions > 0, numbered > 0)
    assert set(np.unique(regions)) == {0, 1, 2, 3}


def test_it_tells_how_unsure_its_network_is(tmp_path, grid):
    loaded, inputs = model(zoo_bundle(tmp_path, "brats"), "brats"), noise("brats", grid)
    unsure = run(loaded, "brats", inputs).uncertainty
    assert (unsure.dtype, unsure.shape) == (np.float16, grid.shape)
    with loaded.workflow.run(np.stack([volume.array for volume in inputs.values()])[[1, 0, 2, 3]], grid):
        chances = loaded.workflow.logits[0].double().sigmoid().numpy().clip(1e-9, 1 - 1e-9)  # T1c comes first
    bits = -(chances * np.log2(chances) + (1 - chances) * np.log2(1 - chances)).min(axis=0)
    assert np.ptp(bits) > 0.1
    assert np.abs(unsure - bits.transpose(2, 1, 0)).max() < 5e-3


def test_how_unsure_it_is_lies_where_the_patient_does(tmp_path, grid):
    """Also where the bundle works on voxels of another size, in another order."""
    affine = grid.affine.copy()
    affine[:3, 3], affine[:3, 0] = grid.to_lps((13, 0, 0)), -affine[:3, 0]
    upright = noise("spleen", grid)["CT"]
    upside_down = Volume(upright.array[::-1].copy(), Grid(grid.shape, affine), "HU")
    loaded = model(zoo_bundle(tmp_path, "spleen"), "spleen")
    one, other = (run(loaded, "spleen", {"CT": scan}).uncertainty for scan in (upright, upside_down))
    assert 0 <= one.min() < one.max() <= 1
    assert np.abs(one - other[::-1]).max() < 5e-3


def test_it_tells_nothing_of_what_the_bundle_does_not_say(tmp_path, grid):
    root = zoo_bundle(tmp_path, "spleen")
    edit(root / "configs/inference.json", lambda c: c["postprocessing"]["transforms"].pop(0))
    assert run(model(root, "spleen"), "spleen", noise("spleen", grid)).uncertainty is None


def test_flips_tell_how_well_they_agree_and_leave_the_answer(tmp_path, grid):
    root, inputs = zoo_bundle(tmp_path, "spleen"), noise("spleen", grid)
    plain, asked = model(root, "spleen"), model(root, "spleen", flips=["x", "z"])
    alone, answer = run(plain, "spleen", inputs), run(asked, "spleen", inputs)
    assert alone.agreement is None
    assert np.array_equal(alone.labels, answer.labels)
    assert plain.identity == asked.identity
    assert answer.agreement.members == 4
    mirrored = {"CT": Volume(inputs["CT"].array[:, :, ::-1].copy(), grid, "HU")}
    back = run(plain, "spleen", mirrored).labels[:, :, ::-1]
    (name,) = answer.agreement.dice
    two = run(model(root, "spleen", flips=["x"]), "spleen", inputs).agreement
    assert two.dice[name] == pytest.approx(pairwise_dice([alone.labels > 0, back > 0]))
    with pytest.raises(ModelError, match="boxes have none"):
        model(root, "spleen", flips=["x"], boxes={})


class TestDetector:
    @pytest.fixture
    def chest(self, volume_of) -> Callable[[str], tuple[Volume, np.ndarray]]:
        """Lung with a ball of 10 mm in it, and where the ball's centre lies in LPS mm."""

        def make(orientation: str) -> tuple[Volume, np.ndarray]:
            grid = volume_of(orientation, spacing=Spacing(2.0, 1.5, 1.5), shape=(30, 40, 36)).grid
            centre = grid.to_lps((11, 26, 13))
            places = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))
            ball = np.linalg.norm(places - centre, axis=-1) <= 5.0
            return Volume(np.where(ball, 40.0, -850.0).astype(np.float32), grid, "HU"), centre

        return make

    @pytest.mark.parametrize("orientation", ["axial", "coronal", "sagittal", "doubly oblique"])
    def test_its_box_lies_where_the_nodule_is(self, tmp_path, chest, orientation):
        volume, centre = chest(orientation)
        answer = run(model(zoo_bundle(tmp_path, "lung"), "lung"), "lung", {"CT": volume})
        found = np.argwhere(answer.labels == 1)
        assert len(found) > 20
        assert np.linalg.norm(volume.grid.to_lps(found).mean(axis=0) - centre) < 3.0
        assert volume.array[answer.labels == 1].min() > -400, "the mask is nodule and no lung"

    def test_its_score_is_the_findings_confidence(self, tmp_path, chest):
        answer = run(model(zoo_bundle(tmp_path, "lung"), "lung"), "lung", {"CT": chest("axial")[0]})
        assert answer.probability.dtype == np.float16
        assert 0.5 <= answer.probability[answer.labels == 1].min() <= 1.0
        assert not answer.probability[answer.labels == 0].any()

    def test_what_its_numbers_mean_may_be_told_by_its_metadata(self, tmp_path, chest):
        root, volume = zoo_bundle(tmp_path, "lung"), chest("axial")[0]
        edit(root / "configs/metadata.json",
             lambda c: c["network_data_format"]["outputs"]["pred"].update(channel_def={"0": "nodule"}))
        said, told = (run(model(root, "lung", **keys), "lung", {"CT": volume}) for keys in ({}, {"labels": {}}))
        assert told.labels.any()
        assert np.array_equal(said.labels, told.labels)

    def test_boxes_below_the_threshold_are_no_findings(self, tmp_path, chest):
        keys = {"boxes": {"threshold": 0.9999}}
        assert not run(model(zoo_bundle(tmp_path, "lung"), "lung", **keys), "lung", {"CT": chest("axial")[0]}
                       ).labels.any()


def test_steps_that_are_computed_get_files(tmp_path, grid):
    root = zoo_bundle(tmp_path, "spleen")

    def computed(config: dict[str, Any]) -> None:
        config["before"] = config["preprocessing"]["transforms"]
        config["preprocessing"]["transforms"] = "$@before"

    plain = run(model(root, "spleen"), "spleen", noise("spleen", grid)).labels
    edit(root / "configs/inference.json", computed)
    loaded = model(root, "spleen")
    assert not loaded.workflow.in_memory
    assert np.mean(run(loaded, "spleen", noise("spleen", grid)).labels == plain) > 0.999


def test_two_bundles_with_scripts_do_not_mix_them_up(tmp_path, grid):
    """Both call their code `scripts`; each runs its own, also when they take turns."""
    first = zoo_bundle(tmp_path / "first", "lung")
    second = Path(shutil.copytree(first, tmp_path / "second"))
    code = second / "scripts/bright_spots.py"
    code.write_text(code.read_text().replace("score = self.gain", "score = -1000 + 0 * self.gain"))
    one, other = model(first, "lung"), model(second, "lung")
    inputs = noise("lung", grid)
    found = [bool(run(loaded, "lung", inputs).labels.any()) for loaded in (one, other, one)]
    assert found == [True, False, True]


def test_nothing_of_a_study_is_left_behind(tmp_path, grid, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    loaded = model(zoo_bundle(tmp_path, "spleen"), "spleen", mode="file")
    run(loaded, "spleen", noise("spleen", grid))
    assert [path.name for path in (tmp_path / "scratch").rglob("*") if path.is_file()] == ["lock"]


def test_code_that_nobody_trusts_is_not_run(tmp_path):
    root = zoo_bundle(tmp_path, "lung")
    (root / "scripts/__init__.py").write_text("raise SystemExit('it ran')\n")
    with pytest.raises(BundleBroken, match=r"is not trusted\. Running it runs code of its maker"):
        model(root, "lung", trusted=False)


@pytest.mark.parametrize("name", ["scripts/box_writer.py", "models/model.pt", "configs/inference.json"])
def test_a_changed_file_is_refused(tmp_path, name):
    root = zoo_bundle(tmp_path, "lung")
    recorded = hashes_of(root)
    with (root / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(BundleBroken, match=f"{name} of model lung_bundle was changed: .* `segnode models pin`"):
        model(root, "lung", sha256=recorded)


def test_a_fault_inside_a_bundle_is_told_by_its_cause(tmp_path, grid):
    root = zoo_bundle(tmp_path, "spleen")
    edit(root / "configs/inference.json", lambda c: c["network_def"].update(out_channels=3))
    with pytest.raises(ModelError, match=r"(?s)Bundle spleen_bundle failed: RuntimeError: .*size mismatch"):
        model(root, "spleen")


def test_memory_that_does_not_suffice_is_told(tmp_path, grid, monkeypatch):
    """Also through the layers that MONAI wraps around what the network raises."""
    loaded = model(zoo_bundle(tmp_path, "spleen"), "spleen")

    def too_large(*_: object) -> None:
        raise torch.OutOfMemoryError("the device is full")

    monkeypatch.setattr(loaded.network, "forward", too_large)
    with pytest.raises(Exhausted, match=r"memory does not suffice for bundle spleen_bundle; .* smaller by overrides"):
        run(loaded, "spleen", noise("spleen", grid))


def test_an_answer_that_is_no_number_is_not_taken_for_nothing_found(tmp_path, grid, monkeypatch):
    loaded = model(zoo_bundle(tmp_path, "spleen"), "spleen")
    forward = loaded.network.forward
    monkeypatch.setattr(loaded.network, "forward", lambda *seen: forward(*seen) * torch.nan)
    with pytest.raises(ModelError, match="NaN"):
        run(loaded, "spleen", noise("spleen", grid))


def test_missing_libraries_are_named(tmp_path, monkeypatch):
    root = zoo_bundle(tmp_path, "lung")
    (root / "scripts/box_writer.py").write_text("import a_library_of_theirs\n")
    with pytest.raises(ModelError, match=r"needs a library that is not installed: .*a_library_of_theirs"):
        model(root, "lung")
    monkeypatch.setattr("inference.backends.zoo_workflow.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install 'segnode\[zoo\]'"):
        model(root, "lung")


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
