"""Photographs become training tiles, drawn at random and augmented. Seed and number decide a tile.

A tile takes about 10 ms of one core, once the photographs are in memory. Frame: pixels are (row, col).
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from crackpipe.model.data import augment, paper_augment, paste
from crackpipe.model.data.pairs import TILE_PX, Pair

SAMPLING_WEIGHT = {
    "deepcrack": 20.0,
    "nha12d": 14.0,
    "dnit": 10.0,
    "dnit_plan": 10.0,  # the same frames from above
    "rendered": 14.0,
    "rendered_cameras": 14.0,
    "cfd": 11.0,
    "sut_crack": 10.0,
    "negatives_nha12d": 7.0,
    "crack500_360": 7.0,  # many, but labelled far too wide
    "cracksc": 6.0,
    "paveseg_preview": 12.0,  # what is taken for a crack
    "gaps384_crops": 5.0,
    "cracknj156_samples": 4.0,
    "shadowcrack_crops": 4.0,
    "aiglern_trimm_crops": 4.0,
    "polyhaven_1k": 3.0,
}
"""Relative number of tiles drawn from a set, whatever its number of photographs."""
_OTHER_WEIGHT = 10.0

_SMALL_SHARE = 0.25
"""Share of tiles at scales below 0.5, where the training asks for such."""

_MOSAIC_BELOW_PX = 300
"""Photographs whose longer side is below this fill a quarter or ninth of a tile, beside others of the set."""


class TrainingTiles(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless random tiles.

    Tile `i` depends on the pairs, the seed and `i` only. So a resumed training goes on exactly where it
    stopped, and any number of loader processes draws the same tiles. `as_in_paper` takes the paper's
    augmentation in place of `odds`. `rendered` names the sets that together make `rendered_share` of the
    tiles, 0..1, where that is given; cracks to be pasted come from the other sets. `least_scale` is that of
    `draw_tile`. Raises ValueError without pairs.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        seed: int,
        odds: augment.Odds | None = None,
        *,
        as_in_paper: bool = False,
        rendered: Collection[str] = (),
        rendered_share: float | None = None,
        least_scale: float = 0.5,
    ) -> None:
        if not pairs:
            raise ValueError("no training pairs: check the data folders and the split")
        self._seed = seed
        self._odds = odds or augment.Odds()
        self._as_in_paper = as_in_paper
        self._least_scale = least_scale
        names = sorted({pair.set_name for pair in pairs})
        self._sets = [[pair for pair in pairs if pair.set_name == name] for name in names]
        self._odds_of_set = _odds_of_sets(names, rendered, rendered_share)
        self._sources = [pair for pair in pairs if len(pair.crack_at) and pair.set_name not in rendered]

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Tile `index`: image uint8 (3, 448, 448) RGB, label uint8 (448, 448)."""
        rng = np.random.default_rng((self._seed, index))
        pairs = self._sets[int(rng.choice(len(self._sets), p=self._odds_of_set))]
        if self._as_in_paper:
            image, label = draw_paper_tile(pairs, rng)
        else:
            image, label = draw_tile(pairs, rng, self._odds, self._sources, self._least_scale)
        return torch.from_numpy(image.transpose(2, 0, 1).copy()), torch.from_numpy(label.copy())


def _odds_of_sets(
    names: Sequence[str], rendered: Collection[str], share: float | None
) -> NDArray[np.float64]:
    """The probability of each set; the sum is 1, and that of the `rendered` sets is `share` where given."""
    weights: NDArray[np.float64] = np.array([SAMPLING_WEIGHT.get(name, _OTHER_WEIGHT) for name in names])
    drawn = np.array([name in rendered for name in names])
    if share is not None and drawn.any() and not drawn.all():
        weights[drawn] *= share / weights[drawn].sum()
        weights[~drawn] *= (1 - share) / weights[~drawn].sum()
    weights /= weights.sum()
    return weights


class TileNumbers(Sampler[int]):
    """Tile numbers `start + rank`, `start + rank + step`, ... without end: what one process draws."""

    def __init__(self, start: int, rank: int, step: int) -> None:
        self._first, self._step = start + rank, step

    def __iter__(self) -> Iterator[int]:
        """Count up for ever."""
        number = self._first
        while True:
            yield number
            number += self._step


def draw_tile(
    pairs: Sequence[Pair],
    rng: np.random.Generator,
    odds: augment.Odds,
    sources: Sequence[Pair] = (),
    least_scale: float = 0.5,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """One augmented tile from one set: image (448, 448, 3) uint8 RGB and label (448, 448) uint8.

    `sources` are photographs with cracks, of any set; a crack of one of them is pasted now and then. Where
    `least_scale` is below 0.5, a quarter of the tiles has scales from it to 0.5.
    """
    pair = pairs[int(rng.integers(len(pairs)))]
    # `rng` is asked only where scales go below 0.5: without, a seed gives the tiles it always gave
    if least_scale < 0.5 and rng.random() < _SMALL_SHARE:
        scale = float(np.exp(rng.uniform(np.log(least_scale), np.log(0.5))))
        image, label = _draw_small(pairs, rng, scale, odds)
    elif max(pair.label.shape) < _MOSAIC_BELOW_PX:
        image, label = _draw_mosaic(pairs, rng)
    else:
        image, label = _draw_crop(pair, rng, TILE_PX, _draw_scale(rng), odds)
    # `rng` is asked only where a crack may be pasted: without pasting, a seed gives the tiles it always gave
    if odds.paste and sources and not (label == 1).any() and rng.random() < odds.paste:
        source = sources[int(rng.integers(len(sources)))]
        crack, crack_label = _draw_crop(source, rng, TILE_PX, _draw_scale(rng), odds, aimed=1.0)
        image, label = paste.paste_crack(image, label, crack, crack_label == 1)
    image, label = augment.flip_pair(image, label, rng)
    return augment.disturb(image, rng, odds), label


def draw_paper_tile(
    pairs: Sequence[Pair], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """One tile at the photograph's own scale with the paper's augmentation; shapes as of `draw_tile`."""
    pair = pairs[int(rng.integers(len(pairs)))]
    top, left = _aim(pair, rng, TILE_PX, 2 / 3)
    margin_px, size_px = paper_augment.MARGIN_PX, TILE_PX + 2 * paper_augment.MARGIN_PX
    window = (top - margin_px, left - margin_px, size_px, size_px)
    image = augment.reflected_window(pair.image, *window)
    label = augment.reflected_window(pair.label, *window)
    return paper_augment.augment(image, label, TILE_PX, int(rng.integers(2**63)))


def _draw_scale(rng: np.random.Generator) -> float:
    """Output px per source px: 0.7 to 1.4 in most tiles, 0.5 to 2 in some; log-uniform."""
    span = np.log(1.4) if rng.random() < 0.8 else np.log(2.0)
    return float(np.exp(rng.uniform(-span, span)))


def _draw_crop(
    pair: Pair,
    rng: np.random.Generator,
    size_px: int,
    scale: float,
    odds: augment.Odds,
    *,
    aimed: float = 2 / 3,
    keep_faint: bool = True,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A square of `size_px` at `scale`, turned now and then.

    `scale` is in px of the result per px of the photograph. A window of the photograph, reflected beyond its
    edge, is resized and turned, and its middle is kept. The window is so large that no corner of the middle
    comes from outside it. `aimed` is explained in `_aim`, `keep_faint` in `augment.resize_pair`.
    """
    angle_deg = float(rng.uniform(-30, 30)) if rng.random() < odds.turn else 0.0
    padded_px = int(np.ceil(size_px * augment.turn_margin(angle_deg))) if angle_deg else size_px
    window_px = max(1, round(padded_px / scale))
    top, left = _aim(pair, rng, window_px, aimed)
    image = augment.reflected_window(pair.image, top, left, window_px, window_px)
    label = augment.reflected_window(pair.label, top, left, window_px, window_px)
    image, label = augment.resize_pair(image, label, padded_px, padded_px, keep_faint=keep_faint)
    if angle_deg:
        image, label = augment.turn_pair(image, label, angle_deg)
        margin = (padded_px - size_px) // 2
        kept = slice(margin, margin + size_px)
        image, label = image[kept, kept], label[kept, kept]
    return image, label


def _aim(pair: Pair, rng: np.random.Generator, window_px: int, aimed: float) -> tuple[int, int]:
    """Top-left (row, col) of a window: with probability `aimed` one that holds a crack pixel, else anywhere.

    A window larger than the photograph keeps all of it inside; a smaller one stays within it.
    """
    crack: NDArray[np.int32] | None = None
    if len(pair.crack_at) and rng.random() < aimed:
        crack = pair.crack_at[int(rng.integers(len(pair.crack_at)))]
    corner = []
    for axis in range(2):
        slack = pair.label.shape[axis] - window_px
        low, high = min(0, slack), max(0, slack)
        wish = rng.integers(low, high + 1)
        if crack is not None:
            wish = int(crack[axis]) - int(rng.integers(window_px))
        corner.append(int(np.clip(wish, low, high)))
    return corner[0], corner[1]


def _draw_small(
    pairs: Sequence[Pair], rng: np.random.Generator, scale: float, odds: augment.Odds
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A tile at a small scale, as coarse cameras show roads: as many photographs side by side as fill it."""
    typical_px = scale * min(pairs[int(rng.integers(len(pairs)))].label.shape)
    across = int(np.clip(round(TILE_PX / typical_px), 1, 4))
    edges = np.linspace(0, TILE_PX, across + 1).round().astype(int)
    image = np.empty((TILE_PX, TILE_PX, 3), np.uint8)
    label = np.empty((TILE_PX, TILE_PX), np.uint8)
    cell_px = int(np.diff(edges).max())
    for top, bottom in pairwise(edges):
        for left, right in pairwise(edges):
            pair = pairs[int(rng.integers(len(pairs)))]
            part, part_label = _draw_crop(pair, rng, cell_px, scale, odds, keep_faint=False)
            image[top:bottom, left:right] = part[: bottom - top, : right - left]
            label[top:bottom, left:right] = part_label[: bottom - top, : right - left]
    return image, label


def _draw_mosaic(
    pairs: Sequence[Pair], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Four or nine small photographs of a set side by side, each enlarged to fill its cell.

    A photograph of 133 to 240 px is too small for a tile: alone it would be enlarged up to three times, and
    its cracks with it. The seams are hard edges that are no cracks, and roads have many such edges.
    """
    across = 2 if rng.random() < 0.6 else 3
    edges = np.linspace(0, TILE_PX, across + 1).round().astype(int)
    image = np.empty((TILE_PX, TILE_PX, 3), np.uint8)
    label = np.empty((TILE_PX, TILE_PX), np.uint8)
    for top, bottom in pairwise(edges):
        for left, right in pairwise(edges):
            pair = pairs[int(rng.integers(len(pairs)))]
            cell_px = int(max(bottom - top, right - left))
            scale = cell_px / min(pair.label.shape) * float(rng.uniform(1.0, 1.3))
            part, part_label = _draw_crop(pair, rng, cell_px, scale, augment.Odds(turn=0.0))
            part, part_label = augment.flip_pair(part, part_label, rng)
            image[top:bottom, left:right] = part[: bottom - top, : right - left]
            label[top:bottom, left:right] = part_label[: bottom - top, : right - left]
    return image, label
