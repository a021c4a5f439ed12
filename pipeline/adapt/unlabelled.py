"""Weights whose batch norms have the statistics of a run's images. Nobody labels, and nobody can judge.

The tiles are spread over the survey, one of each stretch, and are shown to the network at the scale at which
a run shows them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crackpipe.pipeline.adapt.candidates import Tile, candidates_of, tiles_of
from crackpipe.pipeline.adapt.choose import lot
from crackpipe.pipeline.adapt.learn import check_is_new, set_name_of, toml_line
from crackpipe.pipeline.adapt.run_weights import threshold_of, weights_of
from crackpipe.pipeline.dataset.finished_run import read_run
from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.geometry.grid import TILE_PX, Window
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.storage.faults import guarding
from crackpipe.pipeline.tasks.job import network_gsd_mm

if TYPE_CHECKING:
    from crackpipe.model.weights.read import Weights

TILES = 128
"""Tiles whose statistics are taken."""
_SIDE_PX = 384
"""Side of the core of a tile: as densely as a run looks, where the survey is small."""


@dataclass(frozen=True, kw_only=True)
class UnlabelledRequest:
    """What the command line asked for."""

    run: Path
    out: Path
    """Weights file to be written; a missing folder for it is made."""
    survey: tuple[Path, ...] = ()
    init: str | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_is_new(self.out)


@dataclass(frozen=True)
class Fitted:
    """What came of it."""

    out: Path
    tiles: int
    crack_share: tuple[float, float]
    """Share of their pixels that is called crack, before and after, 0..1."""


def fit(request: UnlabelledRequest) -> Fitted:
    """Write the weights. Raises UsageError, OutputNotWritableError, ImageRejectedError (an image)."""
    from crackpipe.model.adapt.statistics import BATCH, fit_statistics
    from crackpipe.model.adapt.teach import rewrite
    from crackpipe.model.weights.read import load

    run = read_run(request.run, request.survey)
    start = weights_of(request.run, request.init)
    threshold = threshold_of(request.run, start)
    candidates = candidates_of(request.run, tiles_of(run, _SIDE_PX), threshold)
    tiles = spread([each.tile for each in candidates], TILES)
    if len(tiles) < BATCH:
        raise UsageError(
            f"{request.run}: {len(tiles)} tiles of {_SIDE_PX} px were inspected at least by half, but "
            f"statistics need {BATCH}. Label tiles instead: crackpipe adapt {request.run} --pick 20"
        )
    seen = list(_inputs(tiles, start))
    net = start.build()
    taken = fit_statistics(net, seen, request.device)
    with guarding(request.out):
        rewrite(
            start,
            request.out,
            net.cpu(),
            threshold=threshold,
            data=f"{start.data}, {set_name_of(run)}",
            metrics={"validation": {}},
        )
    shares = [
        _crack_share(weights, seen, threshold, request.device) for weights in (start, load(request.out))
    ]
    return Fitted(request.out, taken, (shares[0], shares[1]))


def spread(tiles: Sequence[Tile], count: int) -> list[Tile]:
    """At most `count` tiles, one by lot of each stretch of the survey; then their order is by lot too.

    Batches hold tiles of all parts of the survey then, and their statistics are alike.
    """
    count = min(count, len(tiles))
    stretches = (tiles[k * len(tiles) // count : (k + 1) * len(tiles) // count] for k in range(count))
    return sorted(
        (min(some, key=lambda tile: lot(tile.name)) for some in stretches), key=lambda t: lot(t.name)
    )


def _inputs(tiles: Sequence[Tile], weights: "Weights") -> Iterator[NDArray[np.uint8]]:
    """The network's input (448, 448, 3) in the middle of each tile."""
    for tile in tiles:
        image, window = tile.image, tile.window
        side_px = round(TILE_PX * network_gsd_mm(image.gsd_mm, weights) / image.gsd_mm)
        row, col = (
            start + (size - side_px) // 2
            for start, size in ((window.row, window.height), (window.col, window.width))
        )
        with ImageReader(image) as reader:
            rgb, _ = reader.read(Window(row, col, side_px, side_px))
        if side_px != TILE_PX:
            rgb = np.asarray(Image.fromarray(rgb).resize((TILE_PX, TILE_PX), Image.Resampling.BILINEAR))
        yield rgb


def _crack_share(
    weights: "Weights", tiles: Sequence[NDArray[np.uint8]], threshold: float, device: str
) -> float:
    from crackpipe.model.predict.predictor import PROBABILITY_SCALE, Predictor

    predictor = Predictor(weights, device)
    level = math.ceil(PROBABILITY_SCALE * threshold)
    return float(np.mean([(predictor.predict(tile[None]) >= level).mean() for tile in tiles]))


def summary_lines(fitted: Fitted) -> Iterator[str]:
    """What the command prints."""
    before, after = fitted.crack_share
    yield f"Statistics of {fitted.tiles} tiles; no label, so nobody knows whether the weights are better."
    yield f"Of their pixels {100 * before:.3f} % were called crack before, {100 * after:.3f} % are now."
    yield f"Weights: {fitted.out}"
    yield f"Line for crackpipe.toml, if a look at some images tells you so:\n{toml_line(fitted.out)}"
