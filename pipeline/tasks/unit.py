"""Rooms 1 to 3 for one unit: read blocks, predict their tiles, write their masks.

Strategy: the tiles of all blocks of the unit form one stream, so that every batch but the last is full
even when a block holds only two tiles. While the network works on some blocks, one thread reads the next ones
and other threads write the finished ones. Both queues hold a limited number of tiles, which bounds memory. A
bad image drops out of the stream; the others go on.
"""

import platform
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.errors import MemoryShortError, StorageError, noticing_short_memory
from crackpipe.pipeline.familiarity.places import Told, offers
from crackpipe.pipeline.geometry.grid import Block, Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.state import writers
from crackpipe.pipeline.tasks import looks
from crackpipe.pipeline.tasks.job import Job, UnitFigures
from crackpipe.pipeline.tasks.network import Network, encoder_of, predictor_of
from crackpipe.pipeline.tasks.open_block import Canvas, canvases
from crackpipe.pipeline.tasks.writing import Writing

if TYPE_CHECKING:  # the module imports torch
    from crackpipe.model.predict.encoder import Encoder


def inspect_unit(job: Job, images: Mapping[str, SurveyImage], unit: tuple[Block, ...]) -> UnitFigures:
    """Predict the blocks of one unit and write their masks into the images' staging folders.

    `images` holds the images the unit touches. Raises StorageError or OutputNotWritableError where the
    output fails, MemoryShortError; what is wrong with an image is in the returned figures.
    """
    _check_storage(job, images)
    with writers.writing(job.output, job.run), noticing_short_memory():
        return _inspect(job, images, unit)


def _inspect(job: Job, images: Mapping[str, SurveyImage], unit: tuple[Block, ...]) -> UnitFigures:
    figures = UnitFigures()
    predictor, encoder = predictor_of(job), encoder_of(job)
    with (
        ThreadPoolExecutor(1, "read") as reading,
        Writing(job, figures) as writing,
        _Turn(predictor) as turn,
    ):
        computing = Computing(job, predictor, figures)
        for canvas in canvases(job, images, unit, reading, figures, wait_for_turn=turn.take):
            if encoder is not None:
                with _short_memory(), figures.stage("computing"):
                    canvas.told = _told(encoder, canvas)
            with _short_memory(), figures.stage("computing"):
                taken, spared = looks.look_coarsely(job, predictor, canvas)
            canvas.smaller_batches |= taken > 0 and _in_smaller_batches(job, predictor)
            figures.coarse += taken
            figures.spared += spared
            for complete in computing.complete_after(canvas):
                writing.submit(complete)
        for complete in computing.finish():
            writing.submit(complete)
        turn.give()
        writing.finish()
    return figures


def _told(encoder: "Encoder", canvas: Canvas) -> tuple[Told, ...]:
    """What some tiles of a block tell of the familiarity of its image."""
    some = offers(canvas.grid, canvas.window, canvas.cores, canvas.valid)
    found = [encoder.familiarity(canvas.tile(offer.core)) for offer in some]
    return tuple((*offer.cell, offer.order, each) for offer, each in zip(some, found, strict=True))


def _in_smaller_batches(job: Job, predictor: Network) -> bool:
    """Whether the tiles of now go through the network fewer at a time than was asked for.

    On a CPU they go one by one, whatever the batch, so that nothing differs.
    """
    return predictor.device != "cpu" and (predictor.batch_reduced or job.smaller_batches)


class _Turn:
    """On a CPU only one unit of a process computes at a time; the next one waits with its first block read.

    Memory then holds no more than that one block of it. On a GPU nobody waits: batches of all units of a
    process are computed as they come.
    """

    _lock = threading.Lock()

    def __init__(self, predictor: Network) -> None:
        self._needed = predictor.device == "cpu"
        self._taken = False

    def __enter__(self) -> "_Turn":
        return self

    def __exit__(self, *_: object) -> None:
        self.give()

    def take(self) -> None:
        """Wait for the turn, the first time."""
        if self._needed and not self._taken:
            self._taken = self._lock.acquire()

    def give(self) -> None:
        """Let the next unit compute."""
        if self._taken:
            self._lock.release()
        self._needed = self._taken = False


class Computing:
    """Sends the tiles of all blocks through the network in batches.

    On a GPU one batch is computed while the next one is cut out of its blocks.
    """

    def __init__(self, job: Job, predictor: Network, figures: UnitFigures) -> None:
        self._job = job
        self._predictor = predictor
        self._figures = figures
        self._batch = job.config.batch
        self._ahead = 0 if predictor.device == "cpu" else 1
        self._pending: list[tuple[Canvas, Window]] = []
        self._started: deque[tuple[list[tuple[Canvas, Window]], Callable[[], NDArray[np.uint8]]]] = deque()

    def complete_after(self, canvas: Canvas) -> Iterator[Canvas]:
        """Take a block in, and give out those that are complete meanwhile."""
        if not canvas.cores:
            yield canvas
        for core in canvas.cores:
            self._pending.append((canvas, core))
            if len(self._pending) == self._batch:
                yield from self._begin()

    def finish(self) -> Iterator[Canvas]:
        """The blocks still under way."""
        if self._pending:
            yield from self._begin()
        while self._started:
            yield from self._collect()

    def _begin(self) -> Iterator[Canvas]:
        batch, self._pending = self._pending, []
        with self._figures.stage("copying"):
            tiles = np.stack([canvas.tile(core) for canvas, core in batch])
            with _short_memory():
                self._started.append((batch, self._predictor.begin(tiles)))
        while len(self._started) > self._ahead:
            yield from self._collect()

    def _collect(self) -> Iterator[Canvas]:
        """Wait for the oldest batch, paste its cores, and give out the blocks that are complete with it."""
        batch, result = self._started.popleft()
        with self._figures.stage("computing"):
            probability = result()
        self._figures.tiles += len(batch)
        smaller = _in_smaller_batches(self._job, self._predictor)
        with self._figures.stage("copying"):
            for (canvas, core), of_tile in zip(batch, probability, strict=True):
                canvas.paste(core, of_tile)
                canvas.smaller_batches |= smaller
        yield from (canvas for canvas, core in batch if core is canvas.cores[-1])


def _check_storage(job: Job, images: Mapping[str, SurveyImage]) -> None:
    """Raise StorageError if this worker does not see the files at all.

    A worker may join late and lack a mount. Without this check all its images would be quarantined.
    """
    folders = {job.output.hidden, *(image.path.parent for image in images.values())}
    for folder in sorted(folders):
        if not folder.is_dir():
            raise StorageError(
                f"a worker on {platform.node()} does not see {folder}. Survey and output must be on storage "
                f"that every worker mounts at the same path: mount it there, then run the same command again."
            )


@contextmanager
def _short_memory() -> Iterator[None]:
    """Raises MemoryShortError where not even one tile fits on a GPU."""
    from crackpipe.model.predict.device import DeviceError

    try:
        yield
    except DeviceError as error:
        raise MemoryShortError(str(error)) from error
