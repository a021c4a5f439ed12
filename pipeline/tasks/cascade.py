"""`--cascade`: a cheap look first, at about half resolution, and no close look where it finds nothing.

Strategy: one cheap look covers 2 x 2 cores with the halo of their tiles, shrunk to one tile. So it costs a
quarter of four close looks. If its probability is below the limit all over a core, the core is sound. Groups
of cores lie on the fixed grid of the image, so the result does not depend on how the work was cut.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crackpipe.pipeline.geometry.grid import TILE_PX, Window
from crackpipe.pipeline.masks.values import level_of
from crackpipe.pipeline.raster.reader import reflected
from crackpipe.pipeline.tasks.network import Network
from crackpipe.pipeline.tasks.open_block import Canvas


def spare(predictor: Network, canvas: Canvas, limit: float) -> int:
    """Take the cores that need no close look out of `canvas.cores` and mark them as sound; returns how many.

    `limit` is the probability, 0..1. Where the cheap look reaches it, a close look is needed.
    """
    core_px, halo_px = canvas.grid.core_px, canvas.grid.halo_px
    step, side = 2 * core_px, 2 * (core_px + halo_px)
    groups = sorted({(core.row // step * step, core.col // step * step) for core in canvas.cores})
    if not groups:
        return 0
    looks = [Window(row - halo_px, col - halo_px, side, side) for row, col in groups]
    found = predictor.predict(np.stack([_shrunk(canvas, look) for look in looks])).max(axis=1)
    by_group = dict(zip(groups, found, strict=True))
    close = []
    for core in canvas.cores:
        row, col = core.row // step * step, core.col // step * step
        seen = _part(by_group[row, col], core, Window(row - halo_px, col - halo_px, side, side))
        # NOT_INSPECTED is no probability but is above every limit, so that it too gets a close look.
        if seen.max() >= level_of(limit):
            close.append(core)
        else:
            canvas.probability[(slice(None), *core.within(canvas.window))] = 0
    spared = len(canvas.cores) - len(close)
    canvas.cores = close
    return spared


def _shrunk(canvas: Canvas, look: Window) -> NDArray[np.uint8]:
    """The pixels of a look as one tile, uint8 (448, 448, 3). Pixels beyond the block's are reflected."""
    rows = reflected(look.row - canvas.outer.row, look.height, canvas.outer.height)
    cols = reflected(look.col - canvas.outer.col, look.width, canvas.outer.width)
    pixels = Image.fromarray(canvas.rgb[rows][:, cols])
    return np.asarray(pixels.resize((TILE_PX, TILE_PX), Image.Resampling.BILINEAR))


def _part(found: NDArray[np.uint8], core: Window, look: Window) -> NDArray[np.uint8]:
    """The probability of the look inside a core and one of its pixels around, uint8."""
    scale = TILE_PX / look.height
    rows, cols = core.within(look)
    row, col = max(int(rows.start * scale) - 1, 0), max(int(cols.start * scale) - 1, 0)
    return found[row : int(np.ceil(rows.stop * scale)) + 1, col : int(np.ceil(cols.stop * scale)) + 1]
