"""Lines as points at equal steps, and the stretches of them over each of which one width is measured.

Pixel coordinates are (row, col) with the centre of pixel (i, j) at (i, j).

Legend
    L, P    lines, points of all lines together
    N       windows: stretches of a line over each of which one width is measured
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats, Ints
from crackpipe.pipeline.geometry.plan_view import PlanView, camera_px

STEP_PX = 0.5
"""Arc length between neighbouring points of a resampled line, about."""

SIDE_PX = 5.0
"""Width of the band of background on each side of a window."""

# At a junction this length of line is left out: so many widths of the mask there, but at most this share of
# the line.
_JUNCTION_WIDTHS = 2.0
_JUNCTION_SHARE = 1 / 3

# A tangent is the chord between the points this many before and behind, so that kinks of a simplified line do
# not show in it.
_TANGENT_POINTS = 5


@dataclass(frozen=True, kw_only=True)
class Paths:
    """All lines of one image, each resampled at equal steps of arc length."""

    points: Floats
    """(P, 2) (row, col)."""
    tangents: Floats
    """(P, 2) unit vectors along the line."""
    first: Ints
    """(L + 1,) index of each line's first point; the last entry is P."""
    step_px: Floats
    """(L,) arc length between neighbouring points."""
    half_width_px: Floats
    """(P,) half the width of the mask; it only decides how far from the line pixels are taken."""
    clear: NDArray[np.bool_]
    """(P,) false close to a junction, where the pixels beside the point show the other line too."""
    view: PlanView | None = None
    """How the image was made of a frame of a camera that looks ahead, if it was."""

    def camera_px(self, part: NDArray[np.bool_] | slice) -> Floats:
        """How many pixels of the image the camera's own pixel is wide across the line at some points.

        NaN where the image is no plan view.
        """
        points = self.points[part]
        if self.view is None:
            return np.full(len(points), np.nan)
        return camera_px(self.view, points, self.tangents[part])


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Stretches of lines over each of which one width is measured; they partition every line."""

    line: Ints
    """(N,) index of the line."""
    first_point: Ints
    """(N,) index into `Paths.points`."""
    last_point: Ints
    """(N,) index of the last point, shared with the next window's first."""
    arc_start_px: Floats
    """(N,) arc length from the line's start."""
    arc_stop_px: Floats
    """(N,)."""
    center: Floats
    """(N, 2) (row, col), the point in the middle of the stretch."""
    tangent: Floats
    """(N, 2) unit vector of the chord, or of the line at `center` where a ring closes."""
    half_width_px: Floats
    """(N,) the largest of its points."""
    camera_px: Floats
    """(N,) how many pixels of the image the camera's own pixel is wide across the line: root mean square over
    its points; NaN where the image is no plan view."""

    def part(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> "Windows":
        """Some of the windows."""
        return Windows(**{field.name: getattr(self, field.name)[index] for field in fields(self)})


def paths_of(
    vertices: Sequence[Floats],
    half_width_px: Sequence[Floats | float],
    at_junction: Sequence[tuple[bool, bool]] | None = None,
    *,
    view: PlanView | None = None,
) -> Paths:
    """Resample polylines, each float64 (V, 2) (row, col) with V >= 2 and a positive length.

    `half_width_px` is for each line half the mask's width at its vertices, float (V,), or one number;
    `at_junction` says which of its ends, start and stop, lie in a junction (None: none), `view` how the image
    was made of a camera's frame, if it was.
    Raises ValueError for a line without length.
    """
    points, steps, half_width, clear = [], [], [], []
    for index, (line, half) in enumerate(zip(vertices, half_width_px, strict=True)):
        arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        if len(line) < 2 or arc[-1] <= 0:
            raise ValueError(f"line {index} has {len(line)} vertices and length 0 px, but must have a length")
        count = max(2, round(arc[-1] / STEP_PX)) + 1
        at = np.linspace(0.0, arc[-1], count)
        points.append(np.column_stack([np.interp(at, arc, line[:, axis]) for axis in (0, 1)]))
        half_width.append(np.interp(at, arc, np.broadcast_to(half, arc.shape)))
        steps.append(arc[-1] / (count - 1))
        clear.append(
            _clear(at, half_width[-1], (False, False) if at_junction is None else at_junction[index])
        )
    first = np.concatenate([[0], np.cumsum([len(p) for p in points])]).astype(np.int64)
    joined = np.concatenate([np.zeros((0, 2)), *points])
    return Paths(
        points=joined,
        tangents=_tangents(joined, first),
        first=first,
        step_px=np.array(steps, dtype=np.float64),
        half_width_px=np.concatenate([np.zeros(0), *half_width]),
        clear=np.concatenate([np.zeros(0, np.bool_), *clear]),
        view=view,
    )


def _clear(arc: Floats, half_width: Floats, at_junction: tuple[bool, bool]) -> NDArray[np.bool_]:
    """Which points of one line are clear of junctions at its ends; its middle third always is."""
    from_ends = arc, arc[-1] - arc
    clear = np.ones(len(arc), np.bool_)
    for distance, widths, junction in zip(
        from_ends, (half_width[0], half_width[-1]), at_junction, strict=True
    ):
        if junction:
            clear &= distance >= min(_JUNCTION_WIDTHS * 2 * float(widths), _JUNCTION_SHARE * float(arc[-1]))
    return clear


def _tangents(points: Floats, first: Ints) -> Floats:
    line = np.repeat(np.arange(len(first) - 1), np.diff(first))
    here = np.arange(len(points))
    ahead = np.minimum(here + _TANGENT_POINTS, first[line + 1] - 1)
    behind = np.maximum(here - _TANGENT_POINTS, first[line])
    chord = points[ahead] - points[behind]
    length = np.hypot(chord[:, 0], chord[:, 1])
    # where a line turns back on itself within a pixel a chord can have no length; any direction will do
    chord = np.where((length > 1e-9)[:, None], chord, [0.0, 1.0])
    return np.asarray(chord / np.hypot(chord[:, 0], chord[:, 1])[:, None])


def windows_of(paths: Paths, window_px: float) -> Windows:
    """Partition each line into equal stretches of about `window_px` (a short line is one window)."""
    line_index, edges = [], []
    for line, step in enumerate(paths.step_px):
        low, high = int(paths.first[line]), int(paths.first[line + 1]) - 1
        count = min(max(1, round((high - low) * step / window_px)), high - low)
        at = low + np.round(np.linspace(0, high - low, count + 1)).astype(np.int64)
        line_index.append(np.full(count, line, dtype=np.int64))
        edges.append(np.column_stack([at[:-1], at[1:]]))
    line_of = np.concatenate(line_index) if line_index else np.zeros(0, np.int64)
    edge = np.concatenate(edges) if edges else np.zeros((0, 2), np.int64)
    step_px, middle = paths.step_px[line_of], (edge[:, 0] + edge[:, 1]) // 2
    chord = paths.points[edge[:, 1]] - paths.points[edge[:, 0]]
    length = np.hypot(chord[:, 0], chord[:, 1])[:, None]
    return Windows(
        line=line_of,
        first_point=edge[:, 0],
        last_point=edge[:, 1],
        arc_start_px=(edge[:, 0] - paths.first[line_of]) * step_px,
        arc_stop_px=(edge[:, 1] - paths.first[line_of]) * step_px,
        center=paths.points[middle],
        tangent=np.where(length > 1e-9, chord / np.maximum(length, 1e-9), paths.tangents[middle]),
        half_width_px=_largest(paths.half_width_px, edge),
        camera_px=_camera_px(paths, edge),
    )


def _camera_px(paths: Paths, edge: Ints) -> Floats:
    if paths.view is None or len(edge) == 0:
        return np.full(len(edge), np.nan)
    # mean squares, since variances of the blur add up
    squares = paths.camera_px(slice(None)) ** 2
    sums = np.add.reduceat(squares, edge.ravel())[::2]
    return np.asarray(np.sqrt(sums / (edge[:, 1] - edge[:, 0])))


def _largest(values: Floats, edge: Ints) -> Floats:
    """The largest of `values` from edge[:, 0] to edge[:, 1], both included, (N,)."""
    if len(edge) == 0:
        return np.zeros(0)
    # `reduceat` leaves out the stop of each stretch, so compare with it afterwards
    inner = np.maximum.reduceat(values, edge.ravel())[::2]
    return np.maximum(inner, values[edge[:, 1]])
