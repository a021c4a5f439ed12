"""The lines that a run would draw in one picture: what a false pixel comes to on the map."""

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline import trace
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.grid import Window


def lines_in(probability: NDArray[np.uint8], level: int, gsd_mm: float = 1.0) -> list[trace.Line]:
    """The lines of a picture, traced as by `crackpipe run` with default settings.

    `probability`: uint8 (H, W), round(254 p), 255 not inspected. Pixels from `level` on are crack. The whole
    picture is one block, which changes nothing, and what leaves it must reach the least length inside it.
    """
    config, whole = Config(), Window(0, 0, *probability.shape)
    mask = np.where(probability == 255, np.uint8(255), (probability >= level).astype(np.uint8))
    skeleton = trace.skeleton_of_block(mask, probability, whole, whole, cap_px=config.line_cap_mm / gsd_mm)
    return trace.trace_lines(
        trace.join([skeleton]),
        read_probability=lambda window: probability[window.within(whole)],
        shape=probability.shape,
        spur_px=config.spur_px,
        spur_widths=config.spur_widths,
        gap_px=config.gap_px,
        gap_angle_deg=config.gap_angle_deg,
        simplify_px=config.simplify_px,
        min_length_px=config.min_length_mm / gsd_mm,
    )
