"""What every task of a run is given, and what it gives back."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from crackpipe.model.predict import coarse
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.geometry.grid import TILE_PX, Grid
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.tasks import stages

_GSD_TOLERANCE = 1.5  # in training, pictures were scaled at random by up to about this factor


@dataclass(frozen=True)
class Job:
    """What every task of a run needs. Small: it travels with each task."""

    config: Config
    output: Output
    run: str
    """Unique for each run: a task that outlived its run finds another name on the output, and stops."""
    weights: str
    """Name or absolute path, resolvable on every worker."""
    weights_sha256: str
    """Of the file."""
    network_sha256: str
    """Of the file without what the fingerprint names by itself (`header.network_sha256`)."""
    statistics: str | None
    """Digest of these statistics; None: the weights have none."""
    sureness: tuple[float, float] | None
    """Usual and strange sureness of known pictures (`weights.sureness`), part of these; None: not stated."""
    weights_name: str
    architecture: str
    """Of the network, a name of the weights' `ARCHITECTURES`."""
    device: str
    """Resolved: `cpu` or `cuda`."""
    precision: str
    """Resolved: `fp32`, `bf16`, `openvino-bf16` or `openvino-fp32`."""
    threshold: int
    """Quantised probability from which a pixel is crack: ceil(254 x threshold)."""
    classes: tuple[str, ...]
    """Of the values 1, 2, ... of a mask."""
    kinds: tuple[str, ...]
    """Of each class: `crack` is traced, measured and counted, `line` is traced, `area` stays in the mask."""
    training_gsd_mm: float
    """GSD of the images the weights were trained on."""
    gsd_range_mm: tuple[float, float] | None
    """Finest and coarsest GSD that the weights were trained to see as it is; None: not stated."""
    coarse_shift: float | None
    """What is added to the logit of a coarse look (`predict.coarse`); None: the weights take none."""
    screen: float | None
    """Suspicion in the coarse look from which a core gets a close one (`--screen`); None: all get one."""
    contrast: float
    """Contrast prior (grey values) where an image has no wide cracks of its own."""
    smaller_batches: bool = False
    """Whether memory was too short before, so that `config.batch` is smaller than was asked for."""

    def values_of(self, *kinds: str) -> list[int]:
        """Values in a mask of the classes of these kinds."""
        return [value for value, kind in enumerate(self.kinds, start=1) if kind in kinds]

    @property
    def crack_classes(self) -> tuple[str, ...]:
        """Names of the classes that count as cracks."""
        return tuple(self.classes[value - 1] for value in self.values_of("crack"))


@dataclass
class UnitFigures:
    """What a unit reports back to the driver."""

    tiles: int = 0
    skipped: int = 0
    """Tiles that the network need not see: without data, or outside the region."""
    spared: int = 0
    """Tiles that the coarse look found sound, with `--screen`."""
    coarse: int = 0
    """Coarse looks, each as much work for the network as a tile."""
    megapixels: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall-clock seconds by stage. `decoding` and `writing` run beside `computing`; `waiting` does not."""
    rejected: dict[str, ImageRejectedError] = field(default_factory=dict)
    """By image_id."""

    def add(self, other: "UnitFigures") -> None:
        """Sum up units."""
        self.tiles += other.tiles
        self.skipped += other.skipped
        self.spared += other.spared
        self.coarse += other.coarse
        self.megapixels += other.megapixels
        for stage, seconds in other.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        self.rejected.update(other.rejected)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of the block for one of `stages.STAGES`, here and for the process."""
        started = time.perf_counter()
        try:
            with stages.stage(name):
                yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def grid_of(image: SurveyImage, job: Job) -> Grid:
    """The grid of cores and blocks over an image.

    Where the network must see the image at another GSD than its own, a tile covers more or fewer of the
    image's pixels, which are resampled to 448 x 448 for the network only. Blocks keep about their size, so
    that memory does not depend on the GSD.
    """
    config = job.config
    zoom = network_gsd_mm(image.gsd_mm, job) / image.gsd_mm
    if zoom == 1:
        return Grid(image.height_px, image.width_px, config.halo_px, config.block_cores)
    block_cores = max(1, round(config.block_cores / zoom))
    tile_px, halo_px = round(TILE_PX * zoom), round(config.halo_px * zoom)
    return Grid(image.height_px, image.width_px, halo_px, block_cores, tile_px)


def coarse_shift_of(gsd_mm: float, job: Job) -> float | None:
    """What is added to the logit of coarse looks at an image of that GSD, mm/px; None where none is taken."""
    if not job.config.coarse_look:
        return None
    return coarse.shift_at(network_gsd_mm(gsd_mm, job), job.config.halo_px, job)


class SeesGsd(Protocol):
    """What a job, and the weights themselves, say of the GSD of images."""

    @property
    def training_gsd_mm(self) -> float:
        """GSD, mm/px, of the images the weights were trained on."""

    @property
    def gsd_range_mm(self) -> tuple[float, float] | None:
        """Finest and coarsest GSD, mm/px, that the weights were trained to see as it is; None: not stated."""


def network_gsd_mm(gsd_mm: float, job: SeesGsd) -> float:
    """The GSD, mm/px, at which the network sees an image of `gsd_mm`.

    Within the range that the weights were trained for, that is the image's own. Outside it is the nearest end
    of the range. Weights that state no range see images within a factor 1.5 of `training_gsd_mm` as they are,
    and all others at `training_gsd_mm`.
    """
    if job.gsd_range_mm is not None:
        finest, coarsest = job.gsd_range_mm
        return min(max(gsd_mm, finest), coarsest)
    near = 1 / _GSD_TOLERANCE <= job.training_gsd_mm / gsd_mm <= _GSD_TOLERANCE
    return gsd_mm if near else job.training_gsd_mm
