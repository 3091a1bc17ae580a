"""An nnU-Net folder answers as nnU-Net's own predictor does, wherever the patient lies and whoever trained it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from nnunet_folders import BRATS_REGIONS, BY_TORCH, model, nnunet_folder
from nnunetv2.imageio.reader_writer_registry import recursive_find_reader_writer_by_name
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from scipy import ndimage
from turns import Told

from inference.answer import LEAST
from inference.backends import LoadedBackend
from inference.backends.base import Segmented
from inference.backends.nnunet_folder import read_folder
from inference.errors import BundleBroken, Exhausted, ModelError
from inference.explain.members import pairwise_dice
from inference.tasks import TASKS
from inference.transforms.geometry import canonical, restore
from inference.volume import Grid, Spacing, Volume, regular_affine

GLIOMA = {"whole tumor": "Oedema", "tumor core": "Necrotic core", "enhancing tumor": "Enhancing tumour"}
SPACING = Spacing(3.0, 2.0, 2.0)


def segment(loaded: LoadedBackend, inputs: dict[str, Volume], task: str = "liver_tumour") -> Segmented:
    return loaded.segment(inputs, TASKS[task], lambda *_: None)


@pytest.fixture
def plain() -> Volume:
    """Noise that lies as SimpleITK has most images: every voxel index grows to the left, to the back, to the head."""
    grid = Grid((18, 20, 24), regular_affine((-5, 3, 40), np.eye(3)[:, ::-1], SPACING))
    return Volume(np.random.default_rng(0).normal(0, 150, grid.shape).astype(np.float32), grid, "HU")


def by_nnunet(folder: Path, array: np.ndarray, spacing: Spacing, folds: tuple[int, ...] = (0,),
              mirror_axes: tuple[int, ...] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of nnU-Net's predictor, set up by nnU-Net alone; array (channel, z, y, x)."""
    files = read_folder(folder)
    plans = PlansManager(files.plans)
    configuration = plans.get_configuration("3d_fullres")
    weights = [torch.load(folder / f"fold_{fold}" / "checkpoint_final.pth", weights_only=False)["network_weights"]
               for fold in folds]
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    heads = plans.get_label_manager(files.dataset).num_segmentation_heads
    network = nnUNetTrainer.build_network_architecture(plans, configuration, len(array), heads, False)
    predictor = nnUNetPredictor(device=torch.device("cpu"), use_mirroring=mirror_axes is not None, allow_tqdm=False)
    predictor.manual_initialization(network, plans, configuration, weights, files.dataset, "", mirror_axes)
    return predictor.predict_single_npy_array(array.copy(), {"spacing": list(spacing)}, None, None, True)


@pytest.mark.parametrize(("made", "keys", "own"), [
    ({}, {}, {}),
    ({"spacing": (2.5, 2.5, 2.4)}, {}, {}),
    ({"folds": (0, 1), "mirror_axes": (0,)}, {"mirror": True}, {"folds": (0, 1), "mirror_axes": (0,)}),
    ({"folds": (0, 1)}, {"folds": [1]}, {"folds": (1,)}),
    ({"transpose": (2, 0, 1), "spacing": (2.4, 2.5, 2.5)}, {}, {}),
    ({"spacing": (8.0, 2.5, 2.4)}, {}, {}),
    ({"spacing": (8.0, 2.5, 2.4), "of_logits": BY_TORCH}, {}, {}),
    ({"transpose": (1, 2, 0), "spacing": (2.5, 2.4, 8.0), "of_logits": BY_TORCH}, {}, {}),
], ids=["as it is", "resampled", "folds and flips", "one fold", "axes in another order", "thick slices",
        "thick slices by torch", "and in another order"])
def test_it_answers_as_nnunets_own_predictor(tmp_path, plain, made, keys, own):
    folder = nnunet_folder(tmp_path, **made)
    answer = segment(model(folder, **keys), {"CT": plain})
    labels, chances = by_nnunet(folder, plain.array[None], SPACING, **own)
    assert len(np.unique(labels)) > 1, "the toy decides something"
    assert np.mean(labels == answer.labels) > 0.999  # ties aside
    same = labels == answer.labels
    of_label = np.take_along_axis(chances, labels[None].astype(int), 0)[0]
    assert np.abs(np.where(labels > 0, of_label, 0) - answer.probability)[same].max() < 2e-3


def test_folds_tell_how_well_they_agree(tmp_path, plain):
    folder = nnunet_folder(tmp_path, folds=(0, 1, 2))
    alone = [segment(model(folder, folds=[fold]), {"CT": plain}) for fold in range(3)]
    assert [one.agreement for one in alone] == [None] * 3
    agreement = segment(model(folder), {"CT": plain}).agreement
    assert agreement.members == 3
    for name, label in (("liver", 1), ("tumor", 2)):
        assert agreement.dice[name] == pytest.approx(pairwise_dice(one.labels == label for one in alone), abs=0.01)


def test_flips_of_one_fold_tell_how_well_they_agree(tmp_path, plain):
    folder = nnunet_folder(tmp_path, folds=(0, 1), mirror_axes=(0, 2))
    answer = segment(model(folder, folds=[0], mirror=True), {"CT": plain})
    assert (answer.agreement.members, set(answer.agreement.dice)) == (4, {"liver", "tumor"})
    assert 0 < answer.agreement.dice["liver"] < 1
    labels, chances = by_nnunet(folder, plain.array[None], SPACING, mirror_axes=(0, 2))
    assert np.mean(labels == answer.labels) > 0.999, "the mean is nnU-Net's"
    of_label = np.where(labels > 0, np.take_along_axis(chances, labels[None].astype(int), 0)[0], 0)
    off = np.abs(of_label - answer.probability)[labels == answer.labels]
    assert np.quantile(off, 0.99) < 2e-3, "the rest is half precision, in which it sums windows"
    assert segment(model(folder, mirror=True), {"CT": plain}).agreement.members == 2, "folds, each with its flips"


def test_what_is_left_out_has_no_part_in_the_agreement(tmp_path):
    folder = nnunet_folder(tmp_path, channels=("T1", "T1ce", "T2", "FLAIR"), labels=BRATS_REGIONS, folds=(0, 1))
    grid = Grid((16, 16, 16), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], SPACING))
    noise = {role.name: Volume(np.random.default_rng(n).uniform(1, 9, grid.shape).astype(np.float32), grid)
             for n, role in enumerate(TASKS["brain_tumour"].roles)}
    for outputs in (GLIOMA, {"tumor core": "Necrotic core"}):
        loaded = model(folder, outputs=outputs, register_roles=False)
        assert set(segment(loaded, noise, "brain_tumour").agreement.dice) == set(outputs)


def test_it_tells_how_unsure_it_is(tmp_path, plain):
    folder = nnunet_folder(tmp_path)
    unsure = segment(model(folder), {"CT": plain}).uncertainty
    _, chances = by_nnunet(folder, plain.array[None], SPACING)
    theirs = -(chances * np.log(chances)).sum(axis=0) / np.log(len(chances))
    assert (unsure.dtype, unsure.shape) == (np.float16, plain.grid.shape)
    assert 0 <= unsure.min() < unsure.max() <= 1
    told = theirs > LEAST
    assert np.abs(unsure - theirs)[told].max() < 3e-3


def test_how_unsure_it_is_comes_back_where_it_looked(tmp_path, plain):
    """Through resampling, cropping and axes in another order."""
    shown = np.zeros_like(plain.array)
    shown[4:14, 3:18, 5:20] = plain.array[4:14, 3:18, 5:20] + 300
    volume = plain.with_array(shown)
    straight = segment(model(nnunet_folder(tmp_path / "one")), {"CT": volume}).uncertainty
    turned = segment(model(nnunet_folder(tmp_path / "other", transpose=(2, 0, 1), spacing=(2, 2, 3))), {"CT": volume})
    assert turned.uncertainty.shape == straight.shape == volume.grid.shape
    inside = shown != 0
    assert not turned.uncertainty[~np.asarray(ndimage.binary_dilation(inside, iterations=2))].any()


def test_air_around_a_head_is_cropped_and_put_back(tmp_path):
    folder = nnunet_folder(tmp_path, channels=("T1", "T1ce", "T2", "FLAIR"), labels=BRATS_REGIONS)
    shape = (20, 22, 24)
    grid = Grid(shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], SPACING))
    signals = np.zeros((4, *shape), dtype=np.float32)
    signals[:, 3:19, 2:20, 4:22] = np.random.default_rng(1).uniform(10, 400, (4, 16, 18, 18))
    roles = dict(zip(("T1", "T1ce", "T2", "FLAIR"), (Volume(one, grid) for one in signals), strict=True))
    labels = segment(model(folder, outputs=GLIOMA, register_roles=False), roles, "brain_tumour").labels
    assert labels[3:19, 2:20, 4:22].any()
    assert np.count_nonzero(labels) == np.count_nonzero(labels[3:19, 2:20, 4:22])
    theirs, _ = by_nnunet(folder, signals, SPACING)
    # Its regions leave 1 oedema, 2 necrosis, 3 enhancement; ours are 2, 1, 3.
    assert np.mean(np.array([0, 2, 1, 3])[theirs] == labels) > 0.999


@pytest.mark.parametrize("orientation", ["axial", "coronal", "sagittal", "doubly oblique"])
def test_the_answer_follows_the_patient_however_the_slices_lie(tmp_path, volume_of, orientation):
    """The network sees the same voxels in the order nearest to LPS, and its answer comes back onto the source.

    Slices are so thick that nnU-Net takes the nearest of its logits along them.
    """
    folder = nnunet_folder(tmp_path, spacing=(3.0, 0.7, 1.1))
    source = volume_of(orientation, shape=(17, 18, 20))
    source = source.with_array(np.random.default_rng(2).normal(0, 150, source.grid.shape).astype(np.float32))
    shown = canonical(source)
    theirs, _ = by_nnunet(folder, np.asarray(shown.array)[None], shown.grid.spacing)
    answer = segment(model(folder), {"CT": source})
    assert np.mean(restore(theirs, source.grid) == answer.labels) > 0.999


def test_slices_from_head_to_feet_are_the_same_patient(tmp_path, plain):
    affine = plain.grid.affine.copy()
    affine[:3, 3] = plain.grid.to_lps((17, 0, 0))
    affine[:3, 0] *= -1
    upside_down = Volume(plain.array[::-1].copy(), Grid(plain.grid.shape, affine), "HU")
    loaded = model(nnunet_folder(tmp_path))
    assert np.array_equal(segment(loaded, {"CT": plain}).labels, segment(loaded, {"CT": upside_down}).labels[::-1])


@pytest.mark.parametrize(("reader", "keys", "backwards"), [
    ("NibabelIOWithReorient", {}, (1, 2)),
    ("SimpleITKIOWithReorient", {}, (1, 2)),
    ("SimpleITKIO", {}, ()),
    ("SimpleITKIO", {"orientation": "RAS"}, (1, 2)),
    ("SimpleITKIO", {"orientation": "LAS"}, (1,)),
    ("NibabelIOWithReorient", {"orientation": "RPI"}, (0, 2)),
])
def test_images_are_shown_as_they_lay_in_training(tmp_path, plain, reader, keys, backwards):
    """Which the reader tells, or models.yaml; also where nnU-Net crops more on one side than on the other."""
    shown = np.zeros_like(plain.array)
    shown[1:16, 4:18, 2:17] = plain.array[1:16, 4:18, 2:17]
    folder = nnunet_folder(tmp_path, reader=reader)
    theirs, _ = by_nnunet(folder, np.flip(shown, backwards)[None], SPACING)
    ours = segment(model(folder, **keys), {"CT": plain.with_array(shown)}).labels
    assert np.mean(np.flip(theirs, backwards) == ours) > 0.999


@pytest.mark.parametrize("reader", ["NibabelIOWithReorient", "SimpleITKIOWithReorient"])
def test_readers_that_turn_images_turn_them_to_ras(tmp_path, plain, reader):
    sitk.WriteImage(sitk.GetImageFromArray(plain.array), tmp_path / "lps.nii")
    array, _ = recursive_find_reader_writer_by_name(reader)().read_images([str(tmp_path / "lps.nii")])
    assert np.array_equal(array[0], plain.array[:, ::-1, ::-1])


def test_channels_are_found_by_their_names(tmp_path):
    """A model with its channels in another order, and the same weights, sees the same."""
    rng = np.random.default_rng(3)
    grid = Grid((16, 16, 16), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], SPACING))
    roles = {name: Volume(rng.uniform(1, 9, grid.shape).astype(np.float32), grid) for name in ("T1", "T1ce", "T2",
                                                                                                 "FLAIR")}
    one = nnunet_folder(tmp_path / "one", channels=("T1", "T1ce", "T2", "FLAIR"), labels=BRATS_REGIONS)
    other = nnunet_folder(tmp_path / "other", channels=("t1c", "t1n", "t2f", "t2w"), labels=BRATS_REGIONS)
    order = [1, 0, 3, 2]
    checkpoint = other / "fold_0" / "checkpoint_final.pth"
    content = torch.load(one / "fold_0" / "checkpoint_final.pth", weights_only=False)
    first = next(iter(name for name in content["network_weights"] if "stages.0" in name and "conv.weight" in name))
    for name, value in content["network_weights"].items():
        if value.shape == content["network_weights"][first].shape:
            content["network_weights"][name] = value[:, order]
    torch.save(content, checkpoint)
    inputs = {"t1c": "T1ce", "t1n": "T1", "t2w": "T2", "t2f": "FLAIR"}
    answers = [segment(model(folder, outputs=GLIOMA, register_roles=False, **keys), roles, "brain_tumour").labels
               for folder, keys in ((one, {}), (other, {"inputs": inputs}))]
    assert answers[0].any()
    assert np.mean(answers[0] == answers[1]) > 0.999


def test_channels_of_one_name_are_told_apart_by_their_numbers(tmp_path):
    """nnU-Net takes a channel's name for its normalisation, so that several may be called zscore."""
    folder = nnunet_folder(tmp_path, channels=("zscore", "T1", "zscore", "zscore"), labels=BRATS_REGIONS)
    inputs = {"zscore 0": "T2", "T1": "T1", "zscore 2": "FLAIR", "zscore 3": "T1ce"}
    settings = model(folder, outputs=GLIOMA, inputs=inputs).settings
    channels = settings.describe().channels
    assert settings.names.roles(channels, TASKS["brain_tumour"]) == ("T2", "T1", "FLAIR", "T1ce")
    with pytest.raises(BundleBroken, match=r"has no input 'zscore'\. It has: zscore 0, T1, zscore 2, zscore 3"):
        model(folder, outputs=GLIOMA, inputs={"zscore": "T2", "T1": "T1"})


def test_a_trainer_that_nobody_here_has_is_no_obstacle(tmp_path, plain):
    folder = nnunet_folder(tmp_path, trainer="nnUNetTrainer_Of_Another_House", mirror_axes=None)
    assert segment(model(folder, mirror=True), {"CT": plain}).labels.any()


@pytest.mark.parametrize("residual", [False, True])
def test_plans_of_earlier_versions_give_the_same_network(tmp_path, plain, residual):
    """nnU-Net itself brings them up to date; the module that it then names for residual networks is no more."""
    new, old = (nnunet_folder(tmp_path / name, residual=residual, old_plans=name == "old") for name in ("new", "old"))
    assert np.array_equal(*(segment(model(folder), {"CT": plain}).labels for folder in (new, old)))


def test_what_the_task_has_no_place_for_is_left_out(tmp_path, plain):
    folder = nnunet_folder(tmp_path)
    whole = segment(model(folder), {"CT": plain}).labels
    lesions = segment(model(folder, outputs={"tumor": "Liver tumour"}), {"CT": plain})
    assert np.array_equal(lesions.labels, np.where(whole == 2, 2, 0))
    assert not lesions.probability[lesions.labels == 0].any()


def test_it_tells_how_far_it_is(tmp_path, plain):
    told = []
    model(nnunet_folder(tmp_path)).segment({"CT": plain}, TASKS["liver_tumour"], lambda *now: told.append(now))
    assert told[0] == (0.0, "prepare")
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert (0.95, "network") in told


def test_only_the_network_needs_the_device(tmp_path, plain):
    told = Told()
    model(nnunet_folder(tmp_path)).segment({"CT": plain}, TASKS["liver_tumour"], told.report, told.turn)
    assert told.steps == ["prepare", "turn", "network", "over", "back to the source grid"]


def test_what_does_not_fit_the_device_runs_on_the_cpu(tmp_path, plain, monkeypatch):
    loaded = model(nnunet_folder(tmp_path))
    whole, asked = segment(loaded, {"CT": plain}).labels, []
    by_predictor = loaded.predictor.predict_logits_from_preprocessed_data

    def small_device(data):
        asked.append(str(loaded.predictor.device))
        if len(asked) == 1:
            raise torch.OutOfMemoryError("the device is full")
        return by_predictor(data)

    monkeypatch.setattr(loaded.predictor, "predict_logits_from_preprocessed_data", small_device)
    monkeypatch.setattr(loaded.predictor, "device", torch.device("meta"))
    assert np.array_equal(segment(loaded, {"CT": plain}).labels, whole)
    assert asked == ["meta", "cpu"]
    assert loaded.predictor.device.type == "meta", "the next study tries the device again"


def test_memory_that_nowhere_suffices_is_told(tmp_path, plain, monkeypatch):
    loaded = model(nnunet_folder(tmp_path))

    def too_small(data):
        raise MemoryError

    monkeypatch.setattr(loaded.predictor, "predict_logits_from_preprocessed_data", too_small)
    with pytest.raises(Exhausted, match="not even on the CPU"):
        segment(loaded, {"CT": plain})


def test_an_answer_that_is_no_number_is_not_taken_for_nothing_found(tmp_path, plain):
    loaded = model(nnunet_folder(tmp_path))
    with loaded.network.register_forward_hook(lambda _module, _seen, answer: answer * torch.nan), \
            pytest.raises(ModelError, match="NaN"):
        segment(loaded, {"CT": plain})
