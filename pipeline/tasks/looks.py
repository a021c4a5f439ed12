"""Looks at several cores at a time, shrunk to one tile, besides the close looks at each.

The coarse look, at 4 x 4 cores, finds cracks too wide for the close look (`model.predict.coarse` says why).
The cheap look of `--cascade`, at 2 x 2 cores, comes first, and there is no close look where it finds nothing:
it costs a quarter of four close looks. If its probability is below the limit all over a core, that is sound.

Both lie on the fixed grid of the image, so the result does not depend on how the work was cut. A block whose
side is no multiple of 4 cores shares coarse looks with its neighbours, and each takes them again.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crackpipe.model.predict import coarse
from crackpipe.pipeline.geometry.grid import TILE_PX, Window
from crackpipe.pipeline.masks.values import level_of
from crackpipe.pipeline.raster.reader import reflected
from crackpipe.pipeline.tasks.job import Job, coarse_shift_of
from crackpipe.pipeline.tasks.network import Network
from crackpipe.pipeline.tasks.open_block import Canvas

# ---- the coarse look


def look_coarsely(job: Job, predictor: Network, canvas: Canvas) -> int:
    """Put what coarse looks find into `canvas.coarse`, where some are taken; returns how many."""
    shift = coarse_shift_of(canvas.image.gsd_mm, job)
    taken = [] if shift is None else canvas.grid.looks(canvas.cores, coarse.CORES)
    if shift is None or not taken:
        return 0
    tiles = [coarse.shrunk(canvas.rgb[each.within(canvas.outer)]) for each in taken]
    found = predictor.predict(np.stack(tiles))
    canvas.coarse = np.zeros_like(canvas.probability)
    for each, planes in zip(taken, found, strict=True):
        here = each.padded(-canvas.grid.halo_px).shared_with(canvas.window)
        for target, plane in zip(canvas.coarse, planes, strict=True):
            target[here.within(canvas.window)] = coarse.enlarged(plane, each.height, shift)[here.within(each)]
    return len(taken)


# ---- the cheap look

_CHEAP_CORES = 2
"""Along each side of a look."""


def spare(predictor: Network, canvas: Canvas, limit: float) -> int:
    """Take the cores that need no close look out of `canvas.cores` and mark them as sound; returns how many.

    `limit` is the probability, 0..1. Where the cheap look reaches it, a close look is needed.
    """
    taken = canvas.grid.looks(canvas.cores, _CHEAP_CORES)
    if not taken:
        return 0
    found = predictor.predict(np.stack([_shrunk(canvas, look) for look in taken])).max(axis=1)
    by_look = dict(zip(taken, found, strict=True))
    close = []
    for core in canvas.cores:
        [look] = canvas.grid.looks([core], _CHEAP_CORES)
        seen = _part(by_look[look], core, look)
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
