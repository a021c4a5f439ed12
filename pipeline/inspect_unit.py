"""Rooms 1 to 3 for one unit: read blocks, predict their tiles, write their masks.

Strategy: the tiles of all blocks of the unit form one stream, so that every batch but the last is full
even when a block holds two tiles. One thread reads the next block and one writes finished blocks while
the network works on the current ones. A bad image drops out of the stream; the others go on.
"""

import errno
import os
import threading
import time
import traceback
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline import masks, state
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ConfigurationError, CrackpipeError, ImageRejectedError
from crackpipe.pipeline.grid import Block, Grid, Window
from crackpipe.pipeline.read import ImageReader
from crackpipe.pipeline.image import SurveyImage


@dataclass(frozen=True)
class Job:
    """What every task of a run needs. Small: it travels with each task."""

    config: Config
    output: state.Output
    weights: str
    """Name or absolute path, resolvable on every worker."""
    weights_sha256: str
    weights_name: str
    device: str
    """Resolved: `cpu` or `cuda`."""
    precision: str
    """Resolved: `fp32` or `bf16`."""
    threshold: int
    """Quantised probability from which a pixel is crack: ceil(254 x threshold)."""
    classes: tuple[str, ...]
    contrast: float
    """Contrast prior (grey values) where an image has no wide cracks of its own."""


@dataclass
class UnitFigures:
    """What a unit reports back to the driver."""

    tiles: int = 0
    megapixels: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall-clock seconds by stage. `reading` and `writing` run beside `computing`; `waiting` does not."""
    rejected: dict[str, ImageRejectedError] = field(default_factory=dict)
    """By image_id."""

    def add(self, other: "UnitFigures") -> None:
        """Sum up units."""
        self.tiles += other.tiles
        self.megapixels += other.megapixels
        for stage, seconds in other.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        self.rejected.update(other.rejected)

    def took(self, stage: str, started: float) -> None:
        """Add the time since `started` (time.perf_counter) to a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started


def grid_of(image: SurveyImage, config: Config) -> Grid:
    """The grid of cores and blocks over an image."""
    return Grid(image.height_px, image.width_px, config.halo_px, config.block_cores)


def inspect_unit(job: Job, images: Mapping[str, SurveyImage], unit: tuple[Block, ...]) -> UnitFigures:
    """Predict the blocks of one unit and write their masks into the images' staging folders.

    `images` holds the images the unit touches. Raises StorageError or OutputNotWritableError where the
    output fails; what is wrong with an image is in the returned figures.
    """
    figures = UnitFigures()
    predictor = _predictor(job)
    pending: list[tuple[_Canvas, Window]] = []
    writes: list[Future[None]] = []
    with ThreadPoolExecutor(1, "read") as reading, ThreadPoolExecutor(1, "write") as writing:
        for canvas in _canvases(job, images, unit, reading, figures):
            if not canvas.cores:
                writes.append(writing.submit(_write, job, canvas, figures))
            for core in canvas.cores:
                pending.append((canvas, core))
                if len(pending) == job.config.batch:
                    writes += [
                        writing.submit(_write, job, c, figures) for c in _predict(predictor, pending, figures)
                    ]
                    pending.clear()
        writes += [writing.submit(_write, job, c, figures) for c in _predict(predictor, pending, figures)]
        for write in writes:
            write.result()
    return figures


def _predict(predictor: Any, batch: list[tuple["_Canvas", Window]], figures: UnitFigures) -> list["_Canvas"]:
    """Run one batch, paste the cores, and return the canvases that are complete with it."""
    if not batch:
        return []
    tiles = np.stack([canvas.tile(core) for canvas, core in batch])
    started = time.perf_counter()
    with _device:
        probability = predictor.predict(tiles)
    figures.took("computing", started)
    figures.tiles += len(batch)
    for (canvas, core), result in zip(batch, probability, strict=True):
        canvas.paste(core, result)
    return [canvas for canvas, core in batch if core is canvas.cores[-1]]


@contextmanager
def rejecting(image_id: str) -> Iterator[None]:
    """The one border where a defect met in an image becomes its quarantine instead of the end of the run."""
    try:
        yield
    except (CrackpipeError, OSError, MemoryError):
        raise
    except Exception as error:
        raise ImageRejectedError(
            "internal-error",
            f"{image_id}: {type(error).__name__}: {error}",
            "This is a defect of crackpipe: please report it with the traceback in the log.",
            details=traceback.format_exc(),
        ) from error


# ---- the network, once per process

_device = threading.Semaphore(1)  # units share a process; the device works on one batch at a time
_loading = threading.Lock()


def _predictor(job: Job) -> Any:
    with _loading:
        return _load_predictor(job)


@lru_cache(maxsize=1)
def _load_predictor(job: Job) -> Any:
    import torch

    from crackpipe.model import weights
    from crackpipe.model.predict import Predictor

    if job.device == "cpu":
        torch.set_num_threads(job.config.threads_per_worker)
    loaded = weights.load(job.weights)
    if loaded.sha256 != job.weights_sha256:
        raise ConfigurationError(
            f"worker process {os.getpid()} found weights {job.weights} with SHA-256 {loaded.sha256}, but the "
            f"run was planned with {job.weights_sha256}. Install the same crackpipe and weights everywhere."
        )
    return Predictor(loaded, device=job.device, precision=job.precision, batch=job.config.batch)


# ---- room 1: blocks become canvases


@dataclass
class _Canvas:
    """One block on its way: its pixels, and the probabilities pasted so far."""

    image: SurveyImage
    grid: Grid
    window: Window
    outer: Window
    """The window with the halo of its tiles; reaches beyond the image."""
    rgb: NDArray[np.uint8]
    """(rows, cols, 3) of `outer`."""
    valid: NDArray[np.bool_]
    """(h, w) of `window`."""
    cores: list[Window]
    """The cores to predict, in order; those without a valid pixel are left out."""
    probability: NDArray[np.uint8]
    """(classes, h, w) of `window`, NOT_INSPECTED until pasted."""

    def tile(self, core: Window) -> NDArray[np.uint8]:
        """The network's input (448, 448, 3) for a core."""
        return self.rgb[self.grid.tile(core).within(self.outer)]

    def paste(self, core: Window, result: NDArray[np.uint8]) -> None:
        """Keep the core of a tile's result (classes, 448, 448)."""
        kept = result[(slice(None), *core.within(self.grid.tile(core)))]
        self.probability[(slice(None), *core.within(self.window))] = kept


def _canvases(
    job: Job,
    images: Mapping[str, SurveyImage],
    unit: tuple[Block, ...],
    reading: ThreadPoolExecutor,
    figures: UnitFigures,
) -> Iterator[_Canvas]:
    """The unit's unfinished blocks with their pixels, read one ahead; rejected images are left out."""
    blocks = [block for block in unit if not _is_finished(job, block)]
    source = _Source(job, images, figures)
    futures = {0: reading.submit(source.read, blocks[0])} if blocks else {}
    for index, block in enumerate(blocks):
        if index + 1 < len(blocks):
            futures[index + 1] = reading.submit(source.read, blocks[index + 1])
        started = time.perf_counter()
        try:
            canvas = futures.pop(index).result()
        except ImageRejectedError as error:
            figures.rejected.setdefault(block.image_id, error)
            continue
        figures.took("waiting", started)
        yield canvas
    reading.submit(source.close).result()


def _is_finished(job: Job, block: Block) -> bool:
    staging = job.output.staging(block.image_id)
    return state.block_figures(staging, block.window.row, block.window.col) is not None


class _Source:
    """Reads blocks, all in one thread, keeping the handle of the current image open."""

    def __init__(self, job: Job, images: Mapping[str, SurveyImage], figures: UnitFigures) -> None:
        self._job = job
        self._images = images
        self._figures = figures
        self._reader: ImageReader | None = None

    def read(self, block: Block) -> _Canvas:
        """Raises ImageRejectedError; once for an image means no more reads of it."""
        if block.image_id in self._figures.rejected:
            raise self._figures.rejected[block.image_id]
        started = time.perf_counter()
        image = self._images[block.image_id]
        grid = grid_of(image, self._job.config)
        cores = grid.cores(block.window)
        first, last = grid.tile(cores[0]), grid.tile(cores[-1])
        outer = Window(first.row, first.col, last.row_stop - first.row, last.col_stop - first.col)
        with rejecting(image.image_id):
            rgb, valid = self._open(image).read(outer)
        inner = valid[block.window.within(outer)]
        shape = (len(self._job.classes), block.window.height, block.window.width)
        self._figures.took("reading", started)
        return _Canvas(
            image=image,
            grid=grid,
            window=block.window,
            outer=outer,
            rgb=rgb,
            valid=inner,
            cores=[core for core in cores if inner[core.within(block.window)].any()],
            probability=np.full(shape, masks.NOT_INSPECTED, np.uint8),
        )

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


# ---- room 3: masks


def classify(probability: NDArray[np.uint8], threshold: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Class index and its probability from the probabilities of all classes.

    `probability` is uint8 (classes, h, w), 0..254; `threshold` on the same scale. Returns uint8 (h, w)
    mask, 0 sound or 1 + the index of the most probable class where that reaches the threshold (the lower
    index wins a tie), and uint8 (h, w), the probability of the most probable class.
    """
    best = probability.max(axis=0)
    mask = np.where(best >= threshold, probability.argmax(axis=0) + 1, 0).astype(np.uint8)
    return mask, best


def _write(job: Job, canvas: _Canvas, figures: UnitFigures) -> None:
    """Write one block's chunks, then its mark. Any OSError here is the output's."""
    started = time.perf_counter()
    mask, probability = classify(canvas.probability, job.threshold)
    mask[~canvas.valid] = masks.NOT_INSPECTED
    probability[~canvas.valid] = masks.NOT_INSPECTED
    staging = job.output.staging(canvas.image.image_id)
    window = canvas.window
    counts = {
        "inspected_px": int(np.count_nonzero(canvas.valid)),
        "crack_px": int(np.count_nonzero((mask > 0) & canvas.valid)),
    }
    with state.guarding(staging):
        masks.write_block(_masks_once(job, staging, canvas), window, mask, probability)
        block_px = canvas.grid.block_px
        state.fsync_chunks(staging / "masks", window.row // block_px, window.col // block_px)
        state.mark_block(staging, window.row, window.col, counts)
    figures.megapixels += window.height * window.width / 1e6
    figures.took("writing", started)


def _masks_once(job: Job, staging: Path, canvas: _Canvas) -> Path:
    """The staged Zarr group, made by whichever unit of the image comes first."""
    group = staging / "masks"
    if not (group / "zarr.json").exists():
        image = canvas.image
        fresh = staging / f"masks-{uuid.uuid4().hex}"
        masks.create_masks(
            fresh,
            height_px=image.height_px,
            width_px=image.width_px,
            transform=image.transform,
            crs_wkt=image.crs_wkt,
            chunk_shape=canvas.grid.chunk_shape,
            classes=job.classes,
        )
        try:
            fresh.rename(group)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            state.remove_tree(fresh)  # another unit of the same image was first
    return group
