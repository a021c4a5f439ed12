"""What is lost on a set of photographs that was never trained on: leave one set out, at equal budget.

    python benchmarks/accuracy/left_out.py DATA WORK --sets cfd,sut_crack,deepcrack --tiles 20000
    python benchmarks/accuracy/left_out.py DATA WORK --sets nha12d --folds 5 --tiles 20000

The lite network is trained with all sets of DATA, then once without each named set, every time on so many
tiles. Each is judged at its own threshold, chosen on validation photographs of what it was trained on. On the
set's validation photographs, which neither has seen, both are compared; the network that never saw the set is
judged on all its photographs too. In brackets are 95 % intervals, bootstrap over photographs.

With `--folds K` the set is not left out as a whole, but in K parts of its photographs: each is judged by the
network that was not trained on it. What is left of the set then trains under another name, whole: photographs
that are else kept for validation train too, and none of the set has a say in the threshold.

`--init WEIGHTS` starts every training from weights that have seen none of the named sets, instead of from an
encoder; `crackpipe weights info WEIGHTS` says what they have seen.

Crack-free parts (`negatives_NAME`) go with the photographs that they were cut from. A training that was
interrupted goes on, one whose weights are in WORK is not repeated: another DATA and other options want
another WORK, and are refused in this one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from work_folder import keep_options

from crackpipe.model.data.pairs import Pair, family_of, list_pairs, load_pairs, photograph_of
from crackpipe.model.evaluate import intervals
from crackpipe.model.evaluate.judge import Picture, evaluate_weights
from crackpipe.model.evaluate.metrics import Counts, scores
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.train import recipes, train
from crackpipe.model.weights.read import load
from crackpipe.pipeline.tasks.picture import lines_in

FIGURES = {"f1_line": "line F1 (3 px)", "recall_line": "length found", "f1_2px": "F1 (2 px)", "iou": "IoU"}
"""Names of `metrics.Scores`, and what the table calls them."""
Listed = Sequence[tuple[str, Path, Path]]
"""(set name, image, mask), as of `list_pairs`."""


@dataclass(frozen=True)
class Case:
    """One training, and which photographs it does not see."""

    name: str
    family: str
    """The set that is left out, wholly or in part; empty: none."""
    hidden: frozenset[str]
    """Names of its photographs that are left out."""


def photographs(listed: Listed, family: str) -> list[str]:
    """Names of all photographs of a set and of its crack-free parts, sorted."""
    return sorted({photograph_of(name, image.stem) for name, image, _ in listed if family_of(name) == family})


def cases(listed: Listed, family: str, folds: int) -> list[Case]:
    """The trainings that leave a set out: one, or one per fold of its photographs.

    Photographs are dealt in the order of their names, so that a series is spread over all folds. Raises
    ValueError for a set that is not there, or for fewer photographs than folds.
    """
    names = photographs(listed, family)
    if len(names) < folds:
        known = ", ".join(sorted({family_of(name) for name, _, _ in listed}))
        raise ValueError(
            f"set {family} has {len(names)} photographs, {folds} needed; sets of the data: {known}"
        )
    if folds == 1:
        return [Case(f"without-{family}", family, frozenset(names))]
    return [
        Case(f"without-{family}-{fold + 1}of{folds}", family, frozenset(names[fold::folds]))
        for fold in range(folds)
    ]


def folders_of(case: Case, listed: Listed, work: Path) -> tuple[Path, ...]:
    """Folders of sets for the training of a case; of a set in parts, a folder of links to what is left."""
    folders = {image.parents[1] for name, image, _ in listed if family_of(name) != case.family}
    for old in (work / case.name / "data").glob("*/*/*"):
        if old.is_symlink():  # of an earlier call: what was left then may be hidden now
            old.unlink()
    for name, image, mask in listed:
        if family_of(name) == case.family and photograph_of(name, image.stem) not in case.hidden:
            folder = work / case.name / "data" / f"{name}_rest"
            for source, kind in ((image, "images"), (mask, "masks")):
                link = folder / kind / source.name
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(source.resolve())
            folders.add(folder)
    return tuple(sorted(folders))


def weights_of(case: Case, listed: Listed, work: Path, options: dict[str, Any]) -> Path:
    """Train, or take what an earlier call has trained."""
    out = work / case.name / "weights.safetensors"
    if out.exists():
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    data = folders_of(case, listed, work)
    click.echo(f"training {case.name}: {', '.join(folder.name for folder in data)}", err=True)
    values = {"data": data, "out": out, "resume": True, "validations": 0, **options}
    return train.train(recipes.resolve(values))


def judged(weights: Path, pairs: Sequence[Pair], device: str) -> list[Picture]:
    """Pictures of one set by name, at the threshold of the weights."""
    if not pairs:
        return []
    predictor = Predictor(weights=str(weights), device=device)
    return list(evaluate_weights(predictor, pairs, lines_in).pictures)


def head() -> str:
    """The first two rows of the table."""
    columns = [f"{name} with it | without | loss" for name in FIGURES.values()]
    return f"| judged on | pictures | {' | '.join(columns)} |\n{'|---' * (2 + 3 * len(FIGURES))}|"


def line(title: str, *runs: Sequence[Picture]) -> str:
    """A row of the table: the figures of one or two networks on the same pictures, and the loss."""
    counts = [[picture.counts for picture in run] for run in runs]
    names = [photograph_of(picture.set_name, picture.stem) for picture in runs[0]]
    cells = [title, str(len(names))]
    for figure in FIGURES:
        pooled = [getattr(scores(sum(run, Counts())), figure) for run in counts]
        found = [intervals.intervals(run, names, [figure])[figure] for run in counts]
        shown = [f"{p:.3f} ({low:.3f}-{high:.3f})" for p, (low, high) in zip(pooled, found, strict=True)]
        if len(runs) == 1:
            cells += ["", shown[0], ""]
            continue
        low, high = intervals.difference_intervals(counts[0], counts[1], names, [figure])[figure]
        cells += [*shown, f"{pooled[0] - pooled[1]:+.3f} ({low:+.3f} to {high:+.3f})"]
    return f"| {' | '.join(cells)} |"


def report(
    family: str, everything: Path, trained: Sequence[tuple[Case, Path]], device: str, data: Path
) -> None:
    """Print the rows of one set; `trained` are the networks that leave it out."""
    kept, seen = (load_pairs((data / family,), validation=part) for part in (True, False))

    def unseen(pairs: Sequence[Pair]) -> list[Picture]:
        pictures: list[Picture] = []
        for case, weights in trained:
            own = [pair for pair in pairs if photograph_of(pair.set_name, pair.stem) in case.hidden]
            pictures += judged(weights, own, device)
        return sorted(pictures, key=lambda picture: picture.stem)

    if kept:
        click.echo(line(f"{family}, validation", judged(everything, kept, device), unseen(kept)))
    click.echo(line(f"{family}, all", unseen([*kept, *seen])))


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("work", type=click.Path(path_type=Path))
@click.option("--sets", required=True, help="Names of sets of DATA, with commas between.")
@click.option("--tiles", type=click.IntRange(min=1), required=True, help="Budget of each training.")
@click.option("--folds", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--rendered", multiple=True, type=click.Path(path_type=Path, exists=True), help="See train.")
@click.option("--init", help="Weights to start from. They must not have seen the named sets.")
@click.option("--learning-rate", type=float, help="See train.")
@click.option("--ema-decay", type=float, help="See train.")
@click.option("--processes", default=1, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(*, data: Path, work: Path, sets: str, tiles: int, folds: int, device: str, **options: Any) -> None:
    listed = list_pairs([data])
    families = sets.split(",")
    try:
        planned = {family: cases(listed, family, folds) for family in families}
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    options = {name: value for name, value in options.items() if value is not None}
    options |= {"tiles": tiles, "device": device}
    work = work / f"{tiles}-tiles-seed{options['seed']}-from-{Path(options.get('init', 'imagenet')).stem}"
    start = load(options["init"]).network_sha256 if "init" in options else None
    keep_options(work, options | {"data": data, "pictures": len(listed), "start": start})
    everything = weights_of(Case("with-all", "", frozenset()), listed, work, options)
    trained = {
        family: [(case, weights_of(case, listed, work, options)) for case in planned[family]]
        for family in families
    }
    click.echo(head())
    for family in families:
        report(family, everything, trained[family], device, data)


if __name__ == "__main__":
    main()
