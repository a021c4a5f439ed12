"""Figures 5, 8 and 9: networks side by side, where RFEM looks, and the worst failures.

Pictures of public sets are made where the sets are and stay there: several may not be passed on.
Frame: pixels are (row, col).
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import nn

from crackpipe.model.data.augment import reflected_window
from crackpipe.model.data.pairs import TILE_PX, Pair
from crackpipe.model.evaluate import metrics, predictions
from crackpipe.model.predict.predictor import Predictor

UInt8 = NDArray[np.uint8]

RIGHT, FALSE, MISSED = (0, 158, 115), (213, 94, 0), (0, 114, 178)
"""Colours of Okabe and Ito, told apart by colour-blind eyes."""

Panel = tuple[str, UInt8]
"""Title and RGB picture."""


def judged(image: UInt8, label: UInt8, mask: NDArray[np.bool_]) -> UInt8:
    """The image, paler, with crack pixels that are right within 2 px, false, or missed; RGB of its shape."""
    shown = (255 - (255 - image.astype(int)) // 2).astype(np.uint8)
    labelled, inspected = label == 1, label <= 1
    shown[mask & inspected] = FALSE
    shown[mask & metrics.within(labelled, metrics.TOLERANCE_PX)] = RIGHT
    shown[labelled & ~metrics.within(mask, metrics.TOLERANCE_PX)] = MISSED
    return shown


def black_on_white(mask: NDArray[np.bool_]) -> UInt8:
    """A mask as RGB."""
    return np.repeat(np.where(mask, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def draw(rows: Sequence[Sequence[Panel]], file: Path, note: str = "") -> None:
    """A PNG of one row of panels per photograph."""
    columns = max(len(row) for row in rows)
    figure = Figure(figsize=(2.6 * columns, 2.2 * len(rows) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    grid: Any = figure.subplots(len(rows), columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for line, row in zip(grid, rows, strict=True):
        for axes, (title, picture) in zip(line, row, strict=False):
            axes.imshow(picture, interpolation="antialiased")
            axes.set_title(title, fontsize=8)
    figure.suptitle(note, fontsize=9)
    figure.savefig(file, dpi=130, metadata={"Software": None})


def comparison(
    networks: Mapping[str, tuple[nn.Module, float]], pairs: Sequence[Pair], device: str
) -> list[list[Panel]]:
    """Figure 5: photograph, label, and what each network (with its threshold) makes of it."""
    rows = []
    for pair in pairs:
        row = [(f"{pair.set_name} {pair.stem}", pair.image), ("label", black_on_white(pair.label == 1))]
        for name, (net, threshold) in networks.items():
            probability = predictions.predict_image(net, pair.image, torch.device(device))
            row.append((name, black_on_white(probability >= _level(threshold))))
        rows.append(row)
    return rows


def attention(predictor: Predictor, pairs: Sequence[Pair]) -> list[list[Panel]]:
    """Figure 8: a tile on a crack, the probability, and RFEM's alpha of each stage, deepest first."""
    from matplotlib import colormaps

    weights = predictor.weights
    net = weights.build()
    net.INPUT_MEAN, net.INPUT_STD = weights.mean, weights.std
    rows = []
    for pair in pairs:
        row, col = pair.crack_at[len(pair.crack_at) // 2] - TILE_PX // 2 if len(pair.crack_at) else (0, 0)
        tile = reflected_window(pair.image, int(row), int(col), TILE_PX, TILE_PX)
        stack = torch.from_numpy(tile.transpose(2, 0, 1).copy())[None]
        with torch.inference_mode():
            logits, alphas = net(predictions.normalise(stack, net), return_attention=True)
        maps = [("probability", torch.sigmoid(logits))]
        for alpha in alphas:
            low, high = float(alpha.min()), float(alpha.max())
            title = f"alpha at 1/{TILE_PX // alpha.shape[-1]}: {low:.2f} to {high:.2f}"
            maps.append((title, (alpha - low) / max(high - low, 1e-6)))
        row_of_panels = [(f"{pair.set_name} {pair.stem}", tile)]
        for title, values in maps:
            coloured = colormaps["magma"](values[0, 0].float().numpy())[..., :3]
            row_of_panels.append((title, (255 * coloured).round().astype(np.uint8)))
        rows.append(row_of_panels)
    return rows


def failures(predictor: Predictor, pairs: Sequence[Pair], worst: int) -> list[list[Panel]]:
    """Figure 9: the pictures with cracks of the lowest F1 (2 px), and crack-free ones with most false pixels.

    Half of the rows each, as far as there are any.
    """
    level = _level(predictor.weights.threshold)
    cracked, free = [], []
    for index, pair in enumerate(pairs):
        mask = predictions.predict_like_a_survey(predictor, pair.image) >= level
        found = metrics.scores(metrics.count(mask, pair.label, centreline=False))
        if (pair.label == 1).any():
            f1 = float(np.nan_to_num(found.f1_2px))
            cracked.append((f1, index, f"F1 (2 px) {f1:.2f}", mask))
        elif found.false_share > 0:
            free.append((-found.false_share, index, f"false {100 * found.false_share:.2f} %", mask))
    cracked.sort(key=lambda each: each[:2])
    free.sort(key=lambda each: each[:2])
    chosen_free = free[: worst // 2]
    return [
        [
            (f"{pairs[index].set_name} {pairs[index].stem}", pairs[index].image),
            ("label", black_on_white(pairs[index].label == 1)),
            (title, judged(pairs[index].image, pairs[index].label, mask)),
        ]
        for _, index, title, mask in [*cracked[: worst - len(chosen_free)], *chosen_free]
    ]


def _level(threshold: float) -> int:
    return math.ceil((predictions.LEVELS - 1) * threshold)
