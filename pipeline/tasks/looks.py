"""Looks at several cores at a time, shrunk to one tile, besides the close looks at each.

The coarse look, at 4 x 4 cores, finds cracks too wide for the close look (`model.predict.coarse` says why).
With `--screen` it also decides where close looks are needed. If its suspicion (`model.predict.suspicion`) is
below the limit all over a core, that is sound. The look is taken anyhow, so this costs nothing.

Looks lie on the fixed grid of the image, so the result does not depend on how the work was cut. A block whose
side is no multiple of 4 cores shares coarse looks with its neighbours, and each takes them again.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from crackpipe.model.predict import coarse, suspicion
from crackpipe.pipeline.geometry.grid import TILE_PX, Window
from crackpipe.pipeline.tasks.job import Job, coarse_shift_of
from crackpipe.pipeline.tasks.network import Network
from crackpipe.pipeline.tasks.open_block import Canvas


def look_coarsely(job: Job, predictor: Network, canvas: Canvas) -> tuple[int, int]:
    """Put what coarse looks find into `canvas.coarse`, where some are taken; with a screen, leave cores out.

    Returns how many looks were taken, and how many cores need no close look.
    """
    shift = coarse_shift_of(canvas.image.gsd_mm, job)
    taken = [] if shift is None else canvas.grid.looks(canvas.cores, coarse.CORES)
    if shift is None or not taken:
        return 0, 0
    tiles = np.stack([coarse.shrunk(canvas.rgb[each.within(canvas.outer)]) for each in taken])
    found = predictor.predict(tiles) if job.screen is None else predictor.suspect(tiles)
    canvas.coarse = np.zeros_like(canvas.probability)
    for each, planes in zip(taken, found, strict=True):
        here = each.padded(-canvas.grid.halo_px).shared_with(canvas.window)
        for target, plane in zip(canvas.coarse, planes[: len(canvas.coarse)], strict=True):
            target[here.within(canvas.window)] = coarse.enlarged(plane, each.height, shift)[here.within(each)]
    if job.screen is None:
        return len(taken), 0
    return len(taken), _spare(canvas, dict(zip(taken, found[:, -1], strict=True)), job.screen)


def _spare(canvas: Canvas, suspicions: Mapping[Window, NDArray[np.uint8]], limit: float) -> int:
    """Take cores below the limit out of `canvas.cores` and mark them as sound; returns how many.

    `suspicions` has the levels that each look found, uint8 (448, 448).
    """
    least, valid, close = suspicion.level_from(limit), canvas.valid, []
    for core in canvas.cores:
        [look] = canvas.grid.looks([core], coarse.CORES)
        if suspicion_of(suspicions[look], core, look) >= least:
            close.append(core)
        else:
            here = core.within(canvas.window)
            canvas.probability[(slice(None), *here)] = 0
            canvas.screened_px += int(np.count_nonzero(valid[here]))
    spared = len(canvas.cores) - len(close)
    canvas.cores = close
    return spared


def suspicion_of(found: NDArray[np.uint8], core: Window, look: Window) -> int:
    """The highest level of a look, uint8 (448, 448), inside a core and one of the look's pixels around."""
    scale = TILE_PX / look.height
    rows, cols = core.within(look)
    row, col = max(int(rows.start * scale) - 1, 0), max(int(cols.start * scale) - 1, 0)
    row_stop, col_stop = int(np.ceil(rows.stop * scale)) + 1, int(np.ceil(cols.stop * scale)) + 1
    return int(found[row:row_stop, col:col_stop].max())
