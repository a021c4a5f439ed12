"""`crackpipe adapt`: weights for the camera of a finished run."""

from pathlib import Path
from typing import Any

import click

from crackpipe.commands.options import FILE, check_out, finished_run


@click.command()
@finished_run
@click.option("--pick", type=int, metavar="N", help="Write N tiles worth labelling into a folder.")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    help="That folder. Default: OUT-adapt beside OUT.",
)
@click.option("--side", "side_px", type=int, help="Side of the tiles, px, about. Default: 768.")
@click.option("--train", "reviewed", type=FILE, help="Train on the reviewed tiles of this GeoPackage.")
@click.option("--unlabelled", is_flag=True, help="Without labels: statistics of the images alone.")
@click.option(
    "--out",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Weights file. Default: adapted.safetensors beside the GeoPackage, or OUT-unlabelled.safetensors.",
)
@click.option(
    "--minutes", type=float, help="Length of --train, with the rendered roads it draws. Default: 20."
)
@click.option("--tiles", type=int, help="Length of --train in tiles instead (deterministic).")
@click.option("--init", help="Weights to start from, a name or a file. Default: those of the run.")
@click.option("--processes", type=click.IntRange(1), help="Training processes. Default: one per core or GPU.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Default: auto.")
@click.option(
    "--survey",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="Where the images are now, if not where they were during the run. May be repeated.",
)
def adapt(out: Path, survey: tuple[Path, ...], **options: Any) -> None:
    """Make weights that know the camera of OUT, a finished run, from some twenty tiles that you correct.

    First --pick, then correct the tiles in your GIS, then --train (docs/use/adapt.md).

    \b
    Example:
      crackpipe adapt survey_2025-cracks --pick 20
      crackpipe adapt survey_2025-cracks --train survey_2025-cracks-adapt/tiles.gpkg --out mine.safetensors
      crackpipe run survey_2025/ --weights mine.safetensors
    """
    from crackpipe.model.predict.device import DeviceError
    from crackpipe.model.weights.metadata import WeightsError
    from crackpipe.pipeline.console import log
    from crackpipe.pipeline.errors import UsageError

    asked = [name for name in ("pick", "reviewed", "unlabelled") if options[name] not in (None, False)]
    if len(asked) != 1:
        raise UsageError("say one of --pick N, --train FILE and --unlabelled; --pick 20 comes first")
    _refuse_strange(asked[0], options)
    log.talk_to_stderr()
    survey = tuple(path.absolute() for path in survey)
    try:
        lines = {"pick": _pick, "reviewed": _learn, "unlabelled": _fit}[asked[0]](out, survey, options)
    except (ValueError, FileNotFoundError, FileExistsError, DeviceError, WeightsError) as error:
        raise UsageError(str(error)) from error
    for line in lines:
        click.echo(line)


_STEPS = {"pick": "--pick", "reviewed": "--train", "unlabelled": "--unlabelled"}
"""Steps by their parameter, as a person types them."""

_ONLY_OF = {
    "to": ("pick",),
    "side_px": ("pick",),
    "file": ("reviewed", "unlabelled"),
    "minutes": ("reviewed",),
    "tiles": ("reviewed",),
    "processes": ("reviewed",),
    "device": ("reviewed", "unlabelled"),
}
"""Options that not all steps have, and whose they are."""


def _refuse_strange(step: str, options: dict[str, Any]) -> None:
    """Raise UsageError for an option that `step` would pass over without a word."""
    from crackpipe.pipeline.errors import UsageError

    typed = {"file": "--out", "side_px": "--side"}
    for name, steps in _ONLY_OF.items():
        if options[name] is not None and step not in steps:
            raise UsageError(
                f"{typed.get(name, f'--{name}')} belongs to {' and '.join(_STEPS[each] for each in steps)}, "
                f"not to {_STEPS[step]}: leave it out."
            )
    if options["minutes"] is not None and options["tiles"] is not None:
        raise UsageError("--minutes and --tiles are both the length of --train: give one of them.")


def _pick(out: Path, survey: tuple[Path, ...], options: dict[str, Any]) -> list[str]:
    from crackpipe.pipeline.adapt import pick as room

    request = room.PickRequest(
        run=out,
        count=options["pick"],
        to=options["to"] or out.absolute().with_name(f"{out.absolute().name}-adapt"),
        survey=survey,
        side_px=room.SIDE_PX if options["side_px"] is None else options["side_px"],
        init=options["init"],
    )
    return list(room.summary_lines(room.pick(request)))


def _learn(out: Path, survey: tuple[Path, ...], options: dict[str, Any]) -> list[str]:
    from crackpipe.model.predict.predictor import resolve_device
    from crackpipe.pipeline.adapt import learn as room
    from crackpipe.pipeline.cluster.gpus import check_training, gpu_count
    from crackpipe.pipeline.cluster.local import cpu_count
    from crackpipe.pipeline.console.signals import outliving_the_terminal
    from crackpipe.pipeline.errors import MemoryShortError

    device = resolve_device(options["device"] or "auto")
    processes = options["processes"] or (gpu_count() if device == "cuda" else cpu_count())
    check_training(processes, device)
    file = options["file"] or options["reviewed"].with_name("adapted.safetensors")
    check_out(file, file.with_suffix(""))
    request = room.LearnRequest(
        run=out,
        reviewed=options["reviewed"],
        out=file,
        survey=survey,
        init=options["init"],
        minutes=20.0 if options["minutes"] is None else options["minutes"],
        tiles=options["tiles"],
        processes=processes,
        device=device,
    )
    try:
        with outliving_the_terminal():
            return list(room.summary_lines(room.learn(request)))
    except MemoryError as error:
        folder = file.with_suffix("")  # a checkpoint in it goes on with as many processes only
        raise MemoryShortError(
            f"{str(error) or 'allocation failed'}. Free some memory and repeat the same command, which goes "
            f"on from its last checkpoint; or remove {folder} and give fewer --processes than "
            f"{request.processes}"
        ) from error


def _fit(out: Path, survey: tuple[Path, ...], options: dict[str, Any]) -> list[str]:
    from crackpipe.model.predict.predictor import resolve_device
    from crackpipe.pipeline.adapt import unlabelled as room

    file = options["file"] or out.absolute().with_name(f"{out.absolute().name}-unlabelled.safetensors")
    check_out(file)
    request = room.UnlabelledRequest(
        run=out,
        out=file,
        survey=survey,
        init=options["init"],
        device=resolve_device(options["device"] or "auto"),
    )
    return list(room.summary_lines(room.fit(request)))
