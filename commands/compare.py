"""`crackpipe compare`: what became of the cracks of one road between two years."""

from pathlib import Path
from typing import Any

import click

from crackpipe.commands.options import FILE, FOLDER, as_json, lane_offsets


@click.command()
@click.argument("older", type=FOLDER)
@click.argument("newer", type=FOLDER)
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), help="Output folder. Default: NEWER.")
@click.option(
    "--within",
    "within_m",
    type=click.FloatRange(0.05, 5.0),
    default=1.0,
    show_default=True,
    help="How far the older year may lie off the newer one, m.",
)
@click.option(
    "--least",
    "least_m",
    type=click.FloatRange(0.05, 5.0),
    default=0.15,
    show_default=True,
    help="Shorter changes are not told, m.",
)
@click.option(
    "--centreline", type=FILE, help="Lines of the routes for sections. Default: the newer year's track."
)
@click.option("--layer", help="Layer of that file, if it has several.")
@click.option("--route-field", help="Column with the route's name. Default: route_id.")
@click.option(
    "--length", default="100m", show_default=True, help="Length of a section: 100m, 0.1mi, 528ft, 1km."
)
@click.option(
    "--lane-width", "lane_width_m", type=float, default=3.5, show_default=True, help="Width of a lane, m."
)
@lane_offsets
@click.option(
    "--camera",
    type=click.Choice(["auto", "same", "other"]),
    default="auto",
    show_default=True,
    help="Whether both years had one camera, so that their widths share errors.",
)
@click.option("--force", is_flag=True, help="Compare what cannot be compared; each row says so.")
@as_json
def compare(older: Path, newer: Path, to: Path | None, as_json: bool, **options: Any) -> None:
    """Say what became of the cracks of one road: OLDER and NEWER are the outputs of two years.

    Writes changes.parquet, changes_sections.parquet and changes.json (docs/use/compare.md).

    \b
    Example:
      crackpipe compare survey_2024-cracks survey_2025-cracks
      crackpipe compare survey_2024-cracks survey_2025-cracks --centreline roads.gpkg
    """
    import json

    from crackpipe.pipeline.compare import compare as story
    from crackpipe.pipeline.compare.laid import Options
    from crackpipe.pipeline.compare.sections import Wanted
    from crackpipe.pipeline.compare.summary import lines
    from crackpipe.pipeline.console.printable import shown
    from crackpipe.pipeline.sections.options import lanes_of, length_m

    wanted = Wanted(
        length_m=length_m(options.pop("length")),
        lanes=lanes_of(options.pop("offsets_m"), options.pop("lane_width_m")),
        **{name: options.pop(name) for name in ("centreline", "layer", "route_field")},
    )
    summary = story.compare(older, newer, to or newer, Options(**options), wanted)
    if as_json:
        click.echo(json.dumps(summary, indent=1))
        return
    for line in lines(summary):
        click.echo(shown(line))
    click.echo(f"Result: {(to or newer) / 'changes.parquet'}")
