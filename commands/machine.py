"""What is measured of a camera and of this machine."""

import sys
from pathlib import Path
from typing import Any

import click

from crackpipe.commands.options import (
    allow_gsd,
    assume_crs,
    assume_gsd,
    batch,
    device,
    gpus,
    height_width,
    precision,
    workers,
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

    Blur comes from straight edges such as lane paint, contrast from cracks of 3 px and more. docs/width.md
    says which images to take.

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


@click.command()
@click.argument("survey", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures."
)
@click.option(
    "--network",
    type=click.Choice(["lite", "full", "one-convolution"]),
    default="lite",
    show_default=True,
    help="one-convolution costs next to nothing and shows the pipeline alone; full is untrained.",
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
def benchmark(survey: tuple[Path, ...], json_file: Path | None, **options: Any) -> None:
    """Compare the pipeline with the network alone on SURVEY, or on a strip that is drawn for it.

    \b
    Example:
      crackpipe benchmark survey_2025/ --json figures.json
      crackpipe benchmark --network one-convolution --masks-only
    """
    from crackpipe.pipeline.benchmark import benchmark as room
    from crackpipe.pipeline.benchmark.report import lines, write_json

    size_px = height_width(options.pop("size"))
    assert size_px is not None
    report = room.command(survey, size_px, options)
    for line in lines(report):
        click.echo(line)
    if json_file:
        write_json(report, json_file)


@click.command()
def doctor() -> None:
    """Look at this machine: versions, GPUs, cores, memory, disk, and what is missing.

    \b
    Example:
      crackpipe doctor
    """
    from crackpipe.pipeline.operate import doctor as examination

    findings = examination.examine()
    for line in examination.lines(findings):
        click.echo(line)
    sys.exit(0 if all(finding.sound for finding in findings) else 1)
