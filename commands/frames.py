"""`crackpipe frames`: frames of a vehicle and its positions become a survey."""

from pathlib import Path

import click

from crackpipe.commands.options import FILE, FOLDER


@click.command()
@click.argument("frames_folder", metavar="FRAMES", type=FOLDER)
@click.option(
    "--positions",
    required=True,
    metavar="FILE",
    help="CSV, GPX, NMEA, SBET, layer of points or a line, LCMS folder, or exif.",
)
@click.option("--camera", "camera_file", type=FILE, help="camera.toml: mm per pixel, mount, clock.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the survey, on the same file system as FRAMES to need no space.",
)
@click.option(
    "--columns", metavar="MEANING=NAME,...", help="Columns of a CSV, e.g. latitude=GPS_B,longitude=GPS_L."
)
@click.option("--positions-crs", help="CRS of the positions where they are x and y, e.g. EPSG:25832.")
@click.option(
    "--crs", help="CRS of the survey. Default: that of the positions, or the UTM zone of the track."
)
@click.option("--no-seams", is_flag=True, help="Leave positions as delivered, and do not compare neighbours.")
@click.option(
    "--as",
    "form",
    type=click.Choice(["links", "geotiff"]),
    default="links",
    show_default=True,
    help="Hard links with world files, or GeoTIFFs without EXIF.",
)
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out frames. May be repeated.")
def frames(  # noqa: PLR0917  click passes by keyword
    frames_folder: Path,
    positions: str,
    camera_file: Path | None,
    out: Path,
    columns: str | None,
    positions_crs: str | None,
    crs: str | None,
    no_seams: bool,
    form: str,
    exclude: tuple[str, ...],
) -> None:
    """Make a survey of FRAMES, pictures of a road from a vehicle, and their positions.

    GPX and NMEA are joined by time. A layer with one line is a centreline: names of frames are chainages.

    Beside hard links of the frames there are world files and .prj, so `crackpipe run` takes the survey.
    survey.toml names every assumption; frames.csv has a row for each frame. Call it again when frames were
    added: only these are written. Exit code 3: some frames have no place.

    \b
    Example:
      crackpipe frames drive/frames --positions drive/positions.csv --camera drive/camera.toml --out survey
      crackpipe frames drive/frames --positions drive/track.gpx --camera drive/camera.toml --out survey
      crackpipe run survey
    """
    from crackpipe.pipeline.console.printable import shown
    from crackpipe.pipeline.frames.deliver import make_survey
    from crackpipe.pipeline.frames.report import lines_of

    made = make_survey(
        frames_folder,
        positions,
        out,
        camera_file=camera_file,
        columns=_columns(columns),
        positions_crs=positions_crs,
        crs=crs,
        exclude=exclude,
        seams=not no_seams,
        geotiff=form == "geotiff",
    )
    for line in lines_of(made):
        click.echo(shown(line))
    if made.aside:
        raise click.exceptions.Exit(3)


def _columns(text: str | None) -> dict[str, str]:
    """MEANING=NAME, separated by commas, as a dictionary. Raises click.BadParameter."""
    said = {}
    for part in filter(None, (text or "").split(",")):
        meaning, equals, name = part.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"--columns: {part!r} is not MEANING=NAME, such as latitude=GPS_B")
        said[meaning.strip().lower()] = name.strip().strip("'\"")
    return said
