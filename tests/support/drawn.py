"""Masks drawn as text or as strips of known centreline, and the way from them to lines."""

from dataclasses import replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.tasks.picture import trace_options
from crackpipe.pipeline.trace.lines import Line, trace_lines
from crackpipe.pipeline.trace.skeleton import Skeleton, skeleton_of_block

CAP_PX = 60.0
OPTIONS = trace_options(Config(), min_length_px=0.0)


def mask_of(text: str) -> NDArray[np.uint8]:
    """`#` is crack, everything else sound; the lines of the text are the rows, all padded to the longest."""
    rows = text.strip("\n").split("\n")
    width = max(map(len, rows))
    return np.array([[char == "#" for char in row.ljust(width)] for row in rows], dtype=np.uint8)


def whole(mask: NDArray[np.uint8]) -> Window:
    return Window(0, 0, *mask.shape)


def skeleton_of(
    mask: NDArray[np.uint8], probability: NDArray[np.uint8] | None = None, cap_px: float = CAP_PX
) -> Skeleton:
    probability = 254 * mask if probability is None else probability
    return skeleton_of_block(mask, probability, whole(mask), whole(mask), cap_px=cap_px)


def trace(
    mask: NDArray[np.uint8], probability: NDArray[np.uint8] | None = None, **options: Any
) -> list[Line]:
    """The lines of one mask in one block; nothing is too short unless `min_length_px` says so."""
    probability = 254 * mask if probability is None else probability
    cap_px = options.pop("cap_px", CAP_PX)
    return trace_lines(
        skeleton_of(mask, probability, cap_px),
        lambda window: probability[window.within(whole(mask))],
        (mask.shape[0], mask.shape[1]),
        replace(OPTIONS, **options),
    )


def strip(*centrelines: Any, width_px: float, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Probability, uint8 round(254 p), of bands of one width with square ends: anti-aliased and blurred."""
    fine = 5
    geometry = shapely.union_all(
        [shapely.LineString(line).buffer(width_px / 2, cap_style="flat") for line in centrelines]
    )
    shapely.prepare(geometry)
    rows, cols = ((np.arange(size * fine) + 0.5) / fine - 0.5 for size in shape)
    inside = shapely.contains_xy(geometry, rows[:, None], cols[None, :])
    coverage = inside.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))
    blurred = gaussian_filter(coverage, 0.8)
    return np.rint(254 * blurred / blurred.max()).astype(np.uint8)


def trace_strip(*centrelines: Any, width_px: float, shape: tuple[int, int], **options: Any) -> list[Line]:
    probability = strip(*centrelines, width_px=width_px, shape=shape)
    return trace((probability >= 127).astype(np.uint8), probability, **options)


def length_px(line: Line) -> float:
    return float(shapely.LineString(line.vertices).length)


def distance_rms_px(line: Line, centreline: Any) -> float:
    """Root mean square distance of a line from a centreline, away from the ends."""
    found, truth = shapely.LineString(line.vertices), shapely.LineString(centreline)
    places = shapely.line_interpolate_point(found, np.arange(3.0, found.length - 3.0, 0.5))
    return float(np.sqrt(np.mean(shapely.distance(places, truth) ** 2)))


# ---- what is asked of traced lines

SHAPE = (220, 220)
"""Of the images in which bands are drawn."""


def ends_at(line: Line) -> list[list[float]]:
    return line.vertices[[0, -1]].tolist()


def close(points: Any, expected: Any, within: float) -> bool:
    return bool(np.abs(np.asarray(points) - np.asarray(expected)).max() <= within)


def degrees(lines: list[Line]) -> list[int]:
    ends = [node for line in lines for node in (line.start_node, line.end_node)]
    return sorted(ends.count(node) for node in set(ends))


def line_of(network: int, *vertices: tuple[float, float]) -> Line:
    """A line through (row, col) with two free ends, the nodes 0 and 1."""
    return Line(
        vertices=np.array(vertices, float),
        vertex_half_width_px=np.ones(len(vertices)),
        network=network,
        start_node=0,
        end_node=1,
        start_free=True,
        end_free=True,
        confidence=0.9,
        half_width_px=1.0,
        bridged_px=0.0,
    )
