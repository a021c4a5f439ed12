"""The lines of one picture in memory, drawn as a run draws them. The picture is treated as a single block."""

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks.values import NOT_INSPECTED
from crackpipe.pipeline.trace.lines import Line, TraceOptions, trace_lines
from crackpipe.pipeline.trace.skeleton import join, skeleton_of_block


def trace_options(config: Config, min_length_px: float) -> TraceOptions:
    """What the configuration says of lines."""
    return TraceOptions(
        spur_px=config.spur_px,
        spur_widths=config.spur_widths,
        gap_px=config.gap_px,
        gap_angle_deg=config.gap_angle_deg,
        simplify_px=config.simplify_px,
        min_length_px=min_length_px,
    )


def lines_of(
    mask: NDArray[np.uint8], probability: NDArray[np.uint8], gsd_mm: float, config: Config
) -> list[Line]:
    """The lines of mask and probability, uint8 (H, W) as in `masks.zarr`.

    A network that leaves the picture must reach the least length inside it.
    """
    height_px, width_px = mask.shape
    whole = Window(0, 0, height_px, width_px)
    skeleton = skeleton_of_block(mask, probability, whole, whole, cap_px=config.line_cap_mm / gsd_mm)
    return trace_lines(
        join([skeleton]),
        lambda window: probability[window.within(whole)],
        (height_px, width_px),
        trace_options(config, config.min_length_mm / gsd_mm),
    )


def lines_in(probability: NDArray[np.uint8], level: int, gsd_mm: float = 1.0) -> list[Line]:
    """The lines that `crackpipe run` draws with default settings where pixels from `level` on are crack.

    `probability`: uint8 (H, W), round(254 p), 255 not inspected.
    """
    is_crack = (probability >= level).astype(np.uint8)
    mask = np.where(probability == NOT_INSPECTED, np.uint8(NOT_INSPECTED), is_crack)
    return lines_of(mask, probability, gsd_mm, Config())
