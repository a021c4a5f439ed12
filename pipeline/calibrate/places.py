"""Which blocks of a survey a calibration looks at: spread over images and within them."""

from collections.abc import Iterator, Sequence

import numpy as np

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import ImageRejectedError, rejecting
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.masks.values import NOT_INSPECTED
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.raster.validity.reasons import INSPECTED
from crackpipe.pipeline.tasks.job import Job, grid_of
from crackpipe.pipeline.tasks.open_block import Canvas

# Turns of the golden ratio visit the blocks of an image evenly, however many are taken.
_GOLDEN = 0.6180339887498949


def places_of(images: Sequence[SurveyImage], job: Job, places: int) -> list[tuple[SurveyImage, list[Window]]]:
    """About `places` blocks, spread evenly over images and within each, in order of image_id."""
    step = max(len(images) / places, 1.0)
    chosen = [images[int((k + 0.5) * step)] for k in range(min(len(images), places))]
    share = max(1, round(places / len(chosen)))
    return [(image, _spread(grid_of(image, job).blocks(), share)) for image in chosen]


def _spread(blocks: list[Window], count: int) -> list[Window]:
    if len(blocks) <= count:
        return blocks
    order: dict[int, None] = {}
    turn = 0.5
    while len(order) < count:
        order[int(turn * len(blocks))] = None
        turn = (turn + _GOLDEN) % 1.0
    return [blocks[index] for index in sorted(order)]


def canvases(image: SurveyImage, blocks: list[Window], job: Job) -> Iterator[Canvas]:
    """The blocks' pixels one by one; an image that fails is left with a word."""
    grid = grid_of(image, job)
    try:
        with rejecting(image.image_id), ImageReader(image) as reader:
            for block in blocks:
                cores = grid.cores(block)
                first, last = grid.tile(cores[0]), grid.tile(cores[-1])
                outer = Window(first.row, first.col, last.row_stop - first.row, last.col_stop - first.col)
                rgb, reasons = reader.read_with_reasons(outer)
                inner = reasons[block.within(outer)]
                shown = [core for core in cores if (inner[core.within(block)] == INSPECTED).any()]
                blank = np.full((len(job.classes), *inner.shape), NOT_INSPECTED, np.uint8)
                yield Canvas(image, grid, block, outer, rgb, inner, shown, blank)
    except ImageRejectedError as error:
        log.warning(f"{image.image_id} is left out: {error.message}")
