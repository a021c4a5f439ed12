"""Cells of a window move onto the crack where it strays from the line, and stay where there is none."""

import numpy as np
import pytest

from crackpipe.pipeline.width.follow import shifts_px
from crackpipe.pipeline.width.samples import Samples
from crackpipe.pipeline.width.windows import SIDE_PX

BINS = 40
REACH = 10.0


def window(stray_px: list[float], contrast: float, noise: float = 5.0) -> Samples:
    """One window at a small angle: a 2 px slot whose centre strays from the line, cell by cell of 10 px."""
    rows, cols = (grid.ravel() for grid in np.mgrid[-10:11, : 10 * len(stray_px)])
    offset = rows + 0.37 * cols % 1.0 - 0.5
    centre = np.array(stray_px)[cols // 10]
    cover = np.exp(-0.5 * ((offset - centre) / 0.9) ** 2)
    grey = 120.0 - contrast * cover + np.random.default_rng(1).normal(0.0, noise, len(rows))
    zero = np.zeros(len(rows), np.int64)
    return Samples(window=zero, row=rows, col=cols, offset_px=offset, cell=cols // 10, grey=grey)


def shifts_of(samples: Samples, texture: float) -> np.ndarray:
    side = np.abs(samples.offset_px) > REACH - SIDE_PX
    found = shifts_px(samples, np.array([REACH]), np.array([texture]), side, bins=BINS)
    cells = samples.cell.max() + 1
    assert all(len(np.unique(found[samples.cell == cell])) == 1 for cell in range(cells))
    return np.array([found[samples.cell == cell][0] for cell in range(cells)])


def test_cells_move_onto_a_dark_crack() -> None:
    stray = [-0.6, -0.3, 0.0, 0.3, 0.6]
    found = shifts_of(window(stray, contrast=60.0), texture=25.0)
    # to half a bin
    assert found == pytest.approx(stray, abs=0.25)


def test_nothing_moves_where_there_is_no_crack_or_no_known_texture() -> None:
    assert np.abs(shifts_of(window([0.6] * 5, contrast=0.0), texture=25.0)).max() < 0.2
    assert np.abs(shifts_of(window([-0.5, 0.5], contrast=60.0), texture=np.nan)).max() < 1e-9
