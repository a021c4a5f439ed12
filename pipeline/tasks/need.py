"""What memory a run needs, projected from its network, its blocks and its images before it starts.

A sum of what is there at the same time, and nothing fitted to single cases:

    libraries   pages of the libraries' files, which all processes share
    driver      the process that plans and holds Dask's scheduler
    a worker    an interpreter with torch, the network with the maps of one tile, GDAL's cache, and blocks:
                one that is computed, those read ahead, those that wait to be written, and what the worker's
                second thread does meanwhile: it reads the next unit, or it traces

Bytes per pixel are counted from the arrays in `open_block`, `writing` and `trace.skeleton`. The other numbers
are measured: `python benchmarks/faults/projected_memory.py` prints them beside the projection. Only those of
the full network in fp32 and in OpenVINO are estimates, on the safe side. What a network takes hardly
depends on the processor, but a torch with CUDA has larger libraries.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from crackpipe.model.predict import coarse
from crackpipe.pipeline.geometry.grid import TILE_PX, Grid, Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.raster.decoder import WHOLE_LIMIT_BYTES
from crackpipe.pipeline.tasks.job import Job, coarse_shift_of, grid_of
from crackpipe.pipeline.tasks.open_block import AHEAD_TILES
from crackpipe.pipeline.tasks.writing import WAITING_TILES
from crackpipe.pipeline.trace.skeleton import skeleton_halo_px

MIB = 1 << 20

_USED = 0.85
"""Share of the memory that a projection may fill: it can be off, and others want some."""

_LIBRARIES = 205 * MIB
_LIBRARIES_OPENVINO = 60 * MIB
_DRIVER = 140 * MIB
_DRIVER_WITH_TORCH = 260 * MIB
"""Weights that are not embedded are checked in full by the driver, which takes torch; so does OpenVINO."""
_DASK = 45 * MIB
"""What connections and Dask's scheduler add to a driver that has planned."""
_WORKER = 350 * MIB

_NETWORK = {
    ("one-convolution", "bf16"): 0,
    ("one-convolution", "fp32"): 0,
    ("one-convolution", "openvino-bf16"): 0,
    ("one-convolution", "openvino-fp32"): 0,
    ("context-cracknet-lite", "bf16"): 65 * MIB,
    ("context-cracknet-lite", "fp32"): 110 * MIB,
    ("context-cracknet-lite", "openvino-bf16"): 390 * MIB,
    ("context-cracknet-lite", "openvino-fp32"): 375 * MIB,
    ("context-cracknet-lite1", "bf16"): 70 * MIB,
    ("context-cracknet-lite1", "fp32"): 115 * MIB,
    ("context-cracknet-lite1", "openvino-bf16"): 400 * MIB,
    ("context-cracknet-lite1", "openvino-fp32"): 385 * MIB,
    ("context-cracknet", "bf16"): 815 * MIB,
    ("context-cracknet", "fp32"): 1500 * MIB,
    ("context-cracknet", "openvino-bf16"): 2000 * MIB,
    ("context-cracknet", "openvino-fp32"): 2000 * MIB,
}
"""Weights, the maps of one tile, and what loading leaves in the heap."""

_ENCODER = {
    "context-cracknet-lite": 25 * MIB,
    "context-cracknet-lite1": 30 * MIB,
    "context-cracknet": 50 * MIB,
}
"""Of weights that tell how familiar images are: the encoder once more, in fp32, and its maps."""

_GDAL_CACHE = 80 * MIB  # `GDAL_CACHEMAX` in `raster.gdal`
_WRITING = 3  # bytes per pixel: probability, mask, and a condition or the compressed chunk
_READING = 1  # a condition per pixel of the block that is being read
_TRACING = 10  # mask, probability, both with their mirrored border, the thinned mask, an index of its pixels

_ADDRESSES = 1840 * MIB
"""Address space of a worker that is reserved and never used: libraries, stacks of threads, heaps."""
_DATA = 1180 * MIB
"""The part of it that counts as data."""


@dataclass(frozen=True)
class Need:
    """Memory of a run, bytes."""

    libraries: int
    """Shared by all processes."""
    driver: int
    worker: int
    """Of one worker, its own."""

    def beside(self, driver: int) -> "Need":
        """The same where the driver has more than was foreseen, bytes, before it starts workers."""
        return replace(self, driver=max(self.driver, driver + _DASK))

    def of_run(self, workers: int) -> int:
        """Of all processes together."""
        return self.libraries + self.driver + workers * self.worker

    def with_reserve(self, workers: int) -> int:
        """What a run should be given."""
        return round(self.of_run(workers) / _USED)

    def workers_in(self, room: int) -> int:
        """How many workers this much memory suffices for, with the same reserve; 0 where it is too little."""
        return max(0, int((room * _USED - self.of_run(0)) // self.worker))

    @property
    def of_worker(self) -> int:
        """What the system says of one worker, with the libraries."""
        return self.libraries + self.worker

    def of_process(self, kind: str) -> int:
        """What one worker reserves, of the kinds of `limits.of_each_process`."""
        return self.worker + (_ADDRESSES if kind == "address space" else _DATA)


def need_of(job: Job, images: Sequence[SurveyImage] = ()) -> Need:
    """What a run of these images needs on the CPU; without images, of large ones at the weights' GSD.

    The image that needs most counts, since all workers may work on images like it at the same time.
    """
    side_px = 4 * job.config.block_cores * (TILE_PX - 2 * job.config.halo_px)
    large = _Kind(Grid(side_px, side_px, job.config.halo_px, job.config.block_cores), job.training_gsd_mm)
    kinds = Counter(_Kind(grid_of(each, job), each.gsd_mm, each.driver == "GTiff") for each in images)
    kinds = kinds or Counter([large])
    tiles = sum(kind.tiles * count for kind, count in kinds.items())
    pixels = sum(kind.grid.height_px * kind.grid.width_px * count for kind, count in kinds.items())
    in_openvino = job.precision.startswith("openvino")
    return Need(
        libraries=_LIBRARIES + (_LIBRARIES_OPENVINO if in_openvino else 0),
        driver=_DRIVER_WITH_TORCH if in_openvino or job.weights != job.weights_name else _DRIVER,
        worker=_WORKER
        + _NETWORK[job.architecture, job.precision]
        + (_ENCODER.get(job.architecture, 0) if job.statistics else 0)
        + min(_GDAL_CACHE, 3 * pixels)
        + max(_blocks(job, kind, tiles) for kind in kinds),
    )


def of_tracing(job: Job) -> int:
    """What the system says of a process that only traces, bytes, with one image decoded as a whole.

    It has no network and no blocks.
    """
    block_px = job.config.block_cores * (TILE_PX - 2 * job.config.halo_px)
    halo_px = skeleton_halo_px(job.config.line_cap_mm / job.training_gsd_mm)
    traced = _TRACING * (block_px + 2 * halo_px) ** 2
    return _LIBRARIES + _WORKER + _GDAL_CACHE + traced + WHOLE_LIMIT_BYTES


@dataclass(frozen=True)
class _Kind:
    """What memory depends on of an image."""

    grid: Grid
    gsd_mm: float
    by_window: bool = True
    """Windows are read where they lie; another file is decoded as a whole, and kept while it is small."""

    @property
    def tiles(self) -> int:
        """Tiles of the image."""
        return self.grid.tile_count(Window(0, 0, self.grid.height_px, self.grid.width_px))


def _blocks(job: Job, kind: _Kind, tiles_in_all: int) -> int:
    """Bytes of all arrays that a worker holds at once while it inspects images of one kind."""
    grid = kind.grid
    block = Window(0, 0, *grid.chunk_shape)
    block_px, tiles = block.height * block.width, grid.tile_count(block)
    # How many blocks: a unit has so many (`plan.units_of`, for one worker), `ahead` are read ahead of the one
    # that is computed, `waiting` belong to the next unit, `written` wait for the disk.
    unit = max(1, min(job.config.unit_tiles, tiles_in_all // 4) // tiles)
    read = max(1, AHEAD_TILES // tiles)
    ahead = min(read, unit - 1)
    waiting = min(read, unit, tiles_in_all // tiles - 1 - ahead)
    written = min(max(1, WAITING_TILES // tiles) + 1, unit - 1)
    # The pixels of a block reach out to the edge of its outermost tiles and coarse looks (`Canvas`). A block
    # that does not begin with a look reaches into one more.
    looks = coarse_shift_of(kind.gsd_mm, job) is not None
    step_px = grid.core_px * (coarse.CORES if looks else 1)
    more = 1 if looks and grid.block_cores % coarse.CORES else 0
    outer_px = math.prod(
        (math.ceil(px / step_px) + more) * step_px + 2 * grid.halo_px for px in grid.chunk_shape
    )
    canvas = 4 * outer_px + (2 if looks else 1) * len(job.classes) * block_px
    inspecting = (1 + ahead) * canvas + written * _WRITING * block_px
    halo_px = skeleton_halo_px(job.config.line_cap_mm / kind.gsd_mm)
    traced_px = min(grid.height_px, block.height + 2 * halo_px) * min(
        grid.width_px, block.width + 2 * halo_px
    )
    beside = max(waiting * canvas + _READING * outer_px, _TRACING * traced_px)
    batch = job.config.batch * TILE_PX**2 * (2 * 3 + len(job.classes))
    return inspecting + beside + batch + _whole(kind)


def _whole(kind: _Kind) -> int:
    """Bytes of two images that are decoded as a whole, each by one of a worker's two threads."""
    whole = 4 * kind.grid.height_px * kind.grid.width_px
    return 0 if kind.by_window or whole > WHOLE_LIMIT_BYTES else 2 * whole
