"""`crackpipe weights`: the embedded ones, and checkpoints made into weights files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crackpipe.commands.options import FILE, FOLDER, check_out, tell_new_names

if TYPE_CHECKING:
    from crackpipe.model.weights.read import Weights


@click.group()
def weights() -> None:
    """The embedded weights.

    \b
    Example:
      crackpipe weights info lite
    """


@weights.command("list")
def weights_list() -> None:
    """Names of the embedded weights.

    \b
    Example:
      crackpipe weights list
    """
    from crackpipe.model.weights import folder

    for name in folder.available():
        loaded = _loaded(name)
        click.echo(f"{name}\t{loaded.architecture}\t{loaded.licence}")


@weights.command("info")
@click.argument("name", default="lite")
def weights_info(name: str) -> None:
    """Architecture, data, licence and measured accuracy of weights NAME (or a file).

    \b
    Example:
      crackpipe weights info lite
    """
    loaded = _loaded(name)
    for key in (
        "name",
        "path",
        "sha256",
        "architecture",
        "classes",
        "kinds",
        "training_gsd_mm",
        "gsd_range_mm",
        "coarse_shift",
        "threshold",
        "contrast_c0",
    ):
        click.echo(f"{key}: {getattr(loaded, key)}")
    click.echo(f"parameters: {sum(tensor.numel() for tensor in loaded.build().parameters()):,}")
    known = () if loaded.familiarity is None else dict.fromkeys(loaded.familiarity.sets)
    click.echo(f"familiarity: {'by ' + ', '.join(known) if known else 'not told'}")
    recalls = () if loaded.screen is None else [f"{recall:g}" for recall, _ in loaded.screen.limits]
    click.echo(f"screen: {'limits for ' + ', '.join(recalls) if recalls else 'no limits'}")
    click.echo(f"data: {loaded.data}")
    click.echo(f"licence: {loaded.licence}")
    for name_of_set, figures in loaded.metrics.get("validation", {}).items():
        iou, f1 = figures.get("iou"), figures.get("f1_2px")
        click.echo(
            f"validation {name_of_set}: IoU {iou}, F1 (2 px) {f1}, false pixels {figures.get('false_share')}"
        )
    for name_of_set, figures in loaded.metrics.get("never_seen", {}).items():
        f1, recall = figures.get("f1_line"), figures.get("recall_line")
        click.echo(f"never seen {name_of_set}: line F1 {f1}, length found {recall}")


def _loaded(name: str) -> "Weights":
    """Load weights; raise ConfigurationError if they cannot be used."""
    from crackpipe.model.weights import metadata
    from crackpipe.model.weights import read as store
    from crackpipe.pipeline.errors import ConfigurationError

    tell_new_names(name)
    try:
        return store.load(name)
    except metadata.WeightsError as error:
        raise ConfigurationError(str(error)) from error


@weights.command("import")
@click.argument("checkpoint", type=FILE)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Weights file, .safetensors.")
@click.option("--threshold", type=float, help="Probability from which a pixel is crack. Default: 0.5.")
@click.option("--gsd", "training_gsd_mm", type=float, help="GSD it was trained at, mm/px. Default: 1.")
@click.option("--classes", help="What it tells apart, NAME[:KIND],..., in the order of its channels.")
@click.option("--data", help="What it was trained on.")
@click.option("--licence", help="Licence of the weights.")
def weights_import(checkpoint: Path, out: Path, **described: Any) -> None:
    """Turn CHECKPOINT (.pth of this package or of the authors' code) into a weights file.

    Matrices are stored in 16 bits. A checkpoint says nothing about itself: find the threshold with
    `crackpipe evaluate`.

    \b
    Example:
      crackpipe weights import best_attention.pth --out theirs.safetensors --licence MIT
    """
    from crackpipe.model.weights import kinds, metadata
    from crackpipe.model.weights import read as store
    from crackpipe.pipeline.errors import UsageError

    check_out(out)
    given = {name: value for name, value in described.items() if value is not None}
    try:
        if "classes" in given:
            given["classes"], given["kinds"] = kinds.parse(given["classes"])
        made = store.import_checkpoint(checkpoint, out, given)
    except (metadata.WeightsError, ValueError) as error:
        raise UsageError(str(error)) from error
    click.echo(f"Weights: {out} ({made.architecture}, {len(made.classes)} class(es))")


@weights.command("familiarity")
@click.argument("data", nargs=-1, required=True, type=FOLDER)
@click.option("--weights", "name", required=True, help="Name of embedded weights or a .safetensors file.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Weights file; may be the same.")
@click.option(
    "--validation-share", type=click.FloatRange(0, 1), default=0.0, help="As given to `crackpipe train`."
)
def weights_familiarity(data: tuple[Path, ...], name: str, out: Path, validation_share: float) -> None:
    """Add to weights the statistics of DATA by which a run tells how well the network knows its images.

    DATA are the folders of sets that the weights were trained on, prepared and rendered. The network stays as
    it is, byte for byte, so finished images stay finished.

    \b
    Example:
      crackpipe weights familiarity prepared rendered --weights mine.safetensors --out mine.safetensors
    """
    from crackpipe.model.evaluate.familiarity import LEAST_PHOTOGRAPHS, add_statistics
    from crackpipe.model.weights.metadata import WeightsError
    from crackpipe.pipeline.errors import UsageError

    check_out(out)
    try:
        made = add_statistics(name, data, out, validation_share)
    except (WeightsError, ValueError, FileNotFoundError) as error:
        raise UsageError(str(error)) from error
    if made is None:
        raise UsageError(
            f"{', '.join(map(str, data))}: fewer than {LEAST_PHOTOGRAPHS} photographs to train on "
            "tell nothing; give the folders that the weights were trained on"
        )
    click.echo(f"Weights: {out} (familiarity by {', '.join(dict.fromkeys(made.sets))})")
