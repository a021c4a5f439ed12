"""`crackpipe compare`: what became of the cracks of one road between two years."""

from pathlib import Path
from typing import Any

import click

from crackpipe.commands.options import FOLDER, as_json


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
@click.option("--other-camera", is_flag=True, help="The years have different cameras, though nothing tells.")
@click.option("--force", is_flag=True, help="Compare what cannot be compared; each row says so.")
@as_json
def compare(older: Path, newer: Path, to: Path | None, as_json: bool, **options: Any) -> None:
    """Say what became of the cracks of one road: OLDER and NEWER are the outputs of two years.

    Writes changes.parquet and changes.json (docs/use/compare.md).

    \b
    Example:
      crackpipe compare survey_2024-cracks survey_2025-cracks
    """
    import json

    from crackpipe.pipeline.compare import compare as story
    from crackpipe.pipeline.compare.laid import Options
    from crackpipe.pipeline.compare.summary import lines
    from crackpipe.pipeline.console.printable import shown

    summary = story.compare(older, newer, to or newer, Options(**options))
    if as_json:
        click.echo(json.dumps(summary, indent=1))
        return
    for line in lines(summary):
        click.echo(shown(line))
    click.echo(f"Result: {(to or newer) / 'changes.parquet'}")
