"""The camera's blur from straight, sharp edges: lane paint above all.

A step of light seen by a camera of Gaussian blur is an erf. In each cell of the picture with one clear
direction, the step is fitted to the grey values of the single pixels along it. Position, direction, bend and
blur are fitted together. The edge crosses the pixel grid at a slant, so that it is sampled far finer than a
pixel. This is the slanted edge of ISO 12233 without its binning:

    f(s, t) = B + G s + D/2 erf((s - mu - a t - c t^2) / (sqrt2 sigma)),   sigma^2 = sigma_psf^2 + 1/12 px^2

Worn paint and shadows are soft by themselves, but no edge looks sharper than the camera allows. So the blur
is taken from the sharpest edges, after the scatter of the single fits is taken out.

Legend
    E       edges
    s, t    distance of a pixel across and along the edge, px
    D       step, grey values
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.optimize import least_squares
from scipy.special import erf, ndtri

from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.plan_view import PlanView, camera_px
from crackpipe.pipeline.width.blur import camera_sigma_px

_CELL_PX = 48
_HALF_LENGTH_PX, _HALF_WIDTH_PX = 24.0, 9.0
_PER_PICTURE = 30
_SMOOTH_PX = 1.5
_LEAST_STEP = 30.0
# Slope of the least step at its middle, after the smoothing here and the blur of a camera with 1.3 px.
_STRONG = _LEAST_STEP / (np.sqrt(2.0 * np.pi) * 2.0)
_ONE_DIRECTION = 0.9
_CLIPPED_GREY, _CLIPPED_SHARE = 254.0, 0.02
_STEP_OVER_NOISE = 3.0
_SIGMA_RANGE_PX = (0.15, 4.0)
_LARGEST_LN_SD = 0.25
_LEAST_SIGMA_PX = 0.3
_PIXEL_VARIANCE = 1.0 / 12.0
# Pixels within a stretch of this length share the pavement's texture, so they are not independent.
_STRETCH_PX = 4.0
_EDGE_PARAMETERS = 4
_SHARP_SHARE = 0.2
_RESAMPLES = 200

B, G, D, MU, A, C, LN_SIGMA = range(7)


@dataclass(frozen=True)
class Edges:
    """E edges, each fitted on its own."""

    sigma_px: Floats
    """(E,) blur without that of the pixel's own area; 0 if an edge looks sharper than a pixel."""
    sd_px: Floats
    """(E,) standard deviation of `sigma_px`, from the noise around the edge."""
    normal: Floats
    """(E, 2) unit (row, col) across the edge."""
    step_grey: Floats
    """(E,) size of the step."""
    centre: Floats
    """(E, 2) (row, col) of the picture."""

    @staticmethod
    def joined(parts: "list[Edges]") -> "Edges":
        """All edges of several pictures."""
        empty = Edges(np.zeros(0), np.zeros(0), np.zeros((0, 2)), np.zeros(0), np.zeros((0, 2)))
        return Edges(*(np.concatenate([getattr(p, f.name) for p in [empty, *parts]]) for f in fields(Edges)))


@dataclass(frozen=True)
class _Patch:
    """The pixels around one candidate."""

    s: Floats
    t: Floats
    grey: Floats
    normal: Floats
    """(2,)."""
    centre: Floats
    """(2,)."""


def find_edges(grey: NDArray[np.float32], valid: NDArray[np.bool_]) -> Edges:
    """Fit the clearest edges of one picture: `grey` float32 (H, W) in linear light, `valid` bool (H, W)."""
    found = [edge for patch in _patches(grey, valid) if (edge := _fitted(patch)) is not None]
    return Edges.joined([Edges(*(np.array([value]) for value in edge)) for edge in found])


def _patches(grey: NDArray[np.float32], valid: NDArray[np.bool_]) -> Iterator[_Patch]:
    """Surroundings of the cells with the strongest single edge, strongest first."""
    row_slope, col_slope = (gaussian_filter(grey, _SMOOTH_PX, order=order) for order in ((1, 0), (0, 1)))
    strong = (np.hypot(row_slope, col_slope) >= _STRONG) & valid
    height, width = (side // _CELL_PX * _CELL_PX for side in grey.shape)
    candidates = []
    for row in range(0, height, _CELL_PX):
        for col in range(0, width, _CELL_PX):
            cell = slice(row, row + _CELL_PX), slice(col, col + _CELL_PX)
            there = np.argwhere(strong[cell])
            if len(there) < _CELL_PX // 2:
                continue
            slopes = np.column_stack([slope[cell][strong[cell]] for slope in (row_slope, col_slope)])
            normal = np.linalg.eigh(slopes.T.astype(np.float64) @ slopes)[1][:, 1]
            along = slopes @ normal
            # A crack or a joint has slopes to both sides, and a corner has two directions. Neither is an
            # edge.
            if abs(along.sum()) < _ONE_DIRECTION * np.hypot(slopes[:, 0], slopes[:, 1]).sum():
                continue
            normal = normal * np.sign(along.sum())
            weight = np.abs(along)
            centre = (there * weight[:, None]).sum(axis=0) / weight.sum() + (row, col)
            candidates.append((-float(np.median(weight)), row, col, centre, normal))
    for _, _, _, centre, normal in sorted(candidates, key=lambda each: each[:3])[:_PER_PICTURE]:
        patch = _patch(grey, valid, centre, normal)
        if patch is not None:
            yield patch


def _patch(
    grey: NDArray[np.float32], valid: NDArray[np.bool_], centre: Floats, normal: Floats
) -> _Patch | None:
    """The pixels of a rectangle along the edge; None if any is missing or too many are overexposed."""
    reach = int(np.hypot(_HALF_LENGTH_PX, _HALF_WIDTH_PX)) + 1
    first = np.rint(centre).astype(int) - reach
    if (first < 0).any() or (first + 2 * reach >= grey.shape).any():
        return None
    part = tuple(slice(int(low), int(low) + 2 * reach + 1) for low in first)
    row, col = np.indices((2 * reach + 1, 2 * reach + 1)).astype(np.float64)
    row, col = row + first[0] - centre[0], col + first[1] - centre[1]
    s, t = row * normal[0] + col * normal[1], col * normal[0] - row * normal[1]
    inside = (np.abs(s) <= _HALF_WIDTH_PX) & (np.abs(t) <= _HALF_LENGTH_PX)
    values = grey[part][inside].astype(np.float64)
    if not valid[part][inside].all() or np.mean(values >= _CLIPPED_GREY) > _CLIPPED_SHARE:
        return None
    return _Patch(s[inside], t[inside], values, normal, centre)


def _step(patch: _Patch, theta: Floats) -> tuple[Floats, Floats]:
    """f (M,) and its Jacobian (M, 7) at the patch's M pixels."""
    sigma = np.exp(theta[LN_SIGMA])
    away = patch.s - theta[MU] - theta[A] * patch.t - theta[C] * patch.t**2
    z = away / (np.sqrt(2.0) * sigma)
    half, gauss = erf(z) / 2.0, np.exp(-z * z) / (np.sqrt(2.0 * np.pi) * sigma) * theta[D]
    ones = np.ones_like(half)
    columns = [ones, patch.s, half, -gauss, -gauss * patch.t, -gauss * patch.t**2, -gauss * away]
    return theta[B] + theta[G] * patch.s + theta[D] * half, np.stack(columns, axis=1)


def _fitted(patch: _Patch) -> tuple[float, float, Floats, float, Floats] | None:
    """The fields of `Edges` for one candidate; None if it is no clear edge."""
    dark = float(np.median(patch.grey[patch.s < -_HALF_WIDTH_PX / 2]))
    bright = float(np.median(patch.grey[patch.s > _HALF_WIDTH_PX / 2]))
    if bright - dark < _LEAST_STEP:
        return None
    start = np.array([(dark + bright) / 2, 0.0, bright - dark, 0.0, 0.0, 0.0, np.log(0.9)])
    fit = least_squares(
        lambda theta: _step(patch, theta)[0] - patch.grey,
        start,
        lambda theta: _step(patch, theta)[1],
        loss="soft_l1",
        f_scale=0.2 * (bright - dark),
        x_scale=np.array([10.0, 1.0, 10.0, 0.3, 0.02, 1e-3, 0.3]),
        max_nfev=40,
    )
    theta = fit.x
    value, jacobian = _step(patch, theta)
    residual = patch.grey - value
    total = float(np.exp(theta[LN_SIGMA]))
    ln_sd = _ln_sigma_sd(patch, residual, jacobian)
    clear = theta[D] >= max(_LEAST_STEP, _STEP_OVER_NOISE * float(np.std(residual)))
    if not (clear and _SIGMA_RANGE_PX[0] <= total <= _SIGMA_RANGE_PX[1] and ln_sd <= _LARGEST_LN_SD):
        return None
    sigma = float(np.sqrt(max(total**2 - _PIXEL_VARIANCE, 0.0)))
    # d sigma = total / sigma * d total grows without limit as sigma nears 0, so the divisor has a least
    # value.
    return sigma, ln_sd * total**2 / max(sigma, _LEAST_SIGMA_PX), patch.normal, float(theta[D]), patch.centre


def _ln_sigma_sd(patch: _Patch, residual: Floats, jacobian: Floats) -> float:
    """Standard deviation of ln sigma from the scatter between stretches of the edge (sandwich estimate).

    Neighbouring pixels share the pavement's texture. To treat them as independent would give too small a
    value.
    """
    stretch = ((patch.t + _HALF_LENGTH_PX) / _STRETCH_PX).astype(np.int64)
    pulls = np.stack([np.bincount(stretch, residual * column) for column in jacobian.T], axis=1)
    try:
        bread = np.linalg.inv(jacobian.T @ jacobian)
    except np.linalg.LinAlgError:
        return np.inf
    # The fit has followed some of the scatter. This makes up for the four parameters that act at the edge
    # only: position, direction, bend and blur.
    lost = len(pulls) / max(len(pulls) - _EDGE_PARAMETERS, 1)
    return float(np.sqrt(lost * (bread @ (pulls.T @ pulls) @ bread)[LN_SIGMA, LN_SIGMA]))


def in_camera_px(edges: Edges, view: PlanView | None) -> Edges:
    """Edges of a plan view with their blur in pixels of the camera; those of other images as they are."""
    if view is None:
        return edges
    along = edges.normal[:, ::-1] * [1.0, -1.0]
    stretch = camera_px(view, edges.centre, along)
    sigma = camera_sigma_px(edges.sigma_px, stretch)
    # d sigma of the camera = sigma / (stretch^2 sigma of the camera) d sigma
    slope = edges.sigma_px / (stretch**2 * np.maximum(sigma, _LEAST_SIGMA_PX))
    return replace(edges, sigma_px=sigma, sd_px=edges.sd_px * slope)


def sharp_blur(sigma_px: Floats, sd_px: Floats) -> float:
    """The blur of the sharpest edges of (E,): the 20 % quantile, without the scatter of the single fits.

    Both spreads, that of the edges and that of the fits, are taken as normal between the quantile and the
    median. Raises ValueError if there are no edges.
    """
    if len(sigma_px) == 0:
        raise ValueError("there are no edges; at least one is needed")
    middle = float(np.median(sigma_px))
    below = -float(ndtri(_SHARP_SHARE))
    spread = (middle - float(np.quantile(sigma_px, _SHARP_SHARE))) / below
    true_spread = np.sqrt(max(spread**2 - float(np.median(sd_px)) ** 2, 0.0))
    return max(middle - below * float(true_spread), 0.0)


def sharp_blur_sd(sigma_px: Floats, sd_px: Floats) -> float:
    """Standard deviation of `sharp_blur`, px, found by drawing edges (E,) with replacement."""
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(sigma_px), (_RESAMPLES, len(sigma_px)))
    return float(np.std([sharp_blur(sigma_px[draw], sd_px[draw]) for draw in draws]))
