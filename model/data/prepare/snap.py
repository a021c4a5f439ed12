"""Lines that were drawn beside the crack move onto it.

Strategy. The centreline of a label is cut at its junctions into paths. Across every point of a path stands a
row of places, up to 5 px to either side. A dynamic programme goes along the path and chooses one place in
each row, so that the sum of ridge strengths is greatest and neighbours lie at most one pixel further out or
in ("live wire" on a strip; Kass, Witkin, Terzopoulos 1988 call such a search an active contour). Where what
it found is no stronger than what it would find on sound pavement, the path has no crack. Frame: pixels are
(row, col).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_dilation,
    convolve,
    distance_transform_edt,
    gaussian_filter1d,
    label,
    map_coordinates,
)
from skimage.morphology import skeletonize

from crackpipe.model.data.pairs import NOT_LABELLED_GREY
from crackpipe.model.data.prepare.ridges import F32, Mask, ridge_strength
from crackpipe.model.data.prepare.tight import CRACK_GREY

REACH_PX = 5
"""How far a line may lie beside its crack."""
FOUND = 1.8
"""Mean ridge strength along about 20 px from which a path lies on a crack. The best path near a line that is
laid on sound pavement seldom reaches it."""

_SHORTEST_PX = 8
"""Paths with fewer pixels are spurs of the centreline: too short to tell anything."""
_STRONGEST = 6.0
"""Ridge strength counts up to this: one dark stone is not to draw the whole path."""
_COST_OF_A_STEP = 0.7
"""What a pixel outwards or inwards costs, in ridge strength."""
_ALONG_PX = 12
_DOUBTFUL_PX = 3
"""How far from a moved line it is unknown whether a pixel belongs to the crack."""
_EIGHT = np.ones((3, 3), bool)

Path2D = NDArray[np.float64]
"""(N, 2) points (row, col) about a pixel apart."""


def snap(grey: F32, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Move every line of a mask to the strongest path within 5 px, and draw it 3 px wide.

    `grey` is (H, W), 0..255, and `mask` (H, W) with 0 sound, 127 not labelled, 255 crack, and so is the
    result. A crack is darker than its road, or brighter where dust has filled it. What was label becomes 127,
    and so does all within 3 px of the moved line, and within 5 px of a line without such a path.
    """
    crack = mask == CRACK_GREY
    strength = np.maximum(ridge_strength(grey), ridge_strength(255 - grey))
    found, lost = np.zeros_like(crack), np.zeros_like(crack)
    for path in paths_of(skeletonize(crack)):
        moved, mean = strongest_path(strength, path)
        _draw(found, moved[mean >= FOUND])
        _draw(lost, path[mean < FOUND])
    result = mask.copy()
    doubtful = binary_dilation(crack, _EIGHT) | binary_dilation(found, _disk(_DOUBTFUL_PX))
    result[doubtful | binary_dilation(lost, _disk(REACH_PX))] = NOT_LABELLED_GREY
    result[binary_dilation(found, _disk(1))] = CRACK_GREY
    return result


def paths_of(thin: Mask) -> list[Path2D]:
    """The one pixel wide lines of `thin`, (H, W), cut at junctions, each in its order from end to end.

    Paths of fewer than 8 pixels are left out.
    """
    neighbours = convolve(thin.astype(np.uint8), np.ones((3, 3), np.uint8), mode="constant") - 1
    parts, count = label(thin & (neighbours <= 2), _EIGHT)
    found = []
    for index in range(1, count + 1):
        pixels = np.argwhere(parts == index)
        if len(pixels) >= _SHORTEST_PX:
            found.append(_in_order(pixels).astype(np.float64))
    return found


def _in_order(pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels of a line from one of its ends to the other; of a closed one from its first pixel."""
    left = {(int(row), int(col)) for row, col in pixels}
    steps = [(0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)]

    def beside(at: tuple[int, int]) -> list[tuple[int, int]]:
        return [place for r, c in steps if (place := (at[0] + r, at[1] + c)) in left]

    here = next((place for place in sorted(left) if len(beside(place)) == 1), min(left))
    ordered = [here]
    left.remove(here)
    while following := beside(here):
        here = following[0]
        left.remove(here)
        ordered.append(here)
    return np.array(ordered)


def strongest_path(strength: F32, path: Path2D) -> tuple[Path2D, NDArray[np.float64]]:
    """The strongest path (N, 2) beside `path` (N, 2), and its mean strength along about 20 px, (N,)."""
    smooth = gaussian_filter1d(path, 3.0, axis=0, mode="nearest")
    along = np.gradient(smooth, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    offsets = np.arange(-REACH_PX, REACH_PX + 1)
    places = path[:, None] + offsets[None, :, None] * across[:, None]
    seen = map_coordinates(strength, places.transpose(2, 0, 1), order=1, mode="nearest")
    chosen = _best_offsets(np.minimum(seen, _STRONGEST))
    every = np.arange(len(path))
    mean = gaussian_filter1d(np.minimum(seen, _STRONGEST)[every, chosen], _ALONG_PX, mode="nearest")
    return places[every, chosen], mean


def _best_offsets(gain: NDArray[np.float64]) -> NDArray[np.int64]:
    """The column in each row of `gain` (N, K) whose sum is greatest, less the cost of steps; (N,)."""
    rows, columns = gain.shape
    came_from = np.zeros((rows, columns), np.int64)
    total = gain[0].copy()
    for row in range(1, rows):
        wide = np.pad(total, 1, constant_values=-np.inf)
        choices = np.stack([wide[1:-1], wide[:-2] - _COST_OF_A_STEP, wide[2:] - _COST_OF_A_STEP])
        best = choices.argmax(axis=0)
        came_from[row] = np.arange(columns) + np.array([0, -1, 1])[best]
        total = choices.max(axis=0) + gain[row]
    chosen = np.empty(rows, np.int64)
    chosen[-1] = total.argmax()
    for row in range(rows - 1, 0, -1):
        chosen[row - 1] = came_from[row, chosen[row]]
    return chosen


def _draw(canvas: Mask, points: Path2D) -> None:
    at = np.rint(points).astype(int)
    inside = ((at >= 0) & (at < canvas.shape)).all(axis=1)
    canvas[tuple(at[inside].T)] = True


def _disk(radius_px: int) -> Mask:
    """A disk as structuring element."""
    far = np.ones((2 * radius_px + 1,) * 2, bool)
    far[radius_px, radius_px] = False
    return np.asarray(distance_transform_edt(far) <= radius_px)
