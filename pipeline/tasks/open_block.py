"""Room 1 for one unit: its blocks with their pixels, read ahead of the network.

A block is read together with the halo of its outermost tiles. So every tile is a slice of memory, and no
part of a file is decoded twice for one block.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crackpipe.model.predict import coarse
from crackpipe.pipeline.errors import ImageRejectedError, rejecting
from crackpipe.pipeline.familiarity.places import Told
from crackpipe.pipeline.geometry.grid import TILE_PX, Block, Grid, Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.masks.values import NOT_INSPECTED, classify
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.raster.validity.reasons import INSPECTED, NO_NUMBER, OUTSIDE_REGION
from crackpipe.pipeline.state.staging import block_figures, is_published
from crackpipe.pipeline.survey import region
from crackpipe.pipeline.tasks.job import Job, UnitFigures, coarse_shift_of, grid_of

AHEAD_TILES = 64
"""Small blocks are read ahead up to so many tiles, as many as a full block has."""

_NO_PIXELS = np.empty((0, 0, 3), np.uint8)


@dataclass
class Canvas:
    """One block on its way: its pixels, and the probabilities pasted so far."""

    image: SurveyImage
    grid: Grid
    window: Window
    outer: Window
    """The window with the halo of its tiles and looks; reaches beyond the image."""
    rgb: NDArray[np.uint8]
    """(rows, cols, 3) of `outer`; empty where no core is to be predicted, or none any more."""
    reasons: NDArray[np.uint8]
    """(h, w) of `window`: why a pixel is not inspected, 0 where it is (`raster.validity.reasons`)."""
    cores: list[Window]
    """The cores to predict, in order; those without a valid pixel are left out."""
    probability: NDArray[np.uint8]
    """(classes, h, w) of `window`, NOT_INSPECTED until pasted."""
    coarse: NDArray[np.uint8] | None = None
    """What coarse looks found, as `probability`; None where none was taken."""
    screened_px: int = 0
    """Inspected pixels of cores that get no close look, because the coarse one found them sound."""
    said: tuple[str, ...] = ()
    """Sentences for a person about the image."""
    told: tuple[Told, ...] = ()
    """What some of its tiles tell of the image's familiarity (`familiarity.places`)."""
    smaller_batches: bool = False
    """Whether memory forced smaller batches for some tile: its probabilities may differ by 1/254."""

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(h, w) of `window`: True where the pixel is inspected."""
        return np.asarray(self.reasons == INSPECTED)

    def tile(self, core: Window) -> NDArray[np.uint8]:
        """The network's input (448, 448, 3) for a core."""
        return _resized(self.rgb[self.grid.tile(core).within(self.outer)], TILE_PX)

    def paste(self, core: Window, result: NDArray[np.uint8]) -> None:
        """Keep the core of a tile's result (classes, 448, 448)."""
        rows, cols = core.within(self.grid.tile(core))
        kept = np.stack([_answer_resized(plane, self.grid.tile_px)[rows, cols] for plane in result])
        self.probability[(slice(None), *core.within(self.window))] = kept

    def leave_out(self) -> None:
        """Mark what is not inspected in the probability."""
        outside = ~self.valid
        if outside.any():
            self.probability[:, outside] = NOT_INSPECTED

    def classified(self, threshold: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Mask and probability, uint8 (h, w) of `window` each, NOT_INSPECTED where the road was not seen.

        What coarse looks found is in them. Call it once, when all cores are pasted: of one class the
        probability is the canvas's own array. From then on `reasons` knows where the network answered with no
        number.
        """
        self._give_reason_for_no_number()
        self.leave_out()
        self._join_coarse()
        mask, probability = classify(self.probability, threshold)
        mask[~self.valid] = NOT_INSPECTED
        return mask, probability

    def _give_reason_for_no_number(self) -> None:
        for plane in self.probability:
            no_number = self.valid & (plane == NOT_INSPECTED)
            if no_number.any():
                self.reasons = np.where(no_number, np.uint8(NO_NUMBER), self.reasons)

    def _join_coarse(self) -> None:
        if self.coarse is None:
            return
        for core in self.grid.cores(self.window):
            here = core.within(self.window)
            for close, found in zip(self.probability, self.coarse, strict=True):
                coarse.join(close[here], found[here])
        self.coarse = None

    def drop_pixels(self) -> None:
        """Forget the pixels, the largest part of a block: no tile is to be cut from it any more."""
        self.rgb = _NO_PIXELS


def _resized(square: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """A square image, uint8 (s, s) or (s, s, 3), at another size; antialiased where it shrinks."""
    if square.shape[0] == side_px:
        return square
    return np.asarray(Image.fromarray(square).resize((side_px, side_px), Image.Resampling.BILINEAR))


def _answer_resized(plane: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """A class of the network's answer, uint8 (448, 448), at another size; 255, no number, is not blended."""
    resized = _resized(plane, side_px)
    no_number = plane == NOT_INSPECTED
    if resized is plane or not no_number.any():
        return resized
    # between 255 and 0 would lie what looks like a crack
    touched = _resized(no_number * np.uint8(255), side_px) > 0
    return np.where(touched, np.uint8(NOT_INSPECTED), resized)


def canvases(
    job: Job,
    images: Mapping[str, SurveyImage],
    unit: tuple[Block, ...],
    reading: ThreadPoolExecutor,
    figures: UnitFigures,
    *,
    wait_for_turn: Callable[[], object],
) -> Iterator[Canvas]:
    """The unit's unfinished blocks with their pixels, read ahead; rejected images are left out.

    `wait_for_turn` is called before each is handed out. While the first block waits there, more blocks are
    read only if they are small: all together at most `AHEAD_TILES` tiles.
    """
    blocks = deque(block for block in unit if not _is_finished(job, block))
    source = _Source(job, images, figures)
    ahead: deque[tuple[Block, Future[Canvas]]] = deque()

    def read_ahead() -> None:
        while blocks and (not ahead or sum(b.tiles for b, _ in ahead) + blocks[0].tiles <= AHEAD_TILES):
            next_block = blocks.popleft()
            ahead.append((next_block, reading.submit(source.read, next_block)))

    while blocks or ahead:
        read_ahead()
        block, future = ahead.popleft()
        try:
            with figures.stage("waiting"):
                canvas = future.result()
        except ImageRejectedError as error:
            figures.rejected.setdefault(block.image_id, error)
            continue
        wait_for_turn()
        read_ahead()  # while this one is worked on
        yield canvas
    reading.submit(source.close).result()


def _is_finished(job: Job, block: Block) -> bool:
    if is_published(job.output, block.image_id):
        return True
    staging = job.output.staging(block.image_id)
    return block_figures(staging, block.window.row, block.window.col) is not None


def open_canvas(job: Job, image: SurveyImage, block: Window, opened: Callable[[], ImageReader]) -> Canvas:
    """A block with its pixels. `opened` gives the image's reader; it is called only where pixels are needed.

    Raises ImageRejectedError.
    """
    grid = grid_of(image, job)
    cores = grid.cores(block)
    wanted = region.inside(image, block, cores)
    if wanted is None or wanted.any():
        outer = _outer(grid, block, with_looks=coarse_shift_of(image.gsd_mm, job) is not None)
        with rejecting(image.image_id):
            reader = opened()
            rgb, reasons = reader.read_with_reasons(outer)
            said = reader.said
        inner = reasons[block.within(outer)]
        if wanted is not None:
            inner[~wanted] = OUTSIDE_REGION
    else:  # nothing in this block is to be inspected, so it is not read
        outer, rgb, said = block, _NO_PIXELS, ()
        inner = np.full(wanted.shape, OUTSIDE_REGION, np.uint8)
    return Canvas(
        image=image,
        grid=grid,
        window=block,
        outer=outer,
        rgb=rgb,
        reasons=inner,
        cores=[core for core in cores if (inner[core.within(block)] == INSPECTED).any()],
        probability=np.full((len(job.classes), block.height, block.width), NOT_INSPECTED, np.uint8),
        said=said,
    )


def _outer(grid: Grid, block: Window, *, with_looks: bool) -> Window:
    """A block with the halo of its tiles and, if asked for, of its coarse looks."""
    shown = [grid.tile(core) for core in grid.cores(block)]
    if with_looks:
        shown += grid.looks(grid.cores(block), coarse.CORES)
    row, col = min(each.row for each in shown), min(each.col for each in shown)
    row_stop, col_stop = max(each.row_stop for each in shown), max(each.col_stop for each in shown)
    return Window(row, col, row_stop - row, col_stop - col)


class _Source:
    """Reads blocks, all in one thread, keeping the handle of the current image open."""

    def __init__(self, job: Job, images: Mapping[str, SurveyImage], figures: UnitFigures) -> None:
        self._job = job
        self._images = images
        self._figures = figures
        self._reader: ImageReader | None = None

    def read(self, block: Block) -> Canvas:
        """Raises ImageRejectedError; an image that was rejected once is not read again."""
        if block.image_id in self._figures.rejected:
            raise self._figures.rejected[block.image_id]
        with self._figures.stage("decoding"):
            return self._canvas(block)

    def _canvas(self, block: Block) -> Canvas:
        image = self._images[block.image_id]
        canvas = open_canvas(self._job, image, block.window, lambda: self._open(image))
        self._figures.skipped += block.tiles - len(canvas.cores)
        return canvas

    def _open(self, image: SurveyImage) -> ImageReader:
        if self._reader is None or self._reader.image.image_id != image.image_id:
            self.close()
            self._reader = ImageReader(image).__enter__()
        return self._reader

    def close(self) -> None:
        """Close the open image, if any."""
        if self._reader is not None:
            self._reader.__exit__(None, None, None)
            self._reader = None
