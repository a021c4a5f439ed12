"""Image and mask folders -> training tiles, and validation photographs.

A data folder holds one folder per set, `DIR/NAME/images/*.jpg|png` and `DIR/NAME/masks/*.png` (8-bit, one
channel, 0 sound, 255 crack, 127 not inspected, same stem). Rendered roads come in the same layout. All of it
is decoded into memory once (about 1 GB for 280 megapixels); after that a tile costs some 10 ms of one core.

A set that knows several classes has a file `classes.txt` beside its folders, one name per line: line k is the
class of value k in its masks, 255 is ignored. What a training does not ask for is sound to it. In other
sets crack is labelled and everything else is sound.

Photographs, not crops, are split into training and validation: two crops of one photograph share road
surface, light and camera, and a network that has seen one does well on the other for the wrong reason.
Frame: pixels are (row, col).
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset, Sampler

from crackpipe.model import augment, paste, published_augment
from crackpipe.model.losses import IGNORE

TILE_PX = 448

MASK_NOT_INSPECTED = 127
"""Grey value in a mask file of pixels that nobody judged: they count neither in training nor in figures."""

VALIDATION_SHARE = {
    "deepcrack": 0.18,
    "cfd": 0.18,
    "sut_crack": 0.18,
    "cracksc": 0.18,
    "nha12d": 0.20,
    "negatives_nha12d": 0.20,
    "rendered_classes": 0.12,
    "rendered": 0.0,
    "crack500_360": 0.0,
    "gaps384_crops": 0.0,
    "shadowcrack_crops": 0.0,
    "aiglern_trimm_crops": 0.0,
}
"""Share of each set's photographs that is never trained on; of other sets, whatever is asked for. Of
crack500_360 the photographs are unknown (neighbouring crops, lost names), the last three are small crops."""

SAMPLING_WEIGHT = {
    "deepcrack": 20.0,
    "nha12d": 14.0,
    "rendered": 14.0,
    "cfd": 11.0,
    "sut_crack": 10.0,
    "negatives_nha12d": 7.0,
    "crack500_360": 7.0,  # many, but labelled far too wide
    "cracksc": 6.0,
    "gaps384_crops": 5.0,
    "shadowcrack_crops": 4.0,
    "aiglern_trimm_crops": 4.0,
}
"""Relative number of tiles drawn from a set, whatever its number of photographs."""
_OTHER_WEIGHT = 10.0

_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}

_MOSAIC_BELOW_PX = 300
"""Photographs whose longer side is below this fill a quarter or ninth of a tile, beside others of the set."""


@dataclass(frozen=True)
class Pair:
    """A photograph, or the part of one that a set holds, with its label."""

    set_name: str
    stem: str
    image: NDArray[np.uint8] = field(repr=False)
    """(H, W, 3) RGB."""
    label: NDArray[np.uint8] = field(repr=False)
    """(H, W): 0 sound, 1 + the index of a class (1 crack, where that is the only one), 255 ignored."""
    crack_at: NDArray[np.int32] = field(repr=False)
    """(M, 2) some 2,000 pixels of each class as (row, col), evenly picked: where to aim a tile. M = 0:
    crack-free."""


def photograph_of(set_name: str, stem: str) -> str:
    """Name of the photograph that a file was cut from, without the set's name.

    `train_IMG33-10` -> `train_IMG33` (crops are numbered after the last dash); a GAPs crop also names its
    position (`..._0608_541_1-6` -> `..._0608`), a crack-free part its corner (`APVD_01_0_768` -> `APVD_01`).
    """
    photograph = re.sub(r"-\d+$", "", stem)
    if set_name.startswith(("gaps384", "negatives_nha12d")):
        photograph = re.sub(r"_\d+_\d+$", "", photograph)
    return photograph


def is_validation(set_name: str, stem: str, share_of_others: float = 0.0) -> bool:
    """Whether the photograph behind a file is kept from training: by hash of its name, so it never moves.

    `share_of_others`: that of sets without a share in `VALIDATION_SHARE`, 0..1.

    Crack-free parts of NHA12D hash as the photograph that they were cut from and fall on the same side.
    """
    family = set_name.removeprefix("negatives_")
    key = f"{family}/{photograph_of(set_name, stem)}"
    position = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    return position < VALIDATION_SHARE.get(set_name, share_of_others)


def list_pairs(folders: Iterable[Path]) -> list[tuple[str, Path, Path]]:
    """All (set name, image, mask) under data folders, sorted by folder and stem.

    A folder that holds `images/` itself is one set. Others without `images/` are passed over.
    Raises FileNotFoundError where an image has no mask or where nothing is found at all.
    """
    found = []
    folders = list(folders)
    sets = [folder for given in folders for folder in (given, *given.glob("*"))]
    for images in sorted(folder / "images" for folder in sets if (folder / "images").is_dir()):
        for image in sorted(path for path in images.iterdir() if path.suffix.lower() in _IMAGE_SUFFIXES):
            mask = images.parent / "masks" / f"{image.stem}.png"
            if not mask.is_file():
                raise FileNotFoundError(f"{image} has no mask {mask}: add the mask or remove the image")
            found.append((images.parent.name, image, mask))
    if not found:
        raise FileNotFoundError(
            f"no NAME/images/*.jpg|png under {', '.join(map(str, folders))}: expected one folder per set"
        )
    return found


def load_pairs(
    folders: Iterable[Path],
    *,
    validation: bool,
    classes: Sequence[str] = ("crack",),
    share_of_others: float = 0.0,
) -> list[Pair]:
    """Decode the training or the validation part of all sets under `folders` into memory.

    Labels are indices into `classes`, counted from 1. `share_of_others`: see `is_validation`. Raises
    FileNotFoundError, or ValueError where a mask does not fit its image or its set's classes.
    """
    return [
        _load_pair(name, image, mask, classes)
        for name, image, mask in list_pairs(folders)
        if is_validation(name, image.stem, share_of_others) == validation
    ]


def _load_pair(set_name: str, image_path: Path, mask_path: Path, classes: Sequence[str]) -> Pair:
    image = np.asarray(Image.open(image_path).convert("RGB"))
    mask = np.asarray(Image.open(mask_path).convert("L"))
    if image.shape[:2] != mask.shape:
        raise ValueError(
            f"{mask_path} is {mask.shape[1]}x{mask.shape[0]} px but {image_path} is "
            f"{image.shape[1]}x{image.shape[0]} px: make them one size"
        )
    label = _label(mask, mask_path, classes)
    places = [np.argwhere(label == index + 1).astype(np.int32) for index in range(len(classes))]
    crack_at = np.concatenate([place[:: max(1, len(place) // 2000)] for place in places])
    return Pair(set_name, image_path.stem, image, label, crack_at)


def _label(mask: NDArray[np.uint8], mask_path: Path, classes: Sequence[str]) -> NDArray[np.uint8]:
    """Values of a mask file -> 1 + index into `classes`."""
    known = classes_of_set(mask_path.parents[1])
    if known is None:
        label = (mask >= 128) * np.uint8(classes.index("crack") + 1 if "crack" in classes else 0)
        label[mask == MASK_NOT_INSPECTED] = IGNORE
        return label
    index_of = np.zeros(256, np.uint8)
    index_of[IGNORE] = IGNORE
    for value, name in enumerate(known, start=1):
        if name in classes:
            index_of[value] = classes.index(name) + 1
    if (strange := (mask > len(known)) & (mask != IGNORE)).any():
        raise ValueError(
            f"{mask_path} has the value {mask[strange].min()}, but classes.txt beside it names {len(known)} "
            f"classes: values are 0 to {len(known)}, or {IGNORE} to ignore"
        )
    return index_of[mask]


def classes_of_set(folder: Path) -> tuple[str, ...] | None:
    """Names of the values 1, 2, ... in the masks of a set; None where it labels crack or not (255 or 0).

    Raises ValueError for a `classes.txt` without names, or with a name twice.
    """
    file = folder / "classes.txt"
    if not file.is_file():
        return None
    names = tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    if not 1 <= len(names) <= 254 or len(set(names)) < len(names):
        raise ValueError(f"{file} names {', '.join(names) or 'nothing'}: 1 to 254 different names needed")
    return names


def pixels_per_class(pairs: Iterable[Pair], classes: int) -> NDArray[np.int64]:
    """Labelled pixels of sound and of each of `classes` classes, (1 + classes,); ignored ones left out."""
    counts = np.zeros(classes + 1, np.int64)
    for pair in pairs:
        counts += np.bincount(pair.label.ravel(), minlength=IGNORE + 1)[: classes + 1]
    return counts


class TrainingTiles(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless random tiles: tile `i` depends on the pairs, the seed and `i` only, so a resumed run goes on
    exactly where it stopped, and any number of loader processes draws the same tiles.

    `published`: augmented as in the paper instead of by `odds`. `rendered`: names of sets that together make
    `rendered_share` of the tiles, where that is given; cracks to be pasted come from the others.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        seed: int,
        odds: augment.Odds | None = None,
        *,
        published: bool = False,
        rendered: Collection[str] = (),
        rendered_share: float | None = None,
    ) -> None:
        if not pairs:
            raise ValueError("no training pairs: check the data folders and the split")
        self._seed = seed
        self._odds = odds or augment.Odds()
        self._published = published
        names = sorted({pair.set_name for pair in pairs})
        self._sets = [[pair for pair in pairs if pair.set_name == name] for name in names]
        self._odds_of_set = _odds_of_sets(names, rendered, rendered_share)
        self._sources = [pair for pair in pairs if len(pair.crack_at) and pair.set_name not in rendered]

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Tile `index`: image uint8 (3, 448, 448) RGB, label uint8 (448, 448)."""
        rng = np.random.default_rng((self._seed, index))
        pairs = self._sets[int(rng.choice(len(self._sets), p=self._odds_of_set))]
        if self._published:
            image, label = draw_published_tile(pairs, rng)
        else:
            image, label = draw_tile(pairs, rng, self._odds, self._sources)
        return torch.from_numpy(image.transpose(2, 0, 1).copy()), torch.from_numpy(label.copy())


def _odds_of_sets(
    names: Sequence[str], rendered: Collection[str], share: float | None
) -> NDArray[np.float64]:
    """Probability of each set, summing to 1; those of `rendered` together `share`, where it is given."""
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
    pairs: Sequence[Pair], rng: np.random.Generator, odds: augment.Odds, sources: Sequence[Pair] = ()
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """One augmented tile from one set: image (448, 448, 3) uint8 RGB and label (448, 448) uint8.

    `sources`: photographs with cracks, of any set, from which one is pasted now and then.
    """
    pair = pairs[int(rng.integers(len(pairs)))]
    if max(pair.label.shape) < _MOSAIC_BELOW_PX:
        image, label = _draw_mosaic(pairs, rng)
    else:
        image, label = _draw_crop(pair, rng, TILE_PX, _draw_scale(rng), odds)
    # asked only where it may happen: without pasting, a seed draws the tiles that it always drew
    if odds.paste and sources and not (label == 1).any() and rng.random() < odds.paste:
        source = sources[int(rng.integers(len(sources)))]
        crack, crack_label = _draw_crop(source, rng, TILE_PX, _draw_scale(rng), odds, aimed=1.0)
        image, label = paste.paste_crack(image, label, crack, crack_label == 1)
    image, label = augment.flip_pair(image, label, rng)
    return augment.disturb(image, rng, odds), label


def draw_published_tile(
    pairs: Sequence[Pair], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """One tile at the photograph's own scale, augmented as published; shapes as of `draw_tile`."""
    pair = pairs[int(rng.integers(len(pairs)))]
    top, left = _aim(pair, rng, TILE_PX, 2 / 3)
    margin_px, size_px = published_augment.MARGIN_PX, TILE_PX + 2 * published_augment.MARGIN_PX
    window = (top - margin_px, left - margin_px, size_px, size_px)
    image = augment.reflected_window(pair.image, *window)
    label = augment.reflected_window(pair.label, *window)
    return published_augment.augment(image, label, TILE_PX, int(rng.integers(2**63)))


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
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A square of `size_px` at `scale`, turned now and then.

    The source window is cut with mirrored surroundings, resized, turned, and its middle kept: margins are
    large enough that no turned corner comes from outside the window. `aimed`: see `_aim`.
    """
    angle_deg = float(rng.uniform(-30, 30)) if rng.random() < odds.turn else 0.0
    padded_px = int(np.ceil(size_px * augment.turn_margin(angle_deg))) if angle_deg else size_px
    window_px = max(1, round(padded_px / scale))
    top, left = _aim(pair, rng, window_px, aimed)
    image = augment.reflected_window(pair.image, top, left, window_px, window_px)
    label = augment.reflected_window(pair.label, top, left, window_px, window_px)
    image, label = augment.resize_pair(image, label, padded_px, padded_px)
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


def _draw_mosaic(
    pairs: Sequence[Pair], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Four or nine small photographs of a set side by side, each enlarged to fill its cell.

    133 to 240 px are too few for a tile; alone they would be blown up to three times their size, and cracks
    with them. The seams are hard edges that are not cracks, of which a road has many.
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
