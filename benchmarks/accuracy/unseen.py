"""Cameras that a network never saw, each judged at a threshold that the other cameras choose.

    python benchmarks/accuracy/unseen.py DATA --judge dnit=ROADS --judge cracksc=ROADS \\
        --judge sut_crack=OTHERS --judge nha12d=lite --judge deepcrack=lite --judge cfd=lite --gsd dnit=4

CAMERA=WEIGHTS: weights, a name or a file, whose data do not name the set CAMERA of DATA. Judged are its
photographs that are kept from training, with labels as delivered.

A free set is judged at the threshold that gives the other free sets of the command their greatest mean line
F1, each under the weights that never saw it. So no picture has a say in its own figure, and no picture that a
network learned from. Sets that are not free choose nothing and are judged at the threshold of their weights.
Last come the threshold, and scale and offset of the logit, that all free sets choose together. Where all of
them were judged under one file of weights, `--write OUT` writes these weights with them. With
`--into WEIGHTS` it writes WEIGHTS with them: weights that have seen these sets, and were trained as the
judged ones. So no picture that WEIGHTS learned from chooses how sure they are.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from crackpipe.model.data.credits import CREDITS
from crackpipe.model.data.pairs import Pair, family_of, load_pairs
from crackpipe.model.evaluate.judge import judge_picture, score_set
from crackpipe.model.evaluate.metrics import LINE_TOLERANCE_PX, TOLERANCE_PX
from crackpipe.model.evaluate.predictions import Prediction, predict_like_a_survey
from crackpipe.model.evaluate.thresholds import LINE_THRESHOLDS, highest_as_good, line_f1_by_threshold
from crackpipe.model.predict.predictor import PROBABILITY_SCALE, Predictor
from crackpipe.model.train import calibration
from crackpipe.model.weights import folder, header
from crackpipe.model.weights.read import load, save
from crackpipe.pipeline.tasks.picture import lines_in

Curve = NDArray[np.float64]
"""Line F1 of a camera at each of `LINE_THRESHOLDS`."""

FIGURES = ("f1_line", "recall_line", "f1_2px", "iou")
HEAD = (
    f"| camera | weights | pictures | threshold | line F1 ({LINE_TOLERANCE_PX:.0f} px) | length found "
    f"| F1 ({TOLERANCE_PX:.0f} px) | IoU | line F1 at its own best threshold |\n{'|---' * 9}|"
)


def check_unseen(camera: str, name: str, data: str) -> None:
    """Raise click.UsageError if `data`, the sets that the weights `name` name, hold the camera."""
    seen = {family_of(one.strip()) for one in data.split(",")}
    if camera in seen:
        raise click.UsageError(f"{camera}={name}: these weights have seen {camera}: {data}")


def chosen_by_others(camera: str, free: Mapping[str, Curve]) -> float:
    """The threshold, 0..1, that all free cameras but this one choose by their mean line F1."""
    others = [curve for name, curve in free.items() if name != camera]
    if not others:
        raise click.UsageError(f"{camera}: no other free set to choose a threshold; give another --judge")
    return highest_as_good(np.mean(others, axis=0))


def row(  # noqa: PLR0917
    camera: str,
    name: str,
    pairs: Sequence[Pair],
    found: Sequence[Prediction],
    curve: Curve,
    threshold: float,
) -> tuple[str, dict[str, float]]:
    """The figures of one camera at a threshold, 0..1: as a row of the table, and by their names."""
    level = math.ceil(PROBABILITY_SCALE * threshold)
    judged = [
        judge_picture(pair, p.probability, level, lines_in) for pair, p in zip(pairs, found, strict=True)
    ]
    score = score_set(judged)
    low, high = score.intervals["f1_line"]
    figures = {figure: round(getattr(score.scores, figure), 3) for figure in FIGURES}
    shown = [f"{figure:.3f}" for figure in figures.values()]
    shown[0] += f" ({low:.3f}-{high:.3f})"
    own = f"{curve.max():.3f} at {LINE_THRESHOLDS[int(curve.argmax())]}"
    cells = [camera, name, str(len(judged)), f"{threshold:.3f}", *shown, own]
    return f"| {' | '.join(cells)} |", figures


def predictions(
    camera: str, name: str, data: Path, gsd_mm: float | None, device: str
) -> tuple[list[Pair], list[Prediction], float]:
    """Pairs of a camera, what its weights predict for them, and the threshold of these weights."""
    predictor = Predictor(weights=name, device=device)
    check_unseen(camera, name, predictor.weights.data)
    pairs = load_pairs((data / camera,), validation=True)
    if not pairs:
        raise click.UsageError(f"{data / camera}: no photograph is kept from training")
    found = [
        Prediction(pair.set_name, pair.label, predict_like_a_survey(predictor, pair.image, gsd_mm=gsd_mm))
        for pair in pairs
    ]
    return pairs, found, predictor.weights.threshold


def write(
    name: str,
    out: Path,
    threshold: float,
    logit: tuple[float, float],
    figures: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> None:
    """Write the weights `name` to `out` with a scale and an offset of their logit, and the threshold, 0..1,
    that marks then what `threshold` marked before.

    `figures` go into the metadata. Statistics of familiarity and limits of `--screen` are left out: they
    tell how sure the network was before.
    """
    _, _, content = folder.read(name)
    net = load(name).build()
    calibration.fold(net, *logit)
    metadata = header.metadata_of(content)
    for of_before in (header.STATISTICS, header.SCREEN):
        metadata.pop(of_before, None)
    if header.COARSE_SHIFT in metadata:  # it is added to the logit
        metadata[header.COARSE_SHIFT] = round(metadata[header.COARSE_SHIFT] * logit[0], 4)
    metadata["threshold"] = round(calibration.moved(threshold, *logit), 4)
    done = {"scale": round(logit[0], 4), "offset": round(logit[1], 4)}
    metadata["metrics"] = {**metadata.get("metrics", {}), "calibration": done, **figures}
    save(out, net, metadata)


def written(under: Collection[str], into: str | None) -> tuple[str, str]:
    """The weights that `--write` writes, and what the figures of their cameras are called in the metadata.

    `under` are the weights that judged the free sets. Raises click.UsageError if they are not one.
    """
    if into is not None:
        return into, "left_out"
    if len(under) != 1:
        raise click.UsageError(
            f"--write: free sets under {len(under)} weights, but one file is written; name it with --into"
        )
    return next(iter(under)), "never_seen"


def split(options: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` of the command line by name; raises click.UsageError where the sign is missing."""
    wrong = [option for option in options if "=" not in option]
    if wrong:
        raise click.UsageError(f"{wrong[0]}: give SET=VALUE, such as dnit=lite")
    return dict(option.split("=", 1) for option in options)


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--judge", "judged", multiple=True, required=True, help="CAMERA=WEIGHTS.")
@click.option("--gsd", "gsd", multiple=True, help="CAMERA=MM: the GSD of its photographs, mm per px.")
@click.option("--write", "out", type=click.Path(path_type=Path), help="Weights file, .safetensors.")
@click.option("--into", help="Weights that --write writes, where the judged ones are others.")
@click.option("--device", default="cpu", show_default=True)
def main(
    *, data: Path, judged: Sequence[str], gsd: Sequence[str], out: Path | None, into: str | None, device: str
) -> None:
    weights, scale = split(judged), split(gsd)
    under = {name for camera, name in weights.items() if camera in CREDITS}
    name, figures_are = written(under, into) if out is not None else ("", "")
    seen = {
        camera: predictions(camera, name, data, float(scale[camera]) if camera in scale else None, device)
        for camera, name in weights.items()
    }
    curves = {camera: line_f1_by_threshold(found) for camera, (_, found, _) in seen.items()}
    free = {camera: curve for camera, curve in curves.items() if camera in CREDITS}
    click.echo(HEAD)
    figures = {}
    for camera, (pairs, found, own) in seen.items():
        threshold = chosen_by_others(camera, free) if camera in free else own
        judge = Path(weights[camera]).stem
        line, figures[camera] = row(camera, judge, pairs, found, curves[camera], threshold)
        click.echo(line)
    f1 = [each["f1_line"] for each in figures.values()]
    click.echo(f"line F1: mean {sum(f1) / len(f1):.3f}, worst {min(f1):.3f}")
    if free:
        threshold = highest_as_good(np.mean(list(free.values()), axis=0))
        factor, offset = calibration.fit([p for camera in free for p in seen[camera][1]])
        click.echo(f"all free cameras: threshold {threshold}, logit x {factor:.3f} {offset:+.3f}")
        if out is not None:
            of_free = {camera: figures[camera] for camera in free}
            write(name, out, threshold, (factor, offset), {figures_are: of_free})


if __name__ == "__main__":
    main()
