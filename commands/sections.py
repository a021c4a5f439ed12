"""`crackpipe sections`: cracks per road section."""

from pathlib import Path
from typing import Any

import click

from crackpipe.commands.options import FILE, finished_run, lane_offsets


@click.command()
@finished_run
@click.option(
    "--centreline",
    type=FILE,
    help="Lines of the routes, in any format and CRS. Without it, measures run along the vehicle's track.",
)
@click.option("--layer", help="Layer of that file, if it has several.")
@click.option("--route-field", help="Column with the route's name. Default: route_id.")
@click.option(
    "--length", help="Length of a section: 100m, 0.1mi, 528ft, 1km. Default: that of the profile, else 100m."
)
@click.option(
    "--lane-width",
    "lane_width_m",
    type=float,
    help="Width of a lane, m. Default: that of the profile, else 3.5.",
)
@lane_offsets
@click.option(
    "--profile",
    "profile_name",
    help="What a standard makes of it: aashto-r85, ap9k, fhwa-23cfr490, lcms-simple, rocond, zeb.",
)
def sections(out: Path, **options: Any) -> None:
    """Cracks of OUT, a finished run, per road section: sections.parquet and two tables beside it.

    Ground that was not inspected gives null, never 0 (docs/use/sections.md).

    \b
    Example:
      crackpipe sections survey_2025-cracks --centreline roads.gpkg --length 100m
      crackpipe sections survey_2025-cracks --length 10m
    """
    from crackpipe.pipeline.console.printable import shown
    from crackpipe.pipeline.report.report import NAME
    from crackpipe.pipeline.sections.rules.profile import read_profile
    from crackpipe.pipeline.sections.write import request_of, write_sections

    profile_name = options.pop("profile_name")
    profile = None if profile_name is None else read_profile(profile_name)
    written = write_sections(request_of(out, profile, **options))
    for note in written.notes:
        click.echo(shown(f"note: {note}"), err=True)
    for line in (*written.lines, *map(str, written.files)):
        click.echo(shown(line))
    if (out / NAME).exists():
        click.echo(
            shown(f"note: {out / NAME} was made before these sections: crackpipe report {out}"), err=True
        )
