"""Threads that write the finished blocks of a unit."""

import errno
import uuid
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from crackpipe.model.weights.sureness import response
from crackpipe.pipeline.masks import inspected_area
from crackpipe.pipeline.masks.group import create_masks, write_block
from crackpipe.pipeline.raster.validity.reasons import pixels_by_reason
from crackpipe.pipeline.state.staging import fsync_chunks, mark_block
from crackpipe.pipeline.storage import durable, faults
from crackpipe.pipeline.tasks.job import Job, UnitFigures
from crackpipe.pipeline.tasks.open_block import Canvas

WAITING_TILES = 96
"""Queued for writing at most, or one block."""


class Writing:
    """Threads that write finished blocks; `submit` waits while too much is queued."""

    _THREADS = 4  # they mostly wait for the disk, and a disk flushes several small files at once

    def __init__(self, job: Job, figures: UnitFigures) -> None:
        self._job = job
        self._figures = figures
        self._threads = ThreadPoolExecutor(self._THREADS, "write")
        self._queue: deque[tuple[int, Future[UnitFigures]]] = deque()
        self._tiles = 0

    def __enter__(self) -> "Writing":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def submit(self, canvas: Canvas) -> None:
        """Write a block; raises what writing earlier ones raised."""
        canvas.drop_pixels()  # mask and probability alone wait for the disk
        while self._queue and self._tiles + len(canvas.cores) > WAITING_TILES:
            self._take()
        self._queue.append((len(canvas.cores), self._threads.submit(_write, self._job, canvas)))
        self._tiles += len(canvas.cores)

    def finish(self) -> None:
        """Wait for all of them."""
        while self._queue:
            self._take()

    def _take(self) -> None:
        tiles, write = self._queue.popleft()
        self._figures.add(write.result())
        self._tiles -= tiles


def _write(job: Job, canvas: Canvas) -> UnitFigures:
    """Write one block's chunks, then its mark. Any OSError here comes from the output folder."""
    figures = UnitFigures(megapixels=canvas.window.height * canvas.window.width / 1e6)
    with figures.stage("writing"):
        _write_block(job, canvas)
    return figures


def _write_block(job: Job, canvas: Canvas) -> None:
    told = _of_familiarity(job, canvas)  # before coarse looks join: known pictures were told by close ones
    mask, probability = canvas.classified(job.threshold)
    valid = canvas.valid
    staging = job.output.staging(canvas.image.image_id)
    window = canvas.window
    counts = {
        "inspected_px": int(np.count_nonzero(valid)),
        "class_px": [int(np.count_nonzero(mask == value)) for value in range(1, len(job.classes) + 1)],
        "uninspected_cells": inspected_area.uninspected_cells(valid, window),
        "uninspected_px": pixels_by_reason(canvas.reasons),
        "said": canvas.said,
        **({} if job.screen is None else {"screened_px": canvas.screened_px}),
        **({"smaller_batches": True} if canvas.smaller_batches else {}),
        **told,
    }
    with faults.guarding(staging):
        write_block(_masks_once(job, staging, canvas), window, mask, probability)
        block_px = canvas.grid.block_px
        fsync_chunks(staging / "masks", window.row // block_px, window.col // block_px)
        mark_block(staging, window.row, window.col, counts)


def _of_familiarity(job: Job, canvas: Canvas) -> dict[str, Any]:
    """What a block keeps for the familiarity of its image; nothing where the weights cannot tell it."""
    if job.statistics is None:
        return {}
    canvas.leave_out()
    of_close_looks = response(canvas.probability.max(axis=0))
    return {"statistics": job.statistics, "told": canvas.told, "response": of_close_looks}


def _masks_once(job: Job, staging: Path, canvas: Canvas) -> Path:
    """The staged Zarr group, made by whichever unit of the image comes first."""
    group = staging / "masks"
    if not (group / "zarr.json").exists():
        image = canvas.image
        fresh = staging / f"masks-{uuid.uuid4().hex}"
        create_masks(
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
            durable.remove_tree(fresh)  # another unit of the same image was first
    return group
