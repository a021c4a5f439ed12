"""Which blocks of a survey a calibration looks at. They are spread over images and within them."""

from collections.abc import Iterator, Sequence

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import ImageRejectedError, rejecting
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.tasks.job import Job, grid_of
from crackpipe.pipeline.tasks.open_block import Canvas, open_canvas

# Steps of the golden ratio spread the chosen blocks evenly over an image, however many are chosen.
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
    """The blocks' pixels, one block at a time.

    If the image fails, a warning is logged and no more blocks come.
    """
    try:
        with rejecting(image.image_id), ImageReader(image) as reader:
            for block in blocks:
                yield open_canvas(job, image, block, lambda: reader)
    except ImageRejectedError as error:
        log.warning(f"{image.image_id} is left out: {error.message}")
