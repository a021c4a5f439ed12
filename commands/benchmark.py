"""`crackpipe benchmark`: the pipeline against the network alone."""

from pathlib import Path
from typing import Any

import click

from crackpipe.commands.options import (
    batch,
    config_file,
    device,
    gpus,
    height_width,
    precision,
    workers,
)


@click.command()
@click.argument("survey", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures."
)
@click.option(
    "--network",
    type=click.Choice(["lite", "full", "one-convolution"]),
    help="one-convolution costs next to nothing and shows the pipeline alone; full is untrained. Default: "
    "the configured weights.",
)
@click.option("--masks-only", is_flag=True, help="Without lines, widths and tables.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="Of bare loop and run.")
@click.option("--size", default="4000x10000", show_default=True, help="Of the strip, without SURVEY.")
@gpus
@device
@workers
@click.option("--serial", is_flag=True, help="Everything in this process.")
@click.option("--weights", help="Other weights than those of --network: a name or a file.")
@precision
@batch
@config_file
def benchmark(
    survey: tuple[Path, ...], json_file: Path | None, config_file: Path | None, **options: Any
) -> None:
    """Compare the pipeline with the network alone on SURVEY, or on a strip that is drawn for it.

    SURVEY is inspected as `crackpipe run` would, by the same crackpipe.toml, but always on this machine. To
    the drawn strip a configuration file applies only where --config names one.

    \b
    Example:
      crackpipe benchmark survey_2025/ --json figures.json
      crackpipe benchmark --network one-convolution --masks-only
    """
    from crackpipe.pipeline.benchmark import benchmark as room
    from crackpipe.pipeline.benchmark.report import lines, write_json

    size_px = height_width(options.pop("size"))
    assert size_px is not None
    report = room.command(survey, size_px, options, config_file)
    for line in lines(report):
        click.echo(line)
    if json_file:
        write_json(report, json_file)
