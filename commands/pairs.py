"""Images with known cracks: rendered ones, and those of a survey that somebody corrected."""

from pathlib import Path
from typing import Any

import click

from crackpipe.commands.options import FILE, FOLDER, height_width


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--kind",
    type=click.Choice(["demo", "strip", "pairs"]),
    default="demo",
    show_default=True,
    help="demo: a small survey; strip: one long image; pairs: images and masks for training.",
)
@click.option("--size", metavar="WIDTHxLENGTH", help="Size of a strip, px. Default: 4000x20000.")
@click.option("--gsd", "gsd_mm", type=float, help="GSD of a strip, mm/px. Default: 1.")
@click.option("--crs", help="CRS of a strip. Default: EPSG:25832.")
@click.option("--count", default=100, show_default=True, help="Number of pairs.")
@click.option("--classes", is_flag=True, help="Pairs of crack, sealed_crack, joint and lane_paint.")
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same bytes.")
def sample(  # noqa: PLR0917  click passes by keyword
    folder: Path,
    kind: str,
    size: str | None,
    gsd_mm: float | None,
    crs: str | None,
    count: int,
    classes: bool,
    seed: int,
) -> None:
    """Draw pavement with cracks of exactly known position and width into FOLDER.

    FOLDER/survey is what `crackpipe run` takes, FOLDER/truth holds every crack with its width per vertex.

    \b
    Example:
      crackpipe sample demo --kind demo
      crackpipe sample strip --kind strip --size 4000x20000
      crackpipe sample pairs --kind pairs --count 600
    """
    if classes and kind != "pairs":
        raise click.UsageError("--classes is for pairs: add --kind pairs")
    if kind == "pairs":
        from crackpipe.model.render.scenes import write_pairs

        write_pairs(folder, count, seed, with_classes=classes)
        click.echo(f"{count} pairs in {folder}")
        return
    from crackpipe.pipeline.sample import write as room

    survey = room.write_survey(
        folder,
        seed=seed,
        kind="strip" if kind == "strip" else "demo",
        size_px=height_width(size),
        gsd_mm=gsd_mm,
        epsg=_epsg(crs),
    )
    click.echo(f"Survey: {survey}")
    click.echo(f"Truth: {folder / 'truth'}")


def _epsg(crs: str | None) -> int | None:
    if crs is None:
        return None
    code = crs.upper().removeprefix("EPSG:")
    if not code.isdecimal():
        raise click.BadParameter(f"{crs!r} is not an EPSG code such as EPSG:25832")
    return int(code)


@click.command()
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
def dataset(out: Path, run_folder: Path, survey: tuple[Path, ...], **options: Any) -> None:
    """Turn a finished run and corrected lines into training pairs, OUT/NAME/images and OUT/NAME/masks.

    Open cracks.parquet in your GIS, delete false cracks, draw missing ones (width_mm may stay empty), save.

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
