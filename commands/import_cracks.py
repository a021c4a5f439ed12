"""`crackpipe import-cracks`: cracks that another system found, in tables like those of a run."""

from pathlib import Path

import click

from crackpipe.commands.options import FILE, FOLDER


@click.command("import-cracks")
@click.argument("folder", type=FOLDER)
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Output folder.")
@click.option("--camera", "camera_file", type=FILE, help="camera.toml, as for crackpipe frames.")
@click.option("--crs", help="CRS of the tables. Default: the UTM zone of the sections.")
def import_cracks(folder: Path, out: Path, camera_file: Path | None, crs: str | None) -> None:
    """Read the crack lists of all LCMS sections (XML) in FOLDER into OUT/cracks.parquet and images.parquet.

    The columns are those of `crackpipe run`, with `origin` (lcms) and `depth_mm`. What LCMS does not say,
    such as the uncertainty of a width, is null. Exit code 3: some sections have no place.

    \b
    Example:
      crackpipe import-cracks survey_2025/xml --out survey_2025-lcms
      crackpipe compare survey_2025-lcms survey_2025-cracks --to difference --force
    """
    from crackpipe.pipeline.console.printable import shown
    from crackpipe.pipeline.frames.lcms_cracks import import_lcms

    made = import_lcms(folder, out, camera_file=camera_file, crs=crs)
    click.echo(f"{made.cracks} cracks, {made.length_m:,.1f} m, of {made.sections} sections in {out}")
    if made.too_short:
        click.echo(f"{made.too_short} cracks of less than two nodes were left out.")
    for fault in made.faults:
        click.echo(shown(f"Not read: {fault.said}"))
    if made.without_place:
        first = made.without_place[0]
        click.echo(shown(f"{len(made.without_place)} sections without place, direction or size: {first} ..."))
    if made.without_place or made.faults:
        raise click.exceptions.Exit(3)
