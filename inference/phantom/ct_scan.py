"""How a CT scanner sees the drawn anatomy: field of view, slice profile, kernel, noise, position on the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.phantom.ct_canvas import Array, Box, Canvas, Point, spread, weights
from inference.volume import Grid, Spacing, regular_affine

Scalar = TypeVar("Scalar", bound=np.generic)
Window = tuple[slice, slice, slice]
Offsets = tuple[Array, Array, Array]

_FINEST_SLICE_MM = 1.6


class Kernel(NamedTuple):
    """A reconstruction kernel: in-plane blur, overshoot at edges, grain size, and whether it is a lung kernel."""

    name: str
    blur_mm: float
    overshoot: float
    grain_px: float
    sharp: bool


SOFT = (Kernel("STANDARD", 0.6, 0.0, 0.9, False), Kernel("B30f", 0.7, 0.0, 1.1, False),
        Kernel("Br36", 0.6, 0.0, 0.8, False), Kernel("B20f", 0.9, 0.0, 1.2, False),
        Kernel("B40f", 0.5, 0.1, 0.6, False))
SHARP = (Kernel("LUNG", 0.4, 0.5, 0.8, True), Kernel("B60f", 0.4, 0.35, 0.9, True),
         Kernel("Bl57", 0.35, 0.25, 0.7, True), Kernel("B50f", 0.45, 0.2, 0.6, True))


@dataclass(frozen=True)
class Scan:
    """One acquisition: what is covered, how finely, through which kernel, with how much noise (sigma, HU)."""

    box: Box
    matrix: int
    slices: int
    spacing: Spacing
    kernel: Kernel
    noise_hu: float
    prone: bool

    @property
    def subslices(self) -> int:
        """Thin layers that are averaged into one slice; the slice profile is as wide as the spacing."""
        return max(1, int(np.ceil(self.spacing.z / _FINEST_SLICE_MM)))

    def grid(self, frame_of_reference_uid: str) -> Grid:
        """Axial grid in LPS mm; a prone patient's rows run to the right and columns to the front."""
        sign = -1.0 if self.prone else 1.0
        directions = np.array([[0, 0, sign], [0, sign, 0], [1.0, 0, 0]])
        first = [self.box.high[axis] if self.prone else self.box.low[axis] for axis in (0, 1)]
        affine = regular_affine([*first, self.box.low.z], directions, self.spacing)
        return Grid((self.slices, self.matrix, self.matrix), affine, frame_of_reference_uid)


def draw_scan(rng: np.random.Generator, width_mm: float, z_range: tuple[float, float],
              thickness_mm: float, kernels: tuple[Kernel, ...]) -> Scan:
    """A square field of view about `width_mm` wide over `z_range`, with matrix, kernel and noise by chance."""
    width = float(np.clip(width_mm, 200, 384 * 0.95))
    fitting = [m for m in (256, 288, 320, 352, 384) if 0.6 <= width / m <= 0.951]
    matrix = fitting[0] if thickness_mm < 1.2 else int(rng.choice(fitting))
    pixel = width / matrix
    slices = int(np.ceil((z_range[1] - z_range[0]) / thickness_mm))
    shift_x, shift_y = rng.normal(0, 5, 2)
    low = Point(-width / 2 + shift_x, -width / 2 + 12 + shift_y, z_range[0])
    reach = (matrix - 1) * pixel
    high = Point(low.x + reach, low.y + reach, low.z + (slices - 1) * thickness_mm)
    kernel = kernels[rng.integers(len(kernels))]
    return Scan(Box(low, high), matrix, slices, Spacing(thickness_mm, pixel, pixel), kernel,
                noise_hu=float(rng.uniform(10, 40) if kernel.sharp else rng.uniform(8, 35)),
                prone=bool(rng.random() < 0.08))


class Detail:
    """Voxels finer than the canvas: the scan's pixels, in thin layers; vessels and lesions are drawn here."""

    def __init__(self, canvas: Canvas, scan: Scan) -> None:
        self.scan = scan
        count = scan.subslices
        layer = scan.spacing.z / count
        self.spacing = Spacing(layer, scan.spacing.y, scan.spacing.x)
        self.origin = np.array([scan.box.low.z - layer * (count - 1) / 2, scan.box.low.y, scan.box.low.x])
        self.shape = (scan.slices * count, scan.matrix, scan.matrix)
        axes = [o + s * np.arange(n) for o, s, n in zip(self.origin, self.spacing, self.shape, strict=True)]
        self._weights = [weights(c, a) for c, a in zip((canvas.zs, canvas.ys, canvas.xs), axes, strict=True)]
        self._axes = [a.astype(np.float32) for a in axes]
        self.hu = self.refine(canvas.hu)

    def refine(self, coarse: Array) -> Array:
        """A field of the canvas on these voxels."""
        return spread(coarse, *self._weights)

    def around(self, centre: Point, reach_mm: float) -> tuple[Window, Offsets]:
        """The voxels within a cube of half-width `reach_mm`, and their open-mesh (x, y, z) offsets in mm."""
        middle = np.array([centre.z, centre.y, centre.x])
        low = np.clip(np.floor((middle - reach_mm - self.origin) / self.spacing).astype(int), 0, self.shape)
        high = np.clip(np.ceil((middle + reach_mm - self.origin) / self.spacing).astype(int) + 1, 0, self.shape)
        return self._window(low, high, middle)

    def around_slices(self, centre: Point, reach_mm: float) -> tuple[Window, Offsets, Window]:
        """As `around`, grown to whole slices of the scan; also gives the window in slices."""
        window, _ = self.around(centre, reach_mm)
        count = self.scan.subslices
        first, last = window[0].start // count, -(-window[0].stop // count)
        low = np.array([first * count, window[1].start, window[2].start])
        high = np.array([last * count, window[1].stop, window[2].stop])
        layers, offsets = self._window(low, high, np.array([centre.z, centre.y, centre.x]))
        return layers, offsets, (slice(first, last), *layers[1:])

    def _window(self, low: NDArray[np.intp], high: NDArray[np.intp],
                middle: NDArray[np.float64]) -> tuple[Window, Offsets]:
        window = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
        z, y, x = ((axis[part] - c).astype(np.float32) for axis, part, c in
                   zip(self._axes, window, middle, strict=True))
        return window, (x[None, None, :], y[None, :, None], z[:, None, None])

    def thicken(self, field: Array) -> Array:
        """Mean over the layers of each slice: (layers, y, x) to the scan's (z, y, x)."""
        count = self.scan.subslices
        if count == 1:
            return field
        return np.asarray(field.reshape(-1, count, *field.shape[1:]).mean(axis=1), dtype=np.float32)


def expose(detail: Detail, rng: np.random.Generator) -> NDArray[np.int16]:
    """The scanner's image of `detail` in whole HU: slice profile, kernel, correlated noise, patient position."""
    scan = detail.scan
    image = detail.thicken(detail.hu)
    blur = (0, scan.kernel.blur_mm / scan.spacing.y, scan.kernel.blur_mm / scan.spacing.x)
    image = ndimage.gaussian_filter(image, blur, truncate=3.0)
    if scan.kernel.overshoot:
        softer = ndimage.gaussian_filter(image, (0, 1.2, 1.2), truncate=3.0)
        image += scan.kernel.overshoot * (image - softer)
    image += _grain(image.shape, scan, rng)
    counts = np.clip(np.rint(image), -1024, 3071).astype(np.int16)
    return in_position(counts, scan)


def in_position(array: NDArray[Scalar], scan: Scan) -> NDArray[Scalar]:
    """Voxels drawn for a patient on the back, in the order in which the scan's grid has them."""
    return np.ascontiguousarray(array[:, ::-1, ::-1]) if scan.prone else array


def _grain(shape: tuple[int, ...], scan: Scan, rng: np.random.Generator) -> Array:
    """Noise (z, y, x) in HU: blurred for soft kernels, without its low frequencies for sharp ones."""
    white = rng.standard_normal(shape, dtype=np.float32)
    smooth = ndimage.gaussian_filter(white, (0, scan.kernel.grain_px, scan.kernel.grain_px), truncate=3.0)
    if scan.kernel.sharp:
        smooth *= -0.7
        smooth += white
    smooth *= scan.noise_hu / float(smooth[::4].std())
    return np.asarray(smooth, dtype=np.float32)
