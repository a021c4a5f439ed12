"""`crackpipe sections`: cracks per road section."""

from pathlib import Path
from typing import Any

import click

from crackpipe.commands.options import FILE, finished_run


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
    "--length", default="100m", show_default=True, help="Length of a section: 100m, 0.1mi, 528ft, 1km."
)
@click.option(
    "--lane-width", "lane_width_m", type=float, default=3.5, show_default=True, help="Width of a lane, m."
)
@click.option(
    "--offset",
    "offsets_m",
    type=float,
    multiple=True,
    metavar="M",
    help="From the route to a lane's centre, m, positive to the right of rising measure. Lane 1, then 2 ...",
)
def sections(
    out: Path, *, length: str, lane_width_m: float, offsets_m: tuple[float, ...], **options: Any
) -> None:
    """Cracks of OUT, a finished run, per road section: sections.parquet and two tables beside it.

    Ground that was not inspected gives null, never 0.

    \b
    Example:
      crackpipe sections survey_2025-cracks --centreline roads.gpkg --length 100m
      crackpipe sections survey_2025-cracks --length 10m
    """
    from crackpipe.pipeline.console.printable import shown
    from crackpipe.pipeline.sections.options import lanes_of, length_m
    from crackpipe.pipeline.sections.write import Request, write_sections

    request = Request(out=out, length_m=length_m(length), lanes=lanes_of(offsets_m, lane_width_m), **options)
    written = write_sections(request)
    for note in written.notes:
        click.echo(shown(f"note: {note}"), err=True)
    for line in written.lines:
        click.echo(shown(line))
    for file in written.files:
        click.echo(shown(str(file)))
