"""What twenty labelled pictures of a strange camera are worth.

    python benchmarks/accuracy/adapt.py DATA WORK --weights W --reference R --minutes 15

DATA/SET holds labelled frames of several road sections (DNIT). W never saw that set, R was trained on all
sections that training is given. Frames of one section that R has not seen, spread along it, teach as in
`crackpipe adapt --train`. Judged are the others of that section, and frames of other sections that R has not
seen either. `after` is at the threshold that the frames that taught have chosen. `statistics` has only the
batch norms of the section's frames, without a label, as in `crackpipe adapt --unlabelled`.

Labels are those of the set, in training as in judging. All frames are seen as they are; `--gsd` decides, as
in a run, whether coarse looks are taken. WORK keeps the training: a call that was interrupted goes on, and
one with other options is refused.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from work_folder import keep_options

from crackpipe.model.adapt.compare import Side, judge, line_f1
from crackpipe.model.adapt.statistics import fit_statistics
from crackpipe.model.adapt.teach import Lesson, rewrite, teach
from crackpipe.model.data.augment import reflected_window
from crackpipe.model.data.pairs import TILE_PX, Pair, is_validation, list_pairs, load_pairs, photograph_of
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.weights.read import Weights, load
from crackpipe.pipeline.tasks.picture import lines_in

Listed = Sequence[tuple[str, Path, Path]]
"""(set name, image, mask), as of `list_pairs`."""
MOST_STATISTICS = 128


@dataclass(frozen=True)
class Split:
    """Which frames do what."""

    taught: Listed
    rest: Listed
    """Of the same section."""
    others: Listed
    """Of other sections."""


def split(listed: Listed, section: str | None, frames: int, judges: int) -> Split:
    """Of the section, by default the largest that is kept from training, `frames` teach, evenly spread.

    At most `judges` others of the section judge, and as many of the other sections that are kept from
    training, both spread too. Raises ValueError for a section that has too few frames.
    """
    sections: dict[str, list[tuple[str, Path, Path]]] = {}
    for each in listed:
        sections.setdefault(photograph_of(each[0], each[1].stem), []).append(each)
    kept = {name for name, some in sections.items() if is_validation(some[0][0], some[0][1].stem)}
    section = section or max(sorted(kept), key=lambda name: len(sections[name]))
    own = sections.get(section, [])
    if len(own) < 2 * frames:
        known = ", ".join(f"{name} {len(some)}" for name, some in sorted(sections.items()))
        raise ValueError(f"section {section} has {len(own)} frames, {2 * frames} needed; sections: {known}")
    chosen = set(spread(len(own), frames))
    far = [each for name in sorted(kept - {section}) for each in sections[name]]
    rest = [each for k, each in enumerate(own) if k not in chosen]
    return Split(
        [each for k, each in enumerate(own) if k in chosen],
        *([some[k] for k in spread(len(some), min(judges, len(some)))] for some in (rest, far)),
    )


def spread(count: int, wanted: int) -> list[int]:
    """`wanted` of the numbers 0 .. count - 1, one in the middle of each of as many stretches."""
    return [(2 * k + 1) * count // (2 * wanted) for k in range(wanted)]


def linked(frames: Listed, folder: Path) -> Path:
    """A folder of sets with links to these frames and no others, under a name whose pictures all train."""
    for old in folder.glob("own_*/*/*"):
        if old.is_symlink():  # of an earlier call: what taught then may judge now
            old.unlink()
    for name, image, mask in frames:
        for source, kind in ((image, "images"), (mask, "masks")):
            link = folder / f"own_{name}" / kind / source.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(source.resolve())
    return folder


def tiles_of(pairs: Sequence[Pair]) -> list[np.ndarray]:
    """One tile (448, 448, 3) from the middle of each picture, reflected where that is smaller."""
    return [
        reflected_window(p.image, *((size - TILE_PX) // 2 for size in p.label.shape), TILE_PX, TILE_PX)
        for p in pairs[:MOST_STATISTICS]
    ]


def row(word: str, sides: Sequence[Side]) -> str:
    """A row of the table: of each part of the frames F1 (2 px), line F1, length found."""
    cells = [word, f"{sides[0].threshold:.2f}"]
    for side in sides:
        scores = side.score.scores
        cells += [f"{scores.f1_2px:.3f}", f"{line_f1(side):.3f}", f"{scores.recall_line:.3f}"]
    return f"| {' | '.join(cells)} |"


def judged(weights: Weights, parts: Sequence[Sequence[Pair]], device: str, gsd_mm: float) -> list[Side]:
    """Figures of each part of the frames, which the network sees as they are, `gsd_mm` mm/px."""
    predictor = Predictor(weights, device)
    return [judge(predictor, pairs, lines_in, weights.threshold, lambda _: (1.0, gsd_mm)) for pairs in parts]


def say_head(section: str, taught: int, rest: int, far: int) -> None:
    """What is judged, and the head of the table."""
    click.echo(
        f"section {section}: {taught} frames teach; {rest} others of it and {far} of other sections judge\n"
    )
    heads = "F1 (2 px) | line F1 (3 px) | length found"
    click.echo(f"| weights | threshold | the section: {heads} | other sections: {heads} |")
    click.echo("|---" * 8 + "|")


def with_statistics(start: Weights, pairs: Sequence[Pair], file: Path, device: str) -> Weights:
    """`start` with the batch-norm statistics of `pairs`, written to `file`."""
    net = start.build()
    fit_statistics(net, tiles_of(pairs), device)
    rewrite(start, file, net.cpu(), metrics={"validation": {}})
    return load(file)


def share_of_way(was: float, now: float, best: float) -> float:
    """How far `now` is on the way from `was` to `best`: 0 at the start, 1 at the end."""
    return (now - was) / (best - was)


def say_reference(before: Sequence[Side], after: Sequence[Side], reference: Sequence[Side]) -> None:
    """The row of the reference, and how far the adapted weights came on the way to it."""
    click.echo(row("reference", reference))
    way = share_of_way(*(sides[0].score.scores.f1_2px for sides in (before, after, reference)))
    click.echo(f"\nOf the way to the reference, on the section, F1 (2 px): {way:.2f}")


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("work", type=click.Path(path_type=Path))
@click.option("--weights", default="lite", show_default=True, help="That never saw the set.")
@click.option("--reference", help="Weights that were trained on all sections given.")
@click.option("--set", "set_name", default="dnit", show_default=True)
@click.option("--section", help="Default: the largest that is kept from training.")
@click.option("--frames", default=20, show_default=True)
@click.option("--judges", default=60, show_default=True, help="Frames of either kind that judge, at most.")
@click.option("--minutes", type=float, default=20.0, show_default=True)
@click.option("--tiles", type=int, help="Length in tiles, instead of minutes.")
@click.option("--gsd", "gsd_mm", default=4.0, show_default=True, help="Of the frames, mm/px, about.")
@click.option("--processes", default=1, show_default=True)
@click.option("--device", default="cpu", show_default=True)
def main(
    data: Path,
    work: Path,
    *,
    weights: str,
    reference: str | None,
    judges: int,
    **options: Any,
) -> None:
    set_name, gsd_mm, device = options["set_name"], options["gsd_mm"], options["device"]
    try:
        parts = split(list_pairs([data / set_name]), options["section"], options["frames"], judges)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    start = load(weights)
    keep_options(work, options | {"data": data, "weights": start.network_sha256})
    rest, far = (
        load_pairs([linked(part, work / name)], validation=False)
        for name, part in (("rest", parts.rest), ("others", parts.others))
    )
    say_head(photograph_of(set_name, parts.taught[0][1].stem), len(parts.taught), len(rest), len(far))
    before = judged(start, (rest, far), device, gsd_mm)
    click.echo(row("before", before))
    fitted = with_statistics(start, rest, work / "statistics.safetensors", device)
    click.echo(row("statistics", judged(fitted, (rest, far), device, gsd_mm)))
    began = time.monotonic()
    lesson = Lesson(
        start=start,
        taught=linked(parts.taught, work / "taught"),
        work=work,
        gsd_mm={image.stem: gsd_mm for _, image, _ in parts.taught},
        minutes=None if options["tiles"] else options["minutes"],
        tiles=options["tiles"],
        processes=options["processes"],
        device=device,
    )
    adapted = teach(lesson)
    taken_s = time.monotonic() - began
    after = judged(adapted, (rest, far), device, gsd_mm)
    click.echo(row("after", after))
    if reference:
        say_reference(before, after, judged(load(reference), (rest, far), device, gsd_mm))
    click.echo(f"{adapted.extra['tiles_seen']} tiles in {taken_s / 60:.1f} minutes, rendered roads included")


if __name__ == "__main__":
    main()
