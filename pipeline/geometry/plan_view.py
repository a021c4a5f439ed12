"""Plan views: pictures whose pixels were looked up in the frame of a camera that looks ahead and down.

The way from the plan view to the frame is a homography H (Hartley and Zisserman, "Multiple View Geometry",
2nd edition, chapter 2). Its derivative D says how many pixels of the frame one pixel of the plan view is
long, in each direction. Where D stretches less than 1, the camera saw less than the plan view shows.

Legend
    H       (3, 3), takes (col, row, 1) of the plan view to (x, y, 1) depth; centres at whole numbers
    x, y    column and row in the frame
    depth   positive in front of the camera
    D       (2, 2), derivative of (x, y) by (col, row)
    t       unit tangent of a line in the plan view
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from crackpipe.pipeline.geometry.arrays import Bools, Floats
from crackpipe.pipeline.geometry.grid import Window

COARSEST = 2.5
"""A pixel is inspected where the camera's own pixel is at most so many times as long as it, both ways."""

MOST_FINE = 50.0
"""A camera with more pixels along one of the plan view cannot be meant."""

# Rows that are worked on together, so that their intermediate values stay in a core's cache.
_STRIP_PX = 1 << 15
# Places along a side at which the worst pixel is looked for.
_LOOKS = 512


@dataclass(frozen=True)
class PlanView:
    """How a plan view was made. Hashable and picklable."""

    homography: tuple[float, ...]
    """The nine numbers of H, row by row."""
    frame_px: tuple[int, int]
    """Rows and columns of the frame."""
    size_px: tuple[int, int]
    """Rows and columns of the plan view."""

    @property
    def matrix(self) -> Floats:
        """H, float64 (3, 3)."""
        return np.array(self.homography).reshape(3, 3)

    def part(self, window: Window) -> "PlanView":
        """The view of a window of the plan view, whose pixels are counted from its own corner."""
        shift = np.array([[1.0, 0.0, window.col], [0.0, 1.0, window.row], [0.0, 0.0, 1.0]])
        numbers = tuple((self.matrix @ shift).ravel().tolist())
        return PlanView(numbers, self.frame_px, (window.height, window.width))


def frame_pixels(view: PlanView, row: Floats, col: Floats) -> tuple[Floats, Floats, Floats]:
    """(x, y, depth) of pixels whose `row` and `col` broadcast to one shape, which is theirs.

    x and y are NaN or infinite at the horizon, and have no meaning behind the camera.
    """
    (a, b, c), (d, e, f), (g, h, i) = view.matrix
    depth = (h * row + i) + g * col
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return ((b * row + c) + a * col) / depth, ((e * row + f) + d * col) / depth, depth


def inspected(view: PlanView, window: Window) -> Bools:
    """Which pixels of a window are to be inspected, bool (height, width): seen, and finely enough.

    Each pixel's answer depends on its place alone. Pixels outside the plan view are answered like others.
    """
    found = np.empty((window.height, window.width), np.bool_)
    col = np.arange(window.col, window.col_stop, dtype=np.float64)[None]
    step = max(1, _STRIP_PX // max(window.width, 1))
    for low in range(0, window.height, step):
        high = min(low + step, window.height)
        row = np.arange(window.row + low, window.row + high, dtype=np.float64)[:, None]
        found[low:high] = _fine_and_seen(view, row, col)
    return found


def _fine_and_seen(view: PlanView, row: Floats, col: Floats) -> Bools:
    """Both eigenvalues of D^T D are at least t = COARSEST^-2: their sum is 2 t or more, and (l1 - t) (l2 - t)
    is not negative, which needs no root."""
    x, y, depth = frame_pixels(view, row, col)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        total, product = _sum_and_product(view, x, y, depth)
        least = COARSEST**-2
        fine = (total >= 2 * least) & (product - least * total + least**2 >= 0)
    return fine & _seen(view, x, y, depth)


def _seen(view: PlanView, x: Floats, y: Floats, depth: Floats) -> Bools:
    """Where a frame shows the ground: in front of the camera, between the middles of its outermost pixels."""
    rows, cols = view.frame_px
    return np.asarray((depth > 0) & (x >= 0) & (x <= cols - 1) & (y >= 0) & (y <= rows - 1))


def _sum_and_product(view: PlanView, x: Floats, y: Floats, depth: Floats) -> tuple[Floats, Floats]:
    """Sum and product of the eigenvalues of D^T D, with D = [[a - x g, b - x h], [d - y g, e - y h]] / depth
    and det D = det H / depth^3."""
    matrix = view.matrix
    (a, b, _), (d, e, _), (g, h, _) = matrix
    squares = (a * a + b * b + d * d + e * e) - 2 * (a * g + b * h) * x - 2 * (d * g + e * h) * y
    squares += (g * g + h * h) * (x * x + y * y)
    inverse = 1 / depth
    inverse *= inverse
    return squares * inverse, _determinant(matrix) ** 2 * inverse**3


def _determinant(matrix: Floats) -> float:
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    return float(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))


def coarseness(view: PlanView, row: Floats, col: Floats) -> Floats:
    """How many pixels of the plan view the camera's own pixel is long there, along its longer axis.

    `row` and `col` broadcast to one shape, which is that of the result. It is infinite where the frame does
    not show the ground.
    """
    x, y, depth = frame_pixels(view, row, col)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        total, product = _sum_and_product(view, x, y, depth)
        root = np.sqrt(np.maximum(total * total - 4 * product, 0.0))
        found = np.sqrt((total + root) / (2 * product))
    return np.where(_seen(view, x, y, depth), found, np.inf)


@lru_cache(maxsize=256)
def extremes(view: PlanView) -> tuple[float, float] | None:
    """The finest and the worst `coarseness` of the part that is inspected; None where nothing is.

    They are looked for at up to 512 x 512 places. Where the frame also shows what is too coarse, the worst
    is the limit itself.
    """
    row, col = (np.unique(np.linspace(0, side - 1, _LOOKS).round()) for side in view.size_px)
    found = coarseness(view, row[:, None], col[None])
    finest = float(found.min())
    if not finest <= COARSEST:
        return None
    return finest, min(COARSEST, float(found[np.isfinite(found)].max()))


def camera_px(view: PlanView, points: Floats, tangents: Floats) -> Floats:
    """How many pixels of the plan view the camera's own pixel is wide across lines, float (N,).

    `points` and unit `tangents` are (N, 2) (row, col). A circle of the frame is an ellipse here, and half its
    extent across the line is |D t| / |det D|. The result is bounded by `COARSEST` above, also where lines
    stray out of the part that is inspected.
    """
    x, y, depth = frame_pixels(view, points[:, 0], points[:, 1])
    matrix = view.matrix
    (a, b, _), (d, e, _), (g, h, _) = matrix
    down, right = tangents.T
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        along = np.hypot((a - x * g) * right + (b - x * h) * down, (d - y * g) * right + (e - y * h) * down)
        found = along * depth * depth / abs(_determinant(matrix))
    return np.where(np.isfinite(found) & (depth > 0), np.minimum(found, COARSEST), COARSEST)
