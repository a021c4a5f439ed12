"""Follow the crack within a window, where the traced line cuts its corners.

A line is smooth and simple, but a crack goes around stones. If grey values are averaged along a line that is
half a pixel off the crack, a narrow dark slot looks like a wide pale one.

Strategy. A window is cut into cells of about 10 px of line. The mean of all its cells is the template. Each
cell is compared with the template at 13 shifts. Every shift gets a probability: how well the shifted template
explains the cell, times the prior that lines stray by about 0.4 px. The cell is moved by the mean of these
shifts. Then the template is made again from the moved cells, and all is repeated once.

Where texture hides the crack all shifts explain the cell alike. Then the prior decides, its mean is 0, and
nothing moves: shifts do not pick up noise. A shift does not change the missing light, and so it does not
change the width of a thin crack.

Legend
    N, J, K     windows, cells of a window, bins across
    d, n        darkness and number of pixels of a bin of a cell
    T           the window's mean darkness across
    S0          variance of a sum of grey values over a large area, per px^2
"""

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats, Ints
from crackpipe.pipeline.width.samples import Samples
from crackpipe.pipeline.width.windows import SIDE_PX

Counts = Ints | Floats

# How far lines stray from their cracks, px, and the shifts that are tried, in bins.
_STRAY_SD_PX = 0.4
_STEPS = np.arange(-6, 7) / 2
_ROUNDS = 2
_LEAST_TEXTURE = 1.0


def shifts_px(
    samples: Samples, reach: Floats, texture: Floats, side: NDArray[np.bool_], *, bins: int
) -> Floats:
    """How far to the positive side of the line the crack lies in each sample's cell, px, (M,).

    `reach` (N,) is the windows' half extent in px, cut into `bins` bins, `texture` (N,) their S0, NaN where
    unknown: cells of such windows are not moved. `side` (M,) says which samples are background.
    """
    count, cells = len(reach), int(samples.cell.max(initial=0)) + 1
    bin_px = 2.0 * reach / bins
    cell = samples.window * cells + samples.cell
    level = _mean(samples.window[side], samples.grey[side], count)
    dark = level[samples.window] - samples.grey
    shift = np.zeros(count * cells)
    for _ in range(_ROUNDS):
        # sum darkness and count pixels, by cell and bin, of the cells as moved so far
        place = (samples.offset_px - shift[cell] + reach[samples.window]) / bin_px[samples.window]
        flat = cell * bins + np.clip(place.astype(np.int64), 0, bins - 1)
        pixels, sums = (
            np.bincount(flat, weights, count * cells * bins).reshape(count, cells, bins)
            for weights in (None, dark)
        )
        # compare each cell with the template at each shift; an unknown texture makes all shifts alike
        likely = _log_likelihood(pixels, sums, _template(pixels, sums, bin_px))
        likely /= np.where(texture > 0, np.maximum(texture, _LEAST_TEXTURE), np.inf)[:, None, None]
        # add the prior, which is on the whole shift and not on this round's part of it
        away = shift.reshape(count, cells, 1) + _STEPS * bin_px[:, None, None]
        likely -= 0.5 * (away / _STRAY_SD_PX) ** 2
        # take the mean over the shifts by their probability
        weight = np.exp(likely - likely.max(axis=2, keepdims=True))
        shift = ((weight * away).sum(axis=2) / weight.sum(axis=2)).ravel()
    return np.asarray(shift[cell])


def _mean(group: Ints, values: Floats, count: int) -> Floats:
    number, total = (np.bincount(group, weights, count) for weights in (None, values))
    return np.asarray(total / np.maximum(number, 1))


def _template(pixels: Counts, sums: Counts, bin_px: Floats) -> Floats:
    """T (N, K): the window's mean darkness; 0 in the side bands."""
    # Beside a line along rows or columns pixels lie a whole pixel apart, and bins in between are empty. The
    # average over neighbouring bins fills them.
    total, dark = (_smooth(np.asarray(each.sum(axis=1), np.float64)) for each in (pixels, sums))
    mean = np.where(total > 0, dark / np.maximum(total, 1e-9), 0.0)
    place = (np.arange(mean.shape[1]) + 0.5 - mean.shape[1] / 2) * bin_px[:, None]
    inner = np.abs(place) < (bin_px * mean.shape[1] / 2 - SIDE_PX)[:, None]
    return np.asarray(np.where(inner, mean, 0.0))


def _smooth(values: Floats) -> Floats:
    """Sums (N, K) over five neighbouring bins, weighted 1, 2, 3, 2, 1."""
    wide = np.pad(values, ((0, 0), (2, 2)))
    count = values.shape[1]
    return np.asarray(sum(weight * wide[:, k : k + count] for k, weight in enumerate((1, 2, 3, 2, 1))))


def _log_likelihood(pixels: Counts, sums: Counts, template: Floats) -> Floats:
    """S0 ln likelihood (N, J, steps) of each shift of a cell: -1/2 sum n (d - T)^2 plus a constant."""
    shifted = np.stack([_moved(template, float(step)) for step in _STEPS], axis=1)
    return np.stack(
        [
            (sums * shifted[:, None, k]).sum(axis=2) - 0.5 * (pixels * shifted[:, None, k] ** 2).sum(axis=2)
            for k in range(len(_STEPS))
        ],
        axis=2,
    )


def _moved(template: Floats, by_bins: float) -> Floats:
    """T moved to the positive side, interpolated between bins; bins left empty are background."""
    place = np.arange(template.shape[1])
    low, share = int(np.floor(by_bins)), by_bins % 1.0
    parts = [
        np.where((place >= bins) & (place < template.shape[1] + bins), np.roll(template, bins, axis=1), 0.0)
        for bins in (low, low + 1)
    ]
    return np.asarray((1.0 - share) * parts[0] + share * parts[1])
