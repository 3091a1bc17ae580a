"""What a model looked at: asked about the finding that the result shows, written where the images lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from looked_into import FINDINGS, looked_into, tiny_bundle
from PIL import Image
from reviewing import FOUND, JOB, OBLIQUE, Scene

from dicom_node.acts.explaining import LIMITS, Asked, Unexplained, ask, write
from dicom_node.assembly import Parts
from dicom_node.objects.profile import Profile
from inference.explain.explain import explain
from inference.explain.explanation import Explanation
from inference.readers import nifti
from storage.errors import NotFound
from storage.lifecycle import JobState


@pytest.fixture
def scene(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return looked_into(parts, tmp_path, monkeypatch)


@pytest.fixture
def asked(parts: Parts, scene: Scene, tmp_path: Path) -> Iterator[Callable[..., Asked]]:
    with ExitStack() as files:
        yield lambda **more: files.enter_context(ask(parts, scene.study, tmp_path, **more))


def answered(parts: Parts, one: Asked) -> Explanation:
    return explain(one.request, tiny_bundle(one.request.scratch / "tiny").load("cpu"), lambda *_: None)


def test_without_a_number_the_largest_lesion_is_meant(asked: Callable[..., Asked]) -> None:
    one = asked()
    assert one.finding is not None
    assert (one.finding.number, one.finding.name, one.request.label) == (4, FINDINGS[3]["label"], 2)


def test_the_mask_is_the_findings(asked: Callable[..., Asked]) -> None:
    masks = []
    for number in (1, 2, 3, 4):
        one = asked(number=number)
        assert one.request.mask is not None
        masks.append(np.load(one.request.mask) > 0)
        assert one.request.label == (1 if number == 1 else 2)
    assert np.array_equal(masks[0], FOUND == 1)
    assert np.array_equal(np.any(masks[1:], axis=0), FOUND == 2)
    assert not any((a & b).any() for n, a in enumerate(masks) for b in masks[n + 1:])


def test_the_request_is_the_jobs(asked: Callable[..., Asked], scene: Scene) -> None:
    request = asked().request
    assert (request.job_id, request.task) == (JOB, "liver_tumour")
    assert [len(files.paths) for files in request.inputs.values()] == [len(scene.paths["CT"])]
    assert request.model["kind"] == "bundle"


@pytest.mark.parametrize("profile", [{"seg_per": "segment"}, {"seg": "labelmap"}, {"seg": "occupancy"}])
def test_whatever_the_form_of_the_segmentation(
    profile: dict[str, str], parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reviewing.STANDARD", Profile.model_validate(profile))
    monkeypatch.setattr(Scene, "profile", Profile.model_validate(profile))
    scene = looked_into(parts, tmp_path, monkeypatch)
    with ask(parts, scene.study, tmp_path, number=1) as one:
        assert one.request.mask is not None
    assert np.array_equal(np.load(one.request.mask) > 0, FOUND == 1)


def test_files_lie_on_the_source_voxels_and_name_nobody(
    parts: Parts, asked: Callable[..., Asked], tmp_path: Path
) -> None:
    one = asked(number=2)
    explanation = answered(parts, one)
    written = write(one, explanation, tmp_path / "out")
    assert sorted(tmp_path.joinpath("out").iterdir()) == sorted(written)
    names = {path.name for path in written}
    assert {"about.txt", "grad-cam-finding-2.nii.gz", "attention-gate-1.nii.gz"} <= names
    assert {name.rsplit("-slice-", 1)[0] for name in names if name.endswith(".png")} == {
        "grad-cam-finding-2", "attention-gate-1"}
    back = nifti.read(tmp_path / "out" / "attention-gate-1.nii.gz")
    assert back.grid.matches(OBLIQUE, 1e-2)
    assert np.allclose(back.array, np.load(explanation.maps["attention-gate-1"]), atol=1e-6)
    for path in written:
        assert not [word for word in ("Phantom", "PHANTOM", "2.25.") if word in path.name]
        assert not [word for word in (b"Phantom^", b"PHANTOM-0", b"A0001", b"2.25.") if word in path.read_bytes()]
        if path.suffix == ".png":
            assert Image.open(path).mode == "RGB"
    text = (tmp_path / "out" / "about.txt").read_text()
    assert text.endswith(LIMITS)
    assert all(word in text for word in ("finding 2, Liver tumour 1", one.job.job_id, "demonstration"))


def test_a_result_without_findings_has_gates_alone(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = looked_into(parts, tmp_path, monkeypatch, summary={"findings": []})
    with ask(parts, scene.study, tmp_path) as one:
        assert (one.finding, one.request.mask) == (None, None)
        names = [path.name for path in write(one, answered(parts, one), tmp_path / "out")]
    assert not any("grad-cam" in name for name in names)
    assert "attention-gate-1.nii.gz" in names
    assert "no finding" in (tmp_path / "out" / "about.txt").read_text()


class TestWhatCannotBeExplained:
    def test_a_number_that_is_none_is_answered_with_those_there_are(self, asked: Callable[..., Asked]) -> None:
        with pytest.raises(Unexplained, match="no finding 9; it has 1 Liver, 2 Liver tumour 1"):
            asked(number=9)

    def test_a_study_that_is_not_here(self, parts: Parts, tmp_path: Path) -> None:
        with pytest.raises(NotFound), ask(parts, "1.2.3.4", tmp_path):
            pass

    def test_a_task_without_a_result(self, asked: Callable[..., Asked]) -> None:
        with pytest.raises(Unexplained, match="no result of lung_nodule"):
            asked(task="lung_nodule")

    def test_a_job_that_is_not_done(self, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        scene = looked_into(parts, tmp_path, monkeypatch, state=JobState.FAILED)
        with pytest.raises(Unexplained, match="has no result"), ask(parts, scene.study, tmp_path):
            pass

    def test_several_tasks_have_to_be_told_apart(self, asked: Callable[..., Asked], scene: Scene) -> None:
        scene.finish(FOUND, job="c" * 64, task="lung_nodule")
        with pytest.raises(Unexplained, match="results of liver_tumour, lung_nodule: name one with --task"):
            asked()
        assert asked(task="liver_tumour").job.job_id == JOB

    def test_a_model_that_was_changed_since(self, asked: Callable[..., Asked], tmp_path: Path) -> None:
        bundle = tmp_path / "tiny"
        (bundle / "LICENSE").write_text("other")
        from inference.backends.bundle_files import write_hashes

        write_hashes(bundle)
        with pytest.raises(Unexplained, match="tiny was changed since it made this result"):
            asked()

    def test_images_that_retention_took(self, parts: Parts, asked: Callable[..., Asked], scene: Scene) -> None:
        with parts.database.transaction() as tx:
            tx.removals.remove(scene.study, 400.0)
        with pytest.raises((NotFound, Unexplained)):
            asked()
