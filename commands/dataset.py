"""`crackpipe dataset`: training pairs, from a run and corrected lines or from photographs that are free to
use."""

from pathlib import Path
from typing import Any

import click

from crackpipe.commands.options import FILE, FOLDER


class _RunUnlessNamed(click.Group):
    """Without the name of a subcommand, OUT and the options are those of `from-run`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["from-run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_RunUnlessNamed)
def dataset() -> None:
    """Write training pairs, from a run and corrected lines (OUT --run ...) or from free photographs.

    \b
    Example:
      crackpipe dataset pairs --run survey_2025-cracks --reviewed cracks.gpkg
      crackpipe dataset prepare photographs --out prepared
    """


@dataset.command("from-run")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--run",
    "run_folder",
    required=True,
    type=FOLDER,
    help="Output folder of a finished run.",
)
@click.option(
    "--reviewed",
    required=True,
    type=FILE,
    help="Corrected lines with width_mm: GeoPackage, GeoJSON, Shapefile, GeoParquet; any CRS.",
)
@click.option("--layer", help="Layer of that file, where it has several.")
@click.option(
    "--area",
    type=FILE,
    help="Polygons around what was reviewed. Default: everything the run inspected.",
)
@click.option(
    "--survey",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="Where the images are now, if not where they were during the run. May be repeated.",
)
@click.option("--name", help="Name of the set, a folder in OUT. Default: that of the survey.")
@click.option("--part", "part_px", default=1024, show_default=True, help="Side of the pictures, px, about.")
@click.option(
    "--default-width",
    "default_width_mm",
    default=2.0,
    show_default=True,
    help="Width of lines without one, mm.",
)
@click.option(
    "--negatives",
    default=0.5,
    show_default=True,
    help="Pictures without a crack per picture with one; those with a removed crack come on top.",
)
@click.option("--edited-only", is_flag=True, help="Only where the lines differ from those of the run.")
def from_run(out: Path, run_folder: Path, survey: tuple[Path, ...], **options: Any) -> None:
    """Turn a finished run and corrected lines into training pairs, OUT/NAME/images and OUT/NAME/masks.

    Open cracks.parquet in your GIS (README.md says how), delete false cracks, draw missing ones (width_mm may
    stay empty), save.

    \b
    Example:
      crackpipe dataset pairs --run survey_2025-cracks --reviewed cracks.gpkg
      crackpipe train pairs --init lite --learning-rate 3e-4 --out mine.safetensors --minutes 30
    """
    from crackpipe.pipeline.console import log
    from crackpipe.pipeline.dataset import write as room

    log.talk_to_stderr()
    request = room.DatasetRequest(
        out=out, run=run_folder, survey=tuple(path.absolute() for path in survey), **options
    )
    for line in room.summary_lines(room.write_dataset(request)):
        click.echo(line)


@dataset.command("prepare")
@click.argument("data", type=FOLDER)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write."
)
@click.option("--processes", type=click.IntRange(1), help="Default: one per core.")
@click.option(
    "--tight", is_flag=True, help="Shrink labels of DNIT and SUT-Crack to the dark of their cracks."
)
def prepare(data: Path, out: Path, processes: int | None, tight: bool) -> None:
    """Turn the free photographs under DATA into sets for training, whose labels lie on the crack.

    DATA holds one folder per set; taken are dnit, sut_crack, cracksc, cracknj156_samples, paveseg_preview and
    polyhaven_1k. What of a label is doubtful becomes 127 and trains nothing. Photographs that are kept for
    validation keep their labels as delivered (docs/use/training.md).

    \b
    Example:
      crackpipe dataset prepare photographs --out prepared
      crackpipe train prepared --rendered roads --out free.safetensors --minutes 120
    """
    from crackpipe.model.data.prepare import figures, write
    from crackpipe.pipeline.cluster.local import cpu_count
    from crackpipe.pipeline.errors import UsageError

    try:
        prepared = write.prepare(data, out, processes or cpu_count(), tight=tight)
    except (ValueError, FileNotFoundError, FileExistsError) as error:
        raise UsageError(str(error)) from error
    for line in figures.table(prepared):
        click.echo(line)
