"""`crackpipe calibrate`: blur and contrast of a camera."""

from pathlib import Path
from typing import Any

import click

from crackpipe.commands.options import (
    allow_gsd,
    assume_crs,
    assume_gsd,
    device,
)


@click.command()
@click.argument("survey", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    default="crackpipe.toml",
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file to write into; what else it holds stays, and applies.",
)
@click.option("--places", default=40, show_default=True, type=click.IntRange(1), help="Blocks to look at.")
@click.option("--weights", help="Weights that find the cracks: a name or a file.")
@device
@assume_crs
@assume_gsd
@allow_gsd
def calibrate(survey: tuple[Path, ...], out: Path, places: int, **options: Any) -> None:
    """Measure the camera's blur and how dark its cracks are on images of SURVEY, and write both down.

    Blur comes from straight edges such as lane paint, contrast from cracks of 3 px and more.
    docs/use/width.md says which images to take.

    \b
    Example:
      crackpipe calibrate survey_2025/
      crackpipe calibrate fresh-paint/ --out crackpipe.toml --places 80
    """
    from crackpipe.pipeline import config
    from crackpipe.pipeline.calibrate import calibrate as room
    from crackpipe.pipeline.calibrate.report import lines
    from crackpipe.pipeline.calibrate.toml_file import check_folder, write_values
    from crackpipe.pipeline.console import log

    resolved = config.resolve(options, out if out.is_file() else None)
    check_folder(out)
    log.talk_to_stderr()
    found = room.calibrate(survey, resolved, places=places)
    write_values(out, found.values())
    for line in lines(found, out):
        click.echo(line)
