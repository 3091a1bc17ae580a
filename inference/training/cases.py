"""Training cases: prepared once, kept as float16 on disk and read from there patch by patch; and phantoms as such."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import inference
from inference.errors import DataError, Unfit
from inference.phantom import make_case
from inference.prepare import Prepared, prepare
from inference.recipe import Recipe

Window = tuple[int, int, int]

PLACES_PER_LABEL = 4000
ABANDONED_S = 3600.0  # after which a case that was begun is taken for left behind
REGISTRATION_SLACK_MM = 0.7  # what registration of phantoms leaves, along each axis
_ARRAYS = ("image", "labels", "foreground")
_IRRELEVANT = "irrelevant.npy"
_DRAWN_BY = ("phantom", "transforms", "writers/acquisition.py", "prepare.py", "roi.py")


@dataclass(frozen=True, eq=False)
class Case:
    """A prepared case: image float16 (channel, z, y, x), labels uint8 (z, y, x), places to look at by label.

    Arrays lie on disk until they are looked at: a data set need not fit into memory.
    `places[0]` are indices (n, 3) of the region's voxels of any label, `places[label]` those of a label. `irrelevant`
    (n, 4) are findings that are neither right nor wrong: the middle as an index (z, y, x), and the diameter in mm.
    """

    seed: int
    image: NDArray[np.float16]
    labels: NDArray[np.uint8]
    foreground: NDArray[np.bool_]
    places: dict[int, NDArray[np.int16]]
    irrelevant: NDArray[np.float64] = field(default_factory=partial(np.zeros, (0, 4)))


def draw_cases(name: str, recipe: Recipe, seeds: Sequence[int], cache: Path, *, workers: int = 2,
               progress: Callable[[int], None] = lambda _: None) -> list[Case]:
    """Cases of these seeds in order, drawn by `workers` processes (1: this one) where the cache does not have them."""
    cache.mkdir(parents=True, exist_ok=True)
    paths = [cache / f"{name}-{seed}-{fingerprint(name, recipe)}" for seed in seeds]
    missing = [(seed, path) for seed, path in zip(seeds, paths, strict=True) if not path.exists()]
    drawn = _drawn(partial(_draw, name, recipe), missing, workers)
    for done, _ in enumerate(drawn, start=len(seeds) - len(missing) + 1):
        progress(done)
    return [load_case(path, seed) for seed, path in zip(seeds, paths, strict=True)]


def save_case(path: Path, prepared: Prepared, labels: NDArray[np.uint8], seed: int, channels: Sequence[str],
              irrelevant: NDArray[np.float64] | None = None) -> None:
    """Keep a prepared case and its labels (z, y, x) on the working grid in the folder `path`: all of it, or nothing.

    `seed` chooses the places to look at, where there are more than are kept. Unfit where half precision does not hold
    a voxel; `channels` are what its sentence calls each of them. DataError where the disk has no room for it.
    """
    stored: tuple[NDArray[Any], ...] = (_halved(prepared.array, channels), labels, prepared.foreground)
    arrays = dict(zip(_ARRAYS, stored, strict=True))
    places = _places(labels, prepared.foreground, seed)
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    _clear(path)
    beside.mkdir()
    try:
        for name, array in arrays.items():
            np.save(beside / f"{name}.npy", array)
        if irrelevant is not None:
            np.save(beside / _IRRELEVANT, irrelevant)
        np.savez(beside / "places.npz", **{str(label): at for label, at in places.items()})  # type: ignore[arg-type]
    except OSError as fault:  # numpy's names neither the file nor the cause
        shutil.rmtree(beside, ignore_errors=True)
        size = sum(array.nbytes for array in arrays.values()) / 1e6
        raise DataError(f"{path.parent} holds no further prepared case, which takes {size:.1f} MB "
                        f"({fault.strerror or 'its disk is full'}): name a --cache with more room.") from fault
    try:
        beside.rename(path)
    except OSError:
        if not path.exists():
            raise
        shutil.rmtree(beside)  # another process was first, with the same case


def _halved(array: NDArray[np.float32], channels: Sequence[str]) -> NDArray[np.float16]:
    """Channels (channel, z, y, x) in half precision; Unfit for one with a voxel that would be infinite, or is."""
    with np.errstate(over="ignore"):
        halved = array.astype(np.float16)
    for name, kept, exact in zip(channels, halved, array, strict=True):
        if not np.isfinite(kept).all():
            raise Unfit(f"channel {name}, as the recipe prepares it, reaches {np.abs(exact).max():g}; training cases "
                        f"are kept in half precision, which ends at {np.finfo(np.float16).max:.0f}: give the channel "
                        "scale zscore or window instead of none.")
    return halved


def _clear(path: Path) -> None:
    """Take away what processes that died had begun to keep in place of this case; a living one is given its time."""
    for left in path.parent.glob(f".{path.name}-*"):
        if left.name.endswith(f"-{os.getpid()}") or time.time() - left.stat().st_mtime > ABANDONED_S:
            shutil.rmtree(left, ignore_errors=True)


def load_case(path: Path, seed: int) -> Case:
    """A case from its folder; `seed` is its name among the others."""
    image, labels, foreground = (_on_disk(path / f"{name}.npy") for name in _ARRAYS)
    with np.load(path / "places.npz") as kept:
        case = Case(seed, image, labels, foreground, {int(label): kept[label] for label in kept})
    listed = path / _IRRELEVANT  # phantoms have none
    return replace(case, irrelevant=np.load(listed)) if listed.exists() else case


def _on_disk(path: Path) -> NDArray[Any]:
    """The array of a .npy file, read where it is looked at.

    numpy's own map keeps its file open, three a case, and a process may often have no more than 1024; torch's does not.
    """
    import torch

    kept = np.load(path, mmap_mode="r")
    content = torch.from_file(str(path), shared=False, size=path.stat().st_size, dtype=torch.uint8).numpy()
    content.flags.writeable = False
    return np.ndarray(kept.shape, kept.dtype, content, kept.offset, kept.strides)


def cut(case: Case, centre: NDArray[np.integer], size: Window) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The patch of `size` around a voxel, inside the case where that is large enough, else with zeros beside it."""
    shape = np.array(case.labels.shape)
    start = np.clip(centre - np.array(size) // 2, np.minimum(0, shape - size), np.maximum(0, shape - size))
    image = np.zeros((case.image.shape[0], *size), dtype=np.float32)
    labels = np.zeros(size, dtype=np.uint8)
    low, high = np.maximum(start, 0), np.minimum(start + size, shape)
    source = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    target = tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))
    image[(slice(None), *target)] = case.image[(slice(None), *source)]
    labels[target] = case.labels[source]
    return image, labels


def choose_place(case: Case, lesion_share: float, rng: np.random.Generator) -> NDArray[np.int16]:
    """A voxel to cut around: of a label drawn evenly in `lesion_share` of the draws, else anywhere in the region."""
    found = [label for label in case.places if label]
    label = int(rng.choice(found)) if found and rng.random() < lesion_share else 0
    places = case.places[label]
    return places[rng.integers(len(places))]


def _drawn(draw: Callable[[tuple[int, Path]], None], missing: list[tuple[int, Path]], workers: int) -> Iterator[None]:
    if workers < 2 or len(missing) < 2:
        yield from map(draw, missing)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, len(missing)), initializer=_one_thread) as pool:
        yield from pool.imap_unordered(draw, missing)


def _draw(name: str, recipe: Recipe, wanted: tuple[int, Path]) -> None:
    seed, path = wanted
    phantom = make_case(name, seed)
    # A phantom knows how its patient moved: as good as registering, and seconds faster.
    prepared = prepare(phantom.aligned(REGISTRATION_SLACK_MM), recipe.model_copy(update={"register_roles": False}))
    save_case(path, prepared, prepared.labels(phantom.truth), seed, [channel.role for channel in recipe.channels])


def _places(labels: NDArray[np.uint8], foreground: NDArray[np.bool_], seed: int) -> dict[int, NDArray[np.int16]]:
    rng = np.random.default_rng(seed)
    places = {0: np.flatnonzero(foreground)}
    places |= {int(label): np.flatnonzero(labels == label) for label in np.unique(labels) if label}
    return {label: _sample(flat, labels.shape, rng) for label, flat in places.items() if flat.size}


def _sample(flat: NDArray[np.intp], shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int16]:
    if flat.size > PLACES_PER_LABEL:
        flat = rng.choice(flat, PLACES_PER_LABEL, replace=False)
    return np.stack(np.unravel_index(flat, shape), axis=1).astype(np.int16)


def fingerprint(task: str, recipe: Recipe) -> str:
    """Changes with the recipe and with the code that draws and prepares, so that no stale case is used."""
    digest = hashlib.sha256(f"{task} {recipe.model_dump_json()}".encode())
    if any(channel.scale == "none" for channel in recipe.channels):
        digest.update(b"finite")  # what was kept before that was asked may not be
    root = Path(inference.__file__).parent
    for name in _DRAWN_BY:
        where = root / name
        for path in sorted(where.rglob("*.py")) if where.is_dir() else [where]:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _one_thread() -> None:
    import SimpleITK as sitk  # noqa: N813 - only the drawing processes want its threads bounded

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
