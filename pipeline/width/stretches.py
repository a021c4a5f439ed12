"""From the widths of windows to the rows of the table: classes, where a line is cut, and each row's figures.

A row's uncertainty has three parts:

texture   differs from window to window, so its error becomes smaller along a row
contrast  is the same for all windows of a crack, so its error stays
shape     a crack is no slot along its line: it is longer than the line, uneven and ragged; this error stays
"""

from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import ArrayLike

from crackpipe.pipeline.geometry.arrays import Floats, Ints
from crackpipe.pipeline.geometry.ground import width_scale_mm
from crackpipe.pipeline.width.fit.fit_width import p_below
from crackpipe.pipeline.width.fit.medians import weighted_quantile
from crackpipe.pipeline.width.row_width import UNMEASURED, RowWidth
from crackpipe.pipeline.width.widths import Widths
from crackpipe.pipeline.width.windows import Windows

CLASSES = ("tiny", "small", "wide")

# A row is flagged where windows that failed their cross-check make up this share of its length.
_FLAGGED_SHARE = 1 / 3
# An image cannot show a limit of fewer pixels than this, whatever the fit gives.
_LEAST_LIMIT_PX = 0.5


@dataclass(frozen=True)
class Limits:
    """What makes a width class, and when it is certain."""

    tiny_below_mm: float
    small_below_mm: float
    class_run_mm: float
    """A row is cut where the class changes for at least this length on both sides."""
    certain_from: float
    """A class is uncertain below this probability."""
    shape_sd: float
    """Relative standard deviation of a row's width because cracks are no slots along their lines."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of one line that becomes a row of the table."""

    arc_start_px: float
    """Arc length from the start of the line."""
    arc_stop_px: float
    width: RowWidth


def class_probabilities(
    width_mm: ArrayLike, sigma_mm: ArrayLike, *, tiny_below_mm: float, small_below_mm: float
) -> Floats:
    """Probabilities (..., 3) of tiny, small and wide, from log-normal posteriors; NaN where the width is."""
    below = [p_below(width_mm, sigma_mm, limit) for limit in (tiny_below_mm, small_below_mm)]
    return np.stack([below[0], below[1] - below[0], 1.0 - below[1]], axis=-1)


def classes_of(width_mm: ArrayLike, limits: Limits) -> Ints:
    """Index (N,) into CLASSES of each width; -1 where it is NaN."""
    width = np.asarray(width_mm, dtype=np.float64)
    index = np.digitize(width, [limits.tiny_below_mm, limits.small_below_mm])
    return np.where(np.isnan(width), -1, index).astype(np.int64)


def stretches_of(windows: Windows, widths: Widths, ground: Floats, limits: Limits) -> list[list[Stretch]]:
    """For every line that `windows` hold, in order: the stretches it is cut into, with their widths.

    `ground` is float64 (2, 2), metres per pixel step (`grid.ground_matrix`). Windows without a width take
    the class of the nearest one that has one.
    """
    scale = width_scale_mm(windows.tangent, ground)
    along = windows.tangent @ ground.T
    length_mm = (windows.arc_stop_px - windows.arc_start_px) * np.hypot(along[:, 0], along[:, 1]) * 1000.0
    classes = classes_of(widths.width_px * scale, limits)
    edges = np.flatnonzero(np.diff(windows.line, prepend=-1, append=-1)).tolist()
    return [
        [
            _stretch(windows, widths, scale, slice(low + first, low + stop), limits)
            for first, stop, _ in class_runs(length_mm[low:high], classes[low:high], limits.class_run_mm)
        ]
        for low, high in pairwise(edges)
    ]


def class_runs(length: Floats, classes: Ints, least: float) -> list[tuple[int, int, int]]:
    """Cut a line where the class changes for at least `least` on both sides: (first, stop, class) of runs.

    `length` and `classes` are (N,) of consecutive windows; class -1 is unknown and takes the nearest known
    class. While the shortest run is shorter than `least` it joins the longer of its neighbours. Of runs of
    equal length the earlier one is taken.
    """
    known = np.flatnonzero(classes >= 0)
    if len(known) == 0:
        return [(0, len(classes), -1)]
    middle = (known[:-1] + known[1:]) // 2
    nearest = known[np.searchsorted(middle, np.arange(len(classes)), side="left")]
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


def _stretch(windows: Windows, widths: Widths, scale: Floats, part: slice, limits: Limits) -> Stretch:
    """The stretch of the windows `part`; `scale` is mm of width per px, (N,)."""
    start, stop = windows.arc_start_px[part], windows.arc_stop_px[part]
    width = widths.width_px[part] * scale[part]
    known = ~np.isnan(width)
    ends = float(start[0]), float(stop[-1])
    if not known.any():
        return Stretch(*ends, UNMEASURED)
    share = (stop - start)[known] / (stop - start)[known].sum()
    scale, width = scale[part][known], width[known]
    noise = np.sqrt(((share * scale * widths.noise_sd_px[part][known]) ** 2).sum())
    shared = (share * scale * widths.contrast_sd_px[part][known]).sum()
    flagged = share[widths.flag[part][known]].sum() >= _FLAGGED_SHARE
    mean = float((share * width).sum())
    sigma = float(np.sqrt(noise**2 + shared**2 + (limits.shape_sd * mean) ** 2))
    # what the image can show is told by the larger of its own pixel and the camera's
    seen_mm = float((scale * np.fmax(windows.camera_px[part][known], 1.0)).mean())
    name, (tiny, small, wide), uncertain = _class(mean, sigma, seen_mm, limits)
    row = RowWidth(
        width_mm=mean,
        width_sigma_mm=sigma,
        width_p95_mm=weighted_quantile(width, share, 0.95),
        width_max_mm=float(width.max()),
        width_class=name,
        p_tiny=tiny,
        p_small=small,
        p_wide=wide,
        class_uncertain=uncertain,
        width_flag=bool(flagged),
    )
    return Stretch(*ends, row)


def _class(
    width_mm: float, sigma_mm: float, mm_per_px: float, limits: Limits
) -> tuple[str, tuple[float, float, float], bool]:
    """Name of the class, probabilities of all three, and whether the class is uncertain."""
    index = int(classes_of([width_mm], limits)[0])
    tiny, small, wide = class_probabilities(
        width_mm, sigma_mm, tiny_below_mm=limits.tiny_below_mm, small_below_mm=limits.small_below_mm
    ).tolist()
    # an image cannot show a class whose upper limit is less than half a pixel
    unseen = (limits.tiny_below_mm, limits.small_below_mm, np.inf)[index] < _LEAST_LIMIT_PX * mm_per_px
    return CLASSES[index], (tiny, small, wide), max(tiny, small, wide) < limits.certain_from or unseen
