"""All tiles of a run that could be labelled, and how unsure the network was in each.

Frame: outlines are world (x, y) in the CRS of the run's tables; windows are pixels (row, col).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.dataset.finished_run import FinishedRun
from crackpipe.pipeline.dataset.parts import grid_of_parts
from crackpipe.pipeline.dataset.write import stems_of
from crackpipe.pipeline.geometry.crs import moved_to
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.ground import world_of_pixel
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.masks import arrays
from crackpipe.pipeline.masks.values import CERTAIN, NOT_INSPECTED
from crackpipe.pipeline.state.output import Output

MOST_LOOKED_AT = 2000
"""Tiles whose probabilities are read: a minute or so. Of a larger survey every k-th is taken, by place."""
LEAST_INSPECTED = 0.5
"""Share of a tile that the run must have inspected."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One part of an image."""

    name: str
    """STEM-NUMBER, the name of its picture; STEM stands for the image."""
    image: SurveyImage
    window: Window
    outline: shapely.Polygon


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A tile that could be labelled."""

    tile: Tile
    unsure: float
    """0..1: the mean over its inspected pixels of 1 where the probability is the threshold, falling evenly to
    0 where the network is certain."""
    familiarity: float | None
    """How well the network knows such images, of its image; None where the run does not say."""


def tiles_of(run: FinishedRun, side_px: int) -> list[Tile]:
    """All tiles of a run, some `side_px` on a side, in the order of a curve that fills the survey.

    The curve is Hilbert's: what is near in the list is near on the road.
    """
    images = run.images
    crs = CRS.from_wkt(images[0].crs_wkt) if run.found.crs is None else run.found.crs
    stems = stems_of(images)
    tiles = [
        Tile(name=f"{stems[image.image_id]}-{number}", image=image, window=window, outline=outline)
        for image in images
        for number, (window, outline) in enumerate(_parts(image, side_px, crs))
    ]
    centres = geopandas.GeoSeries(shapely.centroid([tile.outline for tile in tiles]))
    along = centres.hilbert_distance().to_numpy()
    return [tiles[index] for index in sorted(range(len(tiles)), key=lambda i: (along[i], tiles[i].name))]


def _parts(image: SurveyImage, side_px: int, crs: CRS) -> Iterator[tuple[Window, shapely.Polygon]]:
    windows = grid_of_parts(image.height_px, image.width_px, side_px)
    outlines = np.array([outline_of(image, window) for window in windows], object)
    yield from zip(windows, moved_to(crs, outlines, CRS.from_wkt(image.crs_wkt)), strict=True)


def outline_of(image: SurveyImage, window: Window) -> shapely.Polygon:
    """The outer edge of a window's pixels, world (x, y) in the image's CRS."""
    rows = np.array([window.row, window.row, window.row_stop, window.row_stop]) - 0.5
    cols = np.array([window.col, window.col_stop, window.col_stop, window.col]) - 0.5
    return shapely.Polygon(world_of_pixel(image.transform, np.column_stack([rows, cols])))


def candidates_of(run: Path, tiles: Sequence[Tile], threshold: float) -> list[Candidate]:
    """The tiles that were inspected at least by half, with figures, in the given order.

    `threshold`, 0..1, is that of the run. Raises ValueError if masks are damaged, OSError.
    """
    every = max(1, -(-len(tiles) // MOST_LOOKED_AT))
    looked_at = tiles[every // 2 :: every]
    if every > 1:
        log.info(f"{len(looked_at)} of {len(tiles)} tiles are looked at, every {every}th along the survey")
    known = _familiarity(run / "images.parquet")
    output, weight = Output(run), _unsure_by_level(threshold)
    found = []
    for tile in looked_at:
        counts = _levels(output.masks_of(tile.image.image_id) / "probability", tile.window)
        inspected = int(counts[:NOT_INSPECTED].sum())
        if inspected < LEAST_INSPECTED * counts.sum():
            continue
        unsure = float((counts[:NOT_INSPECTED] * weight).sum()) / inspected
        found.append(Candidate(tile=tile, unsure=unsure, familiarity=known.get(tile.image.image_id)))
    return found


def _levels(array: Path, window: Window) -> NDArray[np.int64]:
    """How many pixels of a window have each value of probability: int64 (256,)."""
    return np.bincount(arrays.read_window(array, window).ravel(), minlength=256)


def _unsure_by_level(threshold: float) -> NDArray[np.float64]:
    """`Candidate.unsure` of a pixel by its level 0..254: float64 (255,)."""
    p = np.arange(CERTAIN + 1) / CERTAIN
    return np.asarray(np.where(p < threshold, p / threshold, (1 - p) / max(1 - threshold, 1 / CERTAIN)))


def _familiarity(file: Path) -> dict[str, float]:
    """By image_id, where the run says it."""
    if "familiarity" not in pq.read_schema(file).names:
        return {}
    rows = pq.read_table(file, columns=["image_id", "familiarity"]).to_pylist()
    return {row["image_id"]: row["familiarity"] for row in rows if row["familiarity"] is not None}
