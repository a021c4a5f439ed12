"""From the widths of windows to the rows of the table: classes, where a line is cut, and each row's figures.

A row's uncertainty has two parts. The texture of the pavement differs from window to window and averages
out along a row; the contrast of a crack is the same for all its windows, so its error does not.
"""

from dataclasses import dataclass
from itertools import groupby, pairwise
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crackpipe.pipeline.grid import width_scale_mm
from crackpipe.pipeline.robust import weighted_quantile
from crackpipe.pipeline.width import Widths
from crackpipe.pipeline.width_plain import p_below
from crackpipe.pipeline.width_windows import Floats, Ints, Windows

CLASSES = ("tiny", "small", "wide")

# A row is flagged where windows that failed their cross-check make up this share of its length.
_FLAGGED_SHARE = 1 / 3
# Below this many pixels a limit cannot be seen, whatever the fit says (spec section 5).
_LEAST_LIMIT_PX = 0.5


@dataclass(frozen=True)
class WidthRow:
    """One stretch of a line with one width class. Widths are NaN where nothing could be measured."""

    arc_start_px: float
    """Arc length from the start of the line."""
    arc_stop_px: float
    width_mm: float
    """Mean over the length."""
    width_sigma_mm: float
    width_p95_mm: float
    """Width that 95 % of the length does not exceed."""
    width_max_mm: float
    flag: bool
    """A third of the length or more failed the cross-check."""


def class_probabilities(
    width_mm: ArrayLike, sigma_mm: ArrayLike, *, tiny_below_mm: float, small_below_mm: float
) -> Floats:
    """Probabilities (N, 3) of tiny, small and wide, from log-normal posteriors; NaN where the width is."""
    below = [p_below(width_mm, sigma_mm, limit) for limit in (tiny_below_mm, small_below_mm)]
    return np.stack([below[0], below[1] - below[0], 1.0 - below[1]], axis=-1)


def classes_of(width_mm: ArrayLike, *, tiny_below_mm: float, small_below_mm: float) -> Ints:
    """Index (N,) into CLASSES of each width; -1 where it is NaN."""
    width = np.asarray(width_mm, dtype=np.float64)
    return np.where(np.isnan(width), -1, np.digitize(width, [tiny_below_mm, small_below_mm])).astype(np.int64)


def uncertain(
    probabilities: Floats, gsd_mm: float, *, tiny_below_mm: float, small_below_mm: float, certain_from: float
) -> NDArray[np.bool_]:
    """Whether no class of (N, 3) reaches `certain_from`, or the likeliest is one this image cannot show.

    An image cannot show a class whose upper limit is less than half a pixel.
    """
    likeliest = np.argmax(np.nan_to_num(probabilities), axis=-1)
    limits_px = np.array([tiny_below_mm, small_below_mm, np.inf]) / gsd_mm
    sure = np.nan_to_num(probabilities).max(axis=-1) >= certain_from
    return np.asarray(~sure | (limits_px[likeliest] < _LEAST_LIMIT_PX))


def rows_of(
    windows: Windows,
    widths: Widths,
    ground: Floats,
    *,
    tiny_below_mm: float,
    small_below_mm: float,
    class_run_mm: float,
) -> list[list[WidthRow]]:
    """The rows of every line that `windows` hold, in the lines' order.

    `ground` is float64 (2, 2), metres per pixel step (`grid.ground_matrix`). Windows without a width take
    the nearest one's class.
    """
    scale = width_scale_mm(windows.tangent, ground)
    along = np.hypot(*(windows.tangent @ ground.T).T) * 1000.0
    length_mm = (windows.arc_stop_px - windows.arc_start_px) * along
    edges = np.flatnonzero(np.diff(windows.line, prepend=-1, append=-1)).tolist()
    rows = []
    for low, high in pairwise(edges):
        width_mm = widths.width_px[low:high] * scale[low:high]
        classes = classes_of(width_mm, tiny_below_mm=tiny_below_mm, small_below_mm=small_below_mm)
        runs = class_runs(length_mm[low:high], classes, class_run_mm)
        rows.append([_row(windows, widths, scale, low + first, low + stop) for first, stop, _ in runs])
    return rows


def class_runs(length: Floats, classes: Ints, least: float) -> list[tuple[int, int, int]]:
    """Cut a line where the class changes for at least `least` on both sides: (first, stop, class) of runs.

    `length` and `classes` are (N,) of consecutive windows, -1 meaning unknown. The shortest run that is too
    short joins its longer neighbour, again and again; ties go to the earlier one.
    """
    known = np.flatnonzero(classes >= 0)
    if len(known) == 0:
        return [(0, len(classes), -1)]
    places = np.arange(len(classes))
    nearest = known[np.abs(places[:, None] - known).argmin(axis=1)]
    runs = _grouped([(index, index + 1, int(classes[near])) for index, near in enumerate(nearest)])
    total = np.concatenate([[0.0], np.cumsum(length)])
    while len(runs) > 1:
        lengths = [total[stop] - total[first] for first, stop, _ in runs]
        shortest = int(np.argmin(lengths))
        if lengths[shortest] >= least:
            break
        sides = [side for side in (shortest - 1, shortest + 1) if 0 <= side < len(runs)]
        longer = max(sides, key=lambda side: lengths[side])
        runs[shortest] = (*runs[shortest][:2], runs[longer][2])
        runs = _grouped(runs)
    return runs


def _grouped(runs: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    groups = [list(group) for _, group in groupby(runs, key=lambda run: run[2])]
    return [(group[0][0], group[-1][1], group[0][2]) for group in groups]


def _row(windows: Windows, widths: Widths, scale: Floats, first: int, stop: int) -> WidthRow:
    start, end = float(windows.arc_start_px[first]), float(windows.arc_stop_px[stop - 1])
    index = np.arange(first, stop)[~np.isnan(widths.width_px[first:stop])]
    if len(index) == 0:
        return WidthRow(start, end, nan, nan, nan, nan, flag=False)
    length = windows.arc_stop_px[index] - windows.arc_start_px[index]
    share = length / length.sum()
    width = widths.width_px[index] * scale[index]
    noise = np.sqrt(((share * widths.noise_sd_px[index] * scale[index]) ** 2).sum())
    shared = (share * widths.contrast_sd_px[index] * scale[index]).sum()
    return WidthRow(
        start,
        end,
        float((share * width).sum()),
        float(np.hypot(noise, shared)),
        weighted_quantile(width, share, 0.95),
        float(width.max()),
        bool(share[widths.flag[index]].sum() >= _FLAGGED_SHARE),
    )


def cut_line(vertices: Floats, arc_start_px: float, arc_stop_px: float) -> Floats:
    """The part of a polyline (V, 2) between two arc lengths, with all vertices in between."""
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(vertices, axis=0).T))])
    start, stop = max(arc_start_px, 0.0), min(arc_stop_px, float(arc[-1]))
    # ends that meet a vertex to rounding become that vertex, so that no piece begins with a step of nothing
    between = (arc > start + 1e-6) & (arc < stop - 1e-6)
    ends = np.column_stack([np.interp([start, stop], arc, vertices[:, axis]) for axis in (0, 1)])
    if arc[-1] - stop < 1e-6:
        ends[1] = vertices[-1]
    return np.concatenate([ends[:1], vertices[between], ends[1:]])
