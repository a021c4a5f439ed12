"""Which class every pixel of a scene belongs to: the truth for networks that tell several classes apart.

Marks lie on the pavement in their order, later ones above earlier ones, and cracks go through all of them. So
a crack in lane paint is a crack, and a joint under a patch is not seen.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crackpipe.model.render.cracks import MASK_HALF_WIDTH_PX, U8, Window
from crackpipe.model.render.marks import Mark, mark_alpha
from crackpipe.model.render.picture import Scene

LABELS = ("crack", "sealed_crack", "joint", "lane_paint")
"""Name k has index k + 1. 0 is sound; stains, shadows, patches and litter are sound too."""


def class_labels(scene: Scene, window: Window, crack: U8) -> U8:
    """Class index (h, w) uint8 of a window: 0 sound, 1 + index into LABELS.

    `crack` is the mask (h, w), uint8 0 or 1, that `render_window` gives for the same window. A pixel belongs
    to a mark if at least half of the mark's effect shows there. A mark thinner than the thinnest mask of a
    crack is widened to that. A joint is labelled also where it is worn away, as a person would draw it.
    """
    labels = np.zeros((window.height, window.width), np.uint8)
    for mark in scene.marks:
        if mark.what == "" and mark.effect != "cover":
            continue  # stains and shadows leave what is under them visible
        found = mark_alpha(_as_labelled(mark), window)
        if found is not None:
            rows, cols, alpha = found
            index = LABELS.index(mark.what) + 1 if mark.what else 0
            labels[rows, cols][alpha >= 0.5] = index
    labels[crack == 1] = LABELS.index("crack") + 1
    return labels


def _as_labelled(mark: Mark) -> Mark:
    width_px = max(mark.width_px, 2 * MASK_HALF_WIDTH_PX) if mark.width_px > 0 else 0.0
    return replace(mark, width_px=width_px, wear=0.0 if mark.what == "joint" else mark.wear)
