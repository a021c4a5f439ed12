"""The lines of one picture that is at hand as a whole: one block, which changes nothing."""

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.trace import lines
from crackpipe.pipeline.trace.skeleton import join, skeleton_of_block


def lines_of(
    mask: NDArray[np.uint8], probability: NDArray[np.uint8], gsd_mm: float, config: Config
) -> list[lines.Line]:
    """The lines of mask and probability, uint8 (H, W) as in `masks.zarr`.

    What leaves the picture must reach the least length inside it.
    """
    whole = Window(0, 0, *mask.shape)
    skeleton = skeleton_of_block(mask, probability, whole, whole, cap_px=config.line_cap_mm / gsd_mm)
    return lines.trace_lines(
        join([skeleton]),
        read_probability=lambda window: probability[window.within(whole)],
        shape=mask.shape,
        spur_px=config.spur_px,
        spur_widths=config.spur_widths,
        gap_px=config.gap_px,
        gap_angle_deg=config.gap_angle_deg,
        simplify_px=config.simplify_px,
        min_length_px=config.min_length_mm / gsd_mm,
    )


def lines_in(probability: NDArray[np.uint8], level: int, gsd_mm: float = 1.0) -> list[lines.Line]:
    """The lines that `crackpipe run` draws with default settings where pixels from `level` on are crack.

    `probability`: uint8 (H, W), round(254 p), 255 not inspected.
    """
    mask = np.where(probability == 255, np.uint8(255), (probability >= level).astype(np.uint8))
    return lines_of(mask, probability, gsd_mm, Config())
