"""Reviewed tiles, or tiles without labels, become weights for the camera of a run.

The story of --train:

    weights_of     the weights that the run used                                       run_weights.py
    read_review    which tiles a person looked at                                      review.py
    labelled       their pixels and labels; every fifth tile is set aside              review.py
    teach          training with rendered roads, threshold                             model/adapt/teach.py
    judge          before and after, on the tiles set aside                            model/adapt/compare.py

Beside the weights, a folder of their name holds what the training needs to go on after an interruption.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from crackpipe.pipeline.adapt import review
from crackpipe.pipeline.adapt.run_weights import threshold_of, weights_of
from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.dataset.finished_run import FinishedRun, read_run
from crackpipe.pipeline.errors import OutputNotWritableError, UsageError
from crackpipe.pipeline.storage.faults import guarding
from crackpipe.pipeline.tasks.job import network_gsd_mm
from crackpipe.pipeline.tasks.picture import lines_in

if TYPE_CHECKING:
    from crackpipe.model.adapt.compare import Side
    from crackpipe.model.data.pairs import Pair
    from crackpipe.model.weights.read import Weights


MADE_FROM = "made-from.json"
"""By this file the folder of a training is known; it says what the training was begun with."""


@dataclass(frozen=True, kw_only=True)
class LearnRequest:
    """What the command line asked for."""

    run: Path
    """Output folder of `crackpipe run`."""
    reviewed: Path
    """The GeoPackage that `--pick` wrote and a person corrected."""
    out: Path
    """Weights file to be written; a missing folder for it is made."""
    survey: tuple[Path, ...] = ()
    """Where the images are. If empty, they are where they were during the run."""
    init: str | None = None
    """Weights to start from; None: those of the run."""
    minutes: float | None = 20.0
    tiles: int | None = None
    """Length in tiles, instead of `minutes`."""
    processes: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_is_new(self.out)
        if self.tiles is None and not (self.minutes is not None and self.minutes > 0):
            raise UsageError(f"--minutes is {self.minutes}, but must be above 0.")
        if self.tiles is not None and self.tiles < 1:
            raise UsageError(f"--tiles is {self.tiles}, but must be at least 1.")


@dataclass(frozen=True)
class Learnt:
    """What came of it."""

    out: Path
    start: str
    """Name or file of the weights that it started from, as `crackpipe.toml` has it."""
    taught: int
    """Tiles that taught."""
    before: "Side"
    after: "Side"


@dataclass(frozen=True)
class _Written:
    """The labelled tiles as files."""

    taught: Path
    judges: Path
    gsd_mm: dict[str, float]
    """By tile."""
    sha256: str
    """Of all pixels and labels."""


def check_is_new(out: Path) -> None:
    """Raise UsageError if `out` is no name of weights, OutputNotWritableError if there is such a file."""
    if out.suffix != ".safetensors":
        raise UsageError(f"--out is {out}, but weights are written as .safetensors.")
    if out.exists():
        raise OutputNotWritableError(f"{out} is there already: remove it, or give another --out.")


def learn(request: LearnRequest) -> Learnt:
    """Train and judge. Raises UsageError, OutputNotWritableError, ImageRejectedError (an image).

    What the model refuses comes as ValueError, FileNotFoundError or WeightsError. FileExistsError: another
    training writes into the folder of `request.out`.
    """
    from crackpipe.model.adapt.compare import figures, judge
    from crackpipe.model.adapt.teach import architecture_of, rewrite
    from crackpipe.model.data.pairs import load_pairs
    from crackpipe.model.predict.predictor import Predictor
    from crackpipe.model.train.checkpoint import LOCK, held

    run = read_run(request.run, request.survey)
    start = weights_of(request.run, request.init)
    architecture_of(start)  # before anything is written
    work = request.out.with_suffix("")
    with guarding(work):
        _check_own(work)
        work.mkdir(parents=True, exist_ok=True)
        (work / LOCK).touch()  # here, where a folder that cannot be written is told
    with held(work):
        with guarding(work):
            written = _write_tiles(request.reviewed, run, work)
            _check_same(work, _made_from(request, start, written))
        adapted = _taught(request, start, written)
    gsd_mm = written.gsd_mm
    pairs = load_pairs((written.judges,), validation=False)
    thresholds = (threshold_of(request.run, start), adapted.threshold)
    before, after = (
        judge(Predictor(weights, request.device), pairs, lines_in, threshold, _SeenAs(weights, gsd_mm))
        for weights, threshold in zip((start, adapted), thresholds, strict=True)
    )
    after = replace(after, name=request.out.stem)
    metrics = {"validation": {}, "adapted": {"before": figures(before), "after": figures(after)}}
    with guarding(request.out):
        rewrite(adapted, request.out, metrics=metrics)
    return Learnt(request.out, request.init or str(start.name), len(gsd_mm) - len(pairs), before, after)


def _taught(request: LearnRequest, start: "Weights", written: _Written) -> "Weights":
    """The weights that the written tiles have taught; an interrupted training goes on."""
    from crackpipe.model.adapt.teach import Lesson, teach

    return teach(
        Lesson(
            start=start,
            taught=written.taught,
            work=request.out.with_suffix(""),
            gsd_mm=written.gsd_mm,
            minutes=None if request.tiles else request.minutes,
            tiles=request.tiles,
            processes=request.processes,
            device=request.device,
        )
    )


class _SeenAs:
    """How a run with some weights shows a tile to the network; see `compare.SeenAs`."""

    def __init__(self, weights: "Weights", gsd_mm: dict[str, float]) -> None:
        self._weights, self._gsd_mm = weights, gsd_mm

    def __call__(self, pair: "Pair") -> tuple[float, float]:
        gsd_mm = self._gsd_mm[pair.stem]
        seen_mm = network_gsd_mm(gsd_mm, self._weights)
        return gsd_mm / seen_mm, seen_mm


def set_name_of(run: FinishedRun) -> str:
    """What weights call the pictures of a survey among the data they have seen."""
    return "own_" + re.sub(r"[^A-Za-z0-9_]", "_", run.images[0].survey)


def _write_tiles(file: Path, run: FinishedRun, work: Path) -> _Written:
    """Write the labelled tiles into two folders of sets, those that teach and those that judge."""
    tiles = review.read_review(file, run)
    (work / MADE_FROM).touch()  # from here on the folder is known as a training's
    folders = {name: work / name / set_name_of(run) for name in ("taught", "judges")}
    for name, folder in folders.items():
        shutil.rmtree(work / name, ignore_errors=True)
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True)
    gsd_mm, cracked, drawn, digest = {}, {}, set(), hashlib.sha256()
    for tile in review.labelled(file, run, tiles):
        gsd_mm[tile.name], cracked[tile.name] = tile.gsd_mm, tile.cracked
        drawn |= {tile.name} if tile.drawn else set()
        for part, pixels in (("images", tile.rgb), ("masks", tile.mask)):
            Image.fromarray(pixels).save(folders["taught"] / part / f"{tile.name}.png")
            digest.update(pixels.tobytes())
    judges = review.judges_of(cracked)
    for name in sorted(judges):
        for part in ("images", "masks"):
            source = folders["taught"] / part / f"{name}.png"
            source.rename(folders["judges"] / part / source.name)
    for name in sorted(drawn - judges):
        mask = folders["taught"] / "masks" / f"{name}.png"
        Image.fromarray(review.with_doubt(np.asarray(Image.open(mask)))).save(mask)
    log.info(
        f"{len(cracked)} tiles reviewed, {sum(cracked.values())} of them with cracks: "
        f"{len(cracked) - len(judges)} teach, {len(judges)} judge"
    )
    return _Written(work / "taught", work / "judges", gsd_mm, digest.hexdigest())


def _check_own(work: Path) -> None:
    """Raise UsageError if `work` holds files of somebody else: the docs allow to remove it afterwards."""
    from crackpipe.model.train.checkpoint import LOCK

    if not work.exists() or (work / MADE_FROM).is_file():
        return
    if any(path.name != LOCK for path in work.iterdir()):
        raise UsageError(
            f"{work} holds other files than those of a training, which needs a folder of the name of --out "
            "for itself: give another --out."
        )


def _made_from(request: LearnRequest, start: "Weights", written: _Written) -> dict[str, str]:
    """Of what the weights will be made; of the same, with a length in tiles, become the same weights."""
    return {
        "weights": start.sha256,
        "labels": written.sha256,
        "length": f"--tiles {request.tiles}" if request.tiles else f"--minutes {request.minutes}",
        "processes": f"--processes {request.processes}",
        "device": f"--device {request.device}",
    }


def _check_same(work: Path, made_from: dict[str, str]) -> None:
    """Raise UsageError if a training was begun in `work` from something else.

    With other labels a judge might have taught. With another length a finished schedule would go on.
    """
    note = work / MADE_FROM
    said = note.read_text(encoding="utf-8").strip()
    before = json.loads(said) if said else None
    if before == made_from:
        return
    if (work / "trained" / "checkpoint.pt").exists():
        known = before if isinstance(before, dict) else {}
        if all(known.get(name) == made_from[name] for name in ("weights", "labels")):
            options = ("length", "processes", "device")
            was, now = (" ".join(each.get(name, "?") for name in options) for each in (known, made_from))
            raise UsageError(
                f"{work} holds a training that was begun with {was}, and this would be {now}: repeat it with "
                "those, or remove that folder, or give another --out."
            )
        raise UsageError(
            f"{work} holds a training that was begun with other labels or weights: remove that folder, or "
            "give another --out."
        )
    shutil.rmtree(work / "replay", ignore_errors=True)  # of another length they would be too many
    note.write_text(json.dumps(made_from) + "\n", encoding="utf-8")


def summary_lines(learnt: Learnt) -> Iterator[str]:
    """What the command prints."""
    from crackpipe.model.adapt.compare import is_better, table

    judges = learnt.before.score.pictures
    yield f"{learnt.taught} tiles taught; on {judges} tiles set aside:"
    yield ""
    yield from table(learnt.before, learnt.after)
    yield ""
    if judges == learnt.before.score.crack_free:
        yield "None of the tiles set aside has a crack, so that only false lines tell before from after."
    yield f"Weights: {learnt.out}"
    if is_better(learnt.before, learnt.after):
        yield f"Line for crackpipe.toml:\n{toml_line(learnt.out)}"
    else:
        yield (
            f"They are NOT better than before on the tiles set aside: go on with {learnt.start}. More "
            "tiles help, lines that lie exactly on their cracks, and longer --minutes, each with another "
            "--out."
        )


def toml_line(out: Path) -> str:
    """The line that makes a run use these weights."""
    return f"weights = {json.dumps(str(out.absolute()), ensure_ascii=False)}"
