"""Which pixels lie beside which stretch of which line, and how far from it.

Strategy. Lines come resampled to points about half a pixel apart. A window has a main axis: rows where it
runs downwards, columns where it runs sideways. Find where the line crosses each integer coordinate of this
axis. From each crossing take the pixels along the other axis. So every pixel of the band is met once and
stands for one square pixel. Then measure its exact distance from the nearest point of the line, its foot.
Pixels are not interpolated, since that would blur them.

Pixel coordinates are (row, col) with the centre of pixel (i, j) at (i, j).

Legend
    P       points of all lines
    N, Q, M windows, crossings of integer coordinates, samples
"""

import dataclasses
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats, Ints, Singles
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.width.blur import sigma_px
from crackpipe.pipeline.width.windows import STEP_PX, Paths, Windows

# Length of line per cell of the side bands: longer than the grains of asphalt, short enough for five cells a
# window.
_CELL_PX = 10.0
_NOBODY, _SEVERAL = -1, -2
# A line is followed along its window's main axis while its unit tangent has at least this component along it,
# that is, up to 60 degrees away from it.
_LEAST_STEEPNESS = 0.5


@dataclass(frozen=True, kw_only=True)
class Samples:
    """M pixels beside windows."""

    window: Ints
    """(M,) index of the window within the batch."""
    row: Ints
    """(M,) pixel of the image."""
    col: Ints
    """(M,)."""
    offset_px: Floats
    """(M,) signed distance from the line."""
    cell: Ints
    """(M,) stretch of about 10 px within the window, counted from its start."""
    grey: Floats
    """(M,) linear light, 0 to 255; NaN until looked up."""

    def part(self, keep: NDArray[np.bool_]) -> "Samples":
        """Some of the samples."""
        # taking six arrays by index is faster than by mask
        index = np.flatnonzero(keep)
        return Samples(**{field.name: getattr(self, field.name).take(index) for field in fields(self)})


@dataclass(frozen=True, kw_only=True)
class _Crossings:
    """Q places where lines cross an integer coordinate of their main axis."""

    window: Ints
    """(Q,)."""
    line: Ints
    """(Q,)."""
    axis: Ints
    """(Q,) the main axis, 0 rows or 1 columns."""
    integer: Ints
    """(Q,) the coordinate crossed."""
    position: Floats
    """(Q,) where on the line, a fractional index into `Paths.points`."""
    cell: Ints
    """(Q,) see `Samples.cell`."""


def luma_tables(tone: str) -> Singles:
    """(3, 256): what each R, G and B value adds to the luma in linear light (Rec. 709), 0 to 255.

    `tone` is `linear` where grey values are proportional to light, `srgb` where they carry the sRGB curve
    (IEC 61966-2-1).
    """
    value = np.arange(256) / 255.0
    if tone == "srgb":
        value = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    elif tone != "linear":
        raise ValueError(f"tone is {tone!r}, but must be linear or srgb")
    return (np.array([[0.2126], [0.7152], [0.0722]]) * value * 255.0).astype(np.float32)


def samples_of(paths: Paths, windows: Windows, reach_px: Floats) -> Samples:
    """Every pixel within `reach_px` (N,) of the windows' stretches of line, grey values still NaN."""
    at = _crossings(paths, windows)
    foot = _along(paths, at.line, at.position)
    every = np.arange(len(at.line))
    steepness = np.abs(paths.tangents[at.position.astype(np.int64)][every, at.axis])
    half = np.ceil(reach_px[at.window] / np.maximum(steepness, _LEAST_STEEPNESS)).astype(np.int64)
    crossing, other = _ragged(np.round(foot[every, 1 - at.axis]).astype(np.int64) - half, 2 * half + 1)
    integer, sideways = at.integer[crossing], at.axis[crossing] == 1
    row, col = np.where(sideways, other, integer), np.where(sideways, integer, other)
    offset = _distance(paths, at, foot, crossing, (row, col))
    window = at.window[crossing]
    samples = Samples(
        window=window,
        row=row,
        col=col,
        offset_px=offset,
        cell=at.cell[crossing],
        grey=np.full(len(offset), np.nan),
    )
    return samples.part(np.abs(offset) <= reach_px[window])


def _crossings(paths: Paths, windows: Windows) -> _Crossings:
    first, last = windows.first_point, windows.last_point
    window, point = _ragged(first, last - first)
    # Keep to the main axis of the window, so that a line at 45 degrees does not change axes all the time.
    # Leave it only where the line turns far away from it.
    along = (np.abs(windows.tangent[:, 1]) > np.abs(windows.tangent[:, 0])).astype(np.int64)[window]
    every = np.arange(len(point))
    axis = np.where(np.abs(paths.tangents[point][every, along]) >= _LEAST_STEEPNESS, along, 1 - along)
    a, b = paths.points[point][every, axis], paths.points[point + 1][every, axis]
    crossed = (np.floor(a) != np.floor(b)) & paths.clear[point]
    window, point, axis, a, b = (array[crossed] for array in (window, point, axis, a, b))
    integer = np.maximum(np.floor(a), np.floor(b))
    length = (last - first) * paths.step_px[windows.line]
    cells = np.maximum(1, np.round(length / _CELL_PX)).astype(np.int64)
    return _Crossings(
        window=window,
        line=windows.line[window],
        axis=axis,
        integer=integer.astype(np.int64),
        position=point + (integer - a) / (b - a),
        cell=(point - first[window]) * cells[window] // (last - first)[window],
    )


def _ragged(start: Ints, count: Ints) -> tuple[Ints, Ints]:
    """For each run (start, count): the run's index and the values start, start + 1, ..., both flat."""
    run = np.repeat(np.arange(len(count)), count)
    position = np.arange(len(run)) - np.repeat(np.cumsum(count) - count, count)
    return run, np.repeat(start, count) + position


def _along(paths: Paths, line: Ints, position: Floats) -> Floats:
    """Points (Q, 2) at fractional indices into `paths.points`; straight on beyond a line's ends."""
    index = np.clip(np.floor(position).astype(np.int64), paths.first[line], paths.first[line + 1] - 2)
    fraction = (position - index)[:, None]
    start = paths.points.take(index, axis=0)
    return np.asarray(start + fraction * (paths.points.take(index + 1, axis=0) - start))


def _distance(paths: Paths, at: _Crossings, foot: Floats, crossing: Ints, pixel: tuple[Ints, Ints]) -> Floats:
    """Signed distance (M,) of pixels from their lines: one Newton step from the crossing to the pixel's foot.

    `foot` (Q, 2) are the points of the crossings, `crossing` (M,) the crossing each pixel belongs to, `pixel`
    their rows (M,) and columns (M,).
    """
    row, col = pixel
    tangent = paths.tangents.take(np.round(at.position).astype(np.int64), axis=0)
    step = paths.step_px[at.line]
    # Move from the crossing along the tangent to the pixel: position + (pixel - foot) . tangent / step. What
    # is the same for all pixels of one crossing is worked out once.
    constant = at.position - (foot * tangent).sum(axis=1) / step
    slope = tangent / step[:, None]
    nearer = constant[crossing] + row * slope[:, 0][crossing] + col * slope[:, 1][crossing]
    line = at.line[crossing]
    base = _along(paths, line, nearer)
    last = paths.first[line + 1] - 1
    nearest = np.clip(np.round(nearer).astype(np.int64), paths.first[line], last)
    tangent = paths.tangents.take(nearest, axis=0)
    return np.asarray(tangent[:, 0] * (col - base[:, 1]) - tangent[:, 1] * (row - base[:, 0]))


def owners_of(paths: Paths, outer: Window, sigma_psf_px: float) -> NDArray[np.int32]:
    """Which line's core each pixel of `outer` lies in: its index, -1 none, -2 several lines'.

    Pixels near two lines are used for neither. This also keeps windows away from junctions.
    """
    owner = np.full((outer.height, outer.width), _NOBODY, np.int32)
    line = np.repeat(np.arange(len(paths.first) - 1), np.diff(paths.first))
    sigma = sigma_px(sigma_psf_px, paths.camera_px(slice(None)))
    radius = np.ceil(paths.half_width_px + 2.0 * sigma + 0.5).astype(np.int64)
    low, high = np.array([outer.row, outer.col]), np.array([outer.row_stop, outer.col_stop])
    reach = radius[:, None]
    beside = (paths.points > low - reach) & (paths.points < high + reach)
    near = beside[:, 0] & beside[:, 1]
    # Paint disks half a radius apart along the line: they cover the core to within 3 % of its width.
    every = np.maximum(1, (radius / 2 / STEP_PX).astype(np.int64))
    in_line = np.arange(len(line)) - paths.first[line]
    near &= (in_line % every == 0) | (np.arange(len(line)) == paths.first[line + 1] - 1)
    painted = [
        _disks(paths.points[chosen], line[chosen], int(value), outer)
        for value in np.unique(radius[near])
        for chosen in [np.flatnonzero(near & (radius == value))]
    ]
    flat = owner.ravel()
    for place, lines in painted:
        flat[place] = lines
    for place, lines in painted:
        flat[place[flat[place] != lines]] = _SEVERAL
    return owner


def _disks(points: Floats, line: Ints, radius: int, outer: Window) -> tuple[Ints, NDArray[np.int32]]:
    """Flat indices into `outer` of the disks round `points`, and the line of each."""
    grid = np.mgrid[-radius : radius + 1, -radius : radius + 1].reshape(2, -1).T
    disk = grid[(grid**2).sum(axis=1) <= radius * radius]
    pixel = np.round(points).astype(np.int64)[:, None, :] + disk - [outer.row, outer.col]
    row, col = pixel[..., 0], pixel[..., 1]
    inside = (row >= 0) & (row < outer.height) & (col >= 0) & (col < outer.width)
    place = row * outer.width + col
    return place[inside], np.broadcast_to(line[:, None], inside.shape)[inside].astype(np.int32)


def with_grey(
    samples: Samples,
    line: Ints,
    owner: NDArray[np.int32],
    outer: Window,
    *,
    image: NDArray[np.uint8] | Singles,
    valid: NDArray[np.bool_],
    tone: str,
) -> Samples:
    """The samples that are inside `outer`, valid and no other line's, with their grey values.

    `line` (N,) is the line of each window of the batch; `image` and `valid` as in `measure`.
    """
    row, col = samples.row - outer.row, samples.col - outer.col
    inside = (row >= 0) & (row < outer.height) & (col >= 0) & (col < outer.width)
    flat = np.where(inside, row * outer.width + col, 0)
    whose = owner.ravel().take(flat)
    keep = inside & valid.ravel().take(flat) & ((whose == _NOBODY) | (whose == line[samples.window]))
    flat = flat[keep]
    if image.ndim == 3:
        tables, colours = luma_tables(tone), image.reshape(-1, 3).take(flat, axis=0)
        grey = tables[0][colours[:, 0]] + tables[1][colours[:, 1]] + tables[2][colours[:, 2]]
    else:
        grey = image.ravel().take(flat)
    return dataclasses.replace(samples.part(keep), grey=grey.astype(np.float64))
