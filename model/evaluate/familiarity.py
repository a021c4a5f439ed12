"""Statistics of the pictures that a network was trained on, by which it tells how familiar others are.

Strategy. Of every set some photographs are looked at, each as it is and once more as another camera might
have delivered it: at another scale, and compressed. Their features give the directions in which pictures of
one set vary, and the centre of each set. How far known pictures are off, others must tell: each half of the
photographs is measured by the statistics of the other half.

How sure the network is (`weights.sureness`) is asked of photographs that it was not trained on, where any are
kept from training: of those that it was trained on it is surer than of any road to come.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crackpipe.model.data.augment import reflected_window
from crackpipe.model.data.pairs import TILE_PX, is_validation, list_pairs, photograph_of
from crackpipe.model.data.pictures import open_rgb
from crackpipe.model.evaluate.predictions import CORE_PX, closely
from crackpipe.model.predict.encoder import SIDE_PX, Encoder
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.weights import folder, header
from crackpipe.model.weights.metadata import WeightsError
from crackpipe.model.weights.read import load
from crackpipe.model.weights.statistics import Statistics
from crackpipe.model.weights.sureness import Span, response, sureness

PICTURES_OF_SET = 60
"""Looked at of every set, so that no large set decides alone."""

LEAST_PHOTOGRAPHS = 16
"""With fewer in all, nothing can be said of how photographs vary."""

TILES = 2
"""Of each picture, as in a run (`pipeline.familiarity.places`)."""

Floats = NDArray[np.float64]

STRANGE_SHARE = 0.025
"""Of known pictures lies beyond the distance that counts as strange, and as few below the strange sureness:
so at most one of twenty is strange by either."""

LOOKED_AT = 20
"""Pictures of a set by which it is told how sure the network is."""

_MOST_CORES = 3  # along each side of such a picture

_LEAST_RESPONSES = 16
"""With fewer pictures that the network responds to, nothing can be said of how sure it is."""

_LEAST_SPREAD = 1e-6  # of a feature that does not vary at all

_SHRINKAGE = 0.1  # of correlations towards none: 80 features of some hundred tiles leave them uncertain

_SCALES = (0.5, 1.3)
_JPEG_QUALITY = (50, 95)


def statistics_of(
    encoder: Encoder, folders: Sequence[Path], share_of_others: float = 0.0
) -> Statistics | None:
    """The statistics of the training part of all sets under `folders`; None where there are too few.

    `share_of_others` is explained in `pairs.is_validation`. The same pictures give the same statistics.
    Raises FileNotFoundError as `list_pairs` does, ValueError as `open_rgb` does.
    """
    names, halves, features = [], [], []
    photographs: set[tuple[str, str]] = set()
    for set_name, stem, image in _pictures(folders, share_of_others, PICTURES_OF_SET):
        photograph = photograph_of(set_name, stem)
        photographs.add((set_name, photograph))
        half = _seed(set_name, photograph) % 2
        for tile in tiles_of(image, np.random.default_rng(_seed(set_name, stem))):
            names.append(set_name)
            halves.append(half)
            features.append(encoder.features(tile))
    if len(photographs) < LEAST_PHOTOGRAPHS:
        return None
    return fitted(np.array(names), np.array(halves), np.stack(features).astype(np.float64))


def _pictures(
    folders: Sequence[Path], share: float, most: int, *, kept: bool = False
) -> Iterator[tuple[str, str, NDArray[np.uint8]]]:
    """Set, stem and pixels, uint8 (H, W, 3), of `most` pictures of each set, trained on or kept from it."""
    for set_name, listed in groupby(list_pairs(folders), lambda each: each[0]):
        those = [each for each in listed if is_validation(set_name, each[1].stem, share) == kept]
        chosen = np.unique(np.linspace(0, len(those) - 1, most).round().astype(int))
        for index in chosen if those else ():
            image = those[index][1]
            yield set_name, image.stem, open_rgb(image)


def _seed(*words: str) -> int:
    return int.from_bytes(hashlib.sha256("/".join(words).encode()).digest()[:8], "big")


def tiles_of(image: NDArray[np.uint8], rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Tiles (448, 448, 3) of a picture (H, W, 3), uint8: as it is, and as another camera might show it."""
    for picture in (image, by_another_camera(image, rng)):
        for _ in range(TILES):
            # the square that is looked at lies inside the picture, if that is large enough
            corner = [int(rng.integers(max(1, size - SIDE_PX + 1))) for size in picture.shape[:2]]
            margin_px = (TILE_PX - SIDE_PX) // 2
            yield reflected_window(picture, corner[0] - margin_px, corner[1] - margin_px, TILE_PX, TILE_PX)


def by_another_camera(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A picture, uint8 (H, W, 3), at a scale and through a JPEG by lot."""
    scale = float(np.exp(rng.uniform(*np.log(_SCALES))))
    return redelivered(image, scale, int(rng.integers(*_JPEG_QUALITY)))


def redelivered(image: NDArray[np.uint8], scale: float, quality: int) -> NDArray[np.uint8]:
    """A picture, uint8 (H, W, 3), at another scale (new px per old px), and through JPEG of a quality."""
    size = [max(8, round(side * scale)) for side in image.shape[1::-1]]
    small = Image.fromarray(image).resize((size[0], size[1]), Image.Resampling.BILINEAR)
    content = io.BytesIO()
    small.save(content, "JPEG", quality=quality)
    return np.asarray(Image.open(content).convert("RGB"))


def fitted(names: NDArray[np.str_], halves: NDArray[np.int_], features: Floats) -> Statistics:
    """The statistics of N tiles with features (N, F), their sets (N,), and the half of each, 0 or 1, (N,).

    Each `TILES` that follow each other are of one picture.
    """
    measured = []
    for half in (0, 1):
        others = halves != half
        if others.any() and not others.all():
            projection, centres = _directions(names[others], features[others])
            measured.append(_distances(projection, centres, features[~others]))
    # of a picture, as far as a picture has one distance: its tiles follow each other
    far = np.exp(np.log(np.concatenate(measured)).reshape(-1, TILES).mean(axis=1))
    projection, centres = _directions(names, features)
    return Statistics(
        sets=tuple(np.unique(names).tolist()),
        projection=projection.astype(np.float32),
        centres=centres.astype(np.float32),
        usual=float(np.median(far)),
        strange=float(np.quantile(far, 1 - STRANGE_SHARE)),
    )


def _directions(names: NDArray[np.str_], features: Floats) -> tuple[Floats, Floats]:
    """Projection (F, K) and centres (C, K) of N tiles with features (N, F) of the sets `names` (N,).

    Over the tiles of a set each of the K combinations varies by about 1, and no two vary together
    (Mahalanobis distance with one covariance for all sets, Lee et al. 2018, "A Simple Unified Framework for
    Detecting Out-of-Distribution Samples", eq. 1 and 2; correlations shrunk towards none).
    """
    sets = np.unique(names)
    means = np.stack([features[names == name].mean(axis=0) for name in sets])
    within = features - means[np.searchsorted(sets, names)]
    spread = np.maximum(within.std(axis=0), _LEAST_SPREAD)
    scaled = within / spread
    correlation = (1 - _SHRINKAGE) * (scaled.T @ scaled) / len(scaled)
    correlation[np.diag_indices_from(correlation)] += _SHRINKAGE
    variances, directions = np.linalg.eigh(correlation)
    projection = directions / np.sqrt(variances) / spread[:, None]
    return projection, means @ projection


def _distances(projection: Floats, centres: Floats, features: Floats) -> Floats:
    """The distance of each of N tiles with features (N, F), as `Statistics.distance` measures it."""
    off = (features @ projection)[:, None] - centres
    return np.asarray(np.sqrt((off**2).mean(axis=2).min(axis=1)))


def sureness_of(predictor: Predictor, folders: Sequence[Path], share_of_others: float = 0.0) -> Span | None:
    """Usual and strange sureness of known pictures; None where the network responds to too few of them.

    Arguments are as of `statistics_of`; of several classes nothing is told.
    """
    if predictor.weights.channels > 1:
        return None
    looked_at = list(_pictures(folders, share_of_others, LOOKED_AT, kept=True))
    found = []
    for set_name, stem, image in looked_at or _pictures(folders, share_of_others, LOOKED_AT):
        picture = _middle(by_another_camera(image, np.random.default_rng(_seed(set_name, stem))))
        probability = closely(predictor, picture)
        found.append(sureness([response(probability)], probability.size))
    told = [each for each in found if each is not None]
    if len(told) < _LEAST_RESPONSES:
        return None
    usual, strange = float(np.median(told)), float(np.quantile(told, STRANGE_SHARE))
    return (usual, strange) if strange < usual else None


def _middle(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of a picture (H, W, 3), so that a large one costs no more than `_MOST_CORES`**2 tiles."""
    most_px = _MOST_CORES * CORE_PX
    rows, cols = (
        slice(max(0, (px - most_px) // 2), max(0, (px - most_px) // 2) + most_px) for px in image.shape[:2]
    )
    return image[rows, cols]


def add_statistics(
    name: str, folders: Sequence[Path], out: Path, share_of_others: float = 0.0, device: str = "cpu"
) -> Statistics | None:
    """Write weights, given by a name or the path of a file, with the statistics of `folders` to `out`.

    The tensors and all other metadata stay as they are, byte for byte; a file that is there is replaced. The
    network runs on `device`.
    Returns the statistics. It is None, and nothing is written, where `folders` hold too few photographs.
    Raises WeightsError for weights that cannot be used or have no encoder, FileNotFoundError as `list_pairs`
    does, ValueError as `open_rgb` does.
    """
    path, _, content = folder.read(name)
    for file in (path, out):
        if file.suffix != ".safetensors":
            raise WeightsError(
                f"{file}: statistics are kept in .safetensors files alone, not {file.suffix!r}; turn a "
                "checkpoint into one with `crackpipe weights import`"
            )
    weights = load(name)
    found = statistics_of(Encoder(weights), folders, share_of_others)
    if found is None:
        return None
    sure = sureness_of(Predictor(weights, device, precision="fp32"), folders, share_of_others)
    found = replace(found, sureness=sure)
    metadata = header.metadata_of(content) | {header.STATISTICS: found.as_entry()}
    partial = out.with_name(out.name + ".partial")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.write_bytes(header.with_metadata(content, metadata))
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return found
