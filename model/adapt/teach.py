"""Few labelled pictures of a camera become weights that know it.

Strategy: the training goes on from the weights that a run used, at half their learning rate, for some
thousand tiles at most. Three in ten tiles are rendered roads, without which the network forgets what its new
pictures do not show. The threshold is chosen on the pictures that taught, because those set aside must judge
and not choose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from crackpipe.model.adapt import replay
from crackpipe.model.data.pairs import IGNORE, Pair, list_pairs, load_pairs
from crackpipe.model.evaluate.predictions import Prediction, predict_like_a_survey
from crackpipe.model.evaluate.thresholds import LINE_THRESHOLDS, line_f1_by_threshold
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.train.config import ARCHITECTURES, TrainConfig
from crackpipe.model.train.train import train
from crackpipe.model.weights import files
from crackpipe.model.weights.folder import read
from crackpipe.model.weights.header import SCREEN, STATISTICS
from crackpipe.model.weights.read import Weights, load, save

RECIPE: dict[str, Any] = {
    "learning_rate": 5e-4,
    "warmup": 0.05,
    "ema_decay": 0.99,  # some hundred steps must be enough to forget the start
    "rendered_share": 0.3,
    "validations": 0,
}
NEAR = 1.5
"""Weights that state no range of GSD see images within this factor of theirs as they are."""

AS_GOOD = 0.005
"""Difference of line F1 that means nothing."""

_TILES_PER_S = 1.0
"""About what a process trains; for the number of rendered roads alone."""
_CONTEXT_PX = 32
"""What is kept around the labelled part of a picture: the halo of a tile."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What teaches, and for how long."""

    start: Weights
    taught: Path
    """A folder of sets, `NAME/images` and `NAME/masks`, none of them rendered."""
    work: Path
    """Folder for rendered roads and the checkpoint. A lesson that was interrupted goes on from there."""
    gsd_mm: Mapping[str, float] | None = None
    """GSD of each picture by its stem, mm/px. The new weights see such images as they are. None: not known;
    the range of the start stays."""
    minutes: float | None = None
    """Length, with the time to draw rendered roads. Either `minutes` or `tiles`."""
    tiles: int | None = None
    """Length in tiles; then the same lesson gives the same weights."""
    processes: int = 1
    device: str = "cpu"
    seed: int = 0


def architecture_of(start: Weights) -> str:
    """The word for the network of `start` in a training. Raises ValueError if it cannot be trained on."""
    if len(start.classes) > 1:
        raise ValueError(
            f"weights {start.name} know {len(start.classes)} classes ({', '.join(start.classes)}), but only "
            "weights of one class can be adapted: start from others with --init lite"
        )
    for word, network in ARCHITECTURES.items():
        if files.ARCHITECTURES[start.architecture] is network:
            return word
    raise ValueError(f"weights {start.name}: {start.architecture} cannot be trained; start with --init lite")


def teach(lesson: Lesson) -> Weights:
    """Train, choose the threshold, and return the weights, which lie in `lesson.work`.

    They have the licence of `lesson.start`, and name its data beside the sets that taught. Raises ValueError
    or FileNotFoundError if data are wrong or missing.
    """
    list_pairs((lesson.taught,))  # raises where nothing teaches, before anything is drawn
    length = lesson.tiles or (lesson.minutes or 0) * 60 * _TILES_PER_S * lesson.processes
    pictures = replay.pictures_for(length)
    replay.draw(lesson.work / "replay", pictures, lesson.processes)
    minutes = lesson.minutes
    if minutes is not None:  # projected and not measured: a resumed lesson must have the same schedule
        drawing = pictures * replay.SECONDS_PER_PICTURE / 60 / lesson.processes
        minutes = max(minutes - drawing, minutes / 2)
    known_mm = lesson.gsd_mm.values() if lesson.gsd_mm else None
    span = gsd_range_mm(lesson.start, (min(known_mm), max(known_mm)) if known_mm else None)
    trained = train(
        TrainConfig(
            data=(lesson.taught,),
            rendered=(lesson.work / "replay",),
            out=lesson.work / "trained.safetensors",
            init=lesson.start.path,
            architecture=architecture_of(lesson.start),
            classes=lesson.start.classes,
            minutes=minutes,
            tiles=lesson.tiles,
            processes=lesson.processes,
            device=lesson.device,
            seed=lesson.seed,
            licence=lesson.start.licence,
            finest_gsd_mm=span[0] if span else None,
            coarsest_gsd_mm=span[1] if span else None,
            coarse_shift=lesson.start.coarse_shift if span else None,
            resume=True,
            **RECIPE,
        )
    )
    weights = load(trained)
    pairs = load_pairs((lesson.taught,), validation=False)
    predictor = Predictor(weights, lesson.device)
    threshold = threshold_for(predictor, pairs, lesson.start.threshold, lesson.gsd_mm or {})
    rewrite(
        weights,
        trained,
        threshold=threshold,
        training_gsd_mm=lesson.start.training_gsd_mm,
        contrast_c0=lesson.start.contrast_c0,
    )
    return load(trained)


def gsd_range_mm(start: Weights, taught_mm: tuple[float, float] | None) -> tuple[float, float] | None:
    """The finest and the coarsest GSD, mm/px, that adapted weights see as it is.

    That is what `start` saw so, and what taught. None where nothing is known of what taught and `start`
    states no range.
    """
    if taught_mm is None:
        return start.gsd_range_mm
    finest, coarsest = start.gsd_range_mm or (start.training_gsd_mm / NEAR, start.training_gsd_mm * NEAR)
    return min(finest, taught_mm[0]), max(coarsest, taught_mm[1])


def threshold_for(
    predictor: Predictor, pairs: Sequence[Pair], before: float, gsd_mm: Mapping[str, float]
) -> float:
    """The threshold of the greatest line F1 on `pairs`; that of `before` where none of them has a crack.

    `gsd_mm` is the GSD of pictures by their stem, mm/px; of others it is the nominal one of the weights. It
    decides, as in a run, whether coarse looks are taken.
    Of thresholds that are as good within `AS_GOOD`, the one nearest to `before`: on pictures that taught,
    line F1 is often the same over a wide range, at whose ends other pictures do worse.
    """
    near = [labelled_part(pair) for pair in pairs]
    if not any((pair.label == 1).any() for pair in near):
        return before
    found = [
        Prediction("all", pair.label, probability)  # pooled, not set by set
        for pair in near
        for probability in [predict_like_a_survey(predictor, pair.image, gsd_mm=gsd_mm.get(pair.stem))]
    ]
    f1 = line_f1_by_threshold(found)
    as_good = [t for t, value in zip(LINE_THRESHOLDS, f1, strict=True) if value >= f1.max() - AS_GOOD]
    return min(as_good, key=lambda threshold: abs(threshold - before))


def labelled_part(pair: Pair) -> Pair:
    """The smallest part of a picture that holds all its labels, with the halo of a tile."""
    rows, cols = np.nonzero(pair.label != IGNORE)
    if len(rows) == 0:
        return pair
    top, left = (max(0, int(each.min()) - _CONTEXT_PX) for each in (rows, cols))
    bottom, right = (int(each.max()) + 1 + _CONTEXT_PX for each in (rows, cols))
    here = slice(top, bottom), slice(left, right)
    return Pair(pair.set_name, pair.stem, pair.image[here], pair.label[here], np.empty((0, 2), np.int32))


def rewrite(weights: Weights, out: Path, net: nn.Module | None = None, **changed: Any) -> None:
    """Write `weights` to `out` with other metadata, or with the tensors of `net`, a network of its kind.

    What was measured on its network, statistics of familiarity and limits of `--screen`, does not hold for
    another network and is left out then.
    Raises WeightsError if the metadata are impossible.
    """
    path, _, content = read(weights.path)
    reader = files.from_safetensors if path.suffix == ".safetensors" else files.from_checkpoint
    _, metadata = reader(path, content)
    dropped = {"name"} if net is None else {"name", STATISTICS, SCREEN}
    kept = {key: value for key, value in metadata.items() if key not in dropped}
    save(out, net or weights.build(), kept | changed)
