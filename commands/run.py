"""`crackpipe run`: a survey becomes crack maps."""

import sys
from pathlib import Path
from typing import Any

import click

from crackpipe.commands.options import (
    allow_gsd,
    allow_place,
    assume_crs,
    assume_gsd,
    batch,
    collar,
    config_file,
    device,
    formats_of,
    gpus,
    precision,
    workers,
)


@click.command()
@click.argument("survey", nargs=-1, required=True, type=click.Path(readable=False))
@click.option("--out", help="Output folder. Default: SURVEY-cracks beside the survey.")
@click.option("--region", help="File of polygons, in any CRS: only ground inside them is inspected.")
@click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Leave out files and folders, e.g. '*_quicklook.jpg', 'thumbs', 'lane1/*'. May be repeated.",
)
@gpus
@device
@workers
@click.option("--scheduler", help="Use a running Dask scheduler, tcp://HOST:PORT.")
@click.option("--serial", is_flag=True, help="Run everything in this process, for debugging.")
@click.option("--weights", help="Name of embedded weights (`crackpipe weights list`) or a file.")
@precision
@batch
@click.option("--halo", "halo_px", type=int, help="Context around each kept core, px.")
@click.option("--threshold", type=float, help="Probability from which a pixel is crack.")
@click.option(
    "--screen",
    type=float,
    metavar="RECALL",
    help="No close look at what the coarse one finds sound; keeps this share of cracks, e.g. 0.99.",
)
@click.option("--cascade", hidden=True)
@click.option("--crs", help="CRS of the tables, e.g. EPSG:25832. Default: the commonest of the survey.")
@assume_crs
@assume_gsd
@allow_gsd
@collar
@allow_place
@click.option("--verify-inputs", is_flag=True, default=None, help="Know images by their content's hash too.")
@config_file
@click.option("--dry-run", is_flag=True, help="Show what would run and why, and stop.")
@click.option(
    "--graph", type=click.Path(path_type=Path), help="With --dry-run: draw the Dask graph, FILE.svg."
)
@click.option(
    "--staging-gb",
    type=float,
    metavar="GB",
    help="Disk for images from object storage, at a time. Default: 20.",
)
@click.option("--keep-logs", type=int, metavar="N", help="Logs of runs that stay in OUT/logs. Default: 30.")
@click.option(
    "--exports",
    metavar="FORMATS",
    help="What is made besides the tables, such as gpkg,csv; none. Default: gpkg (docs/use/exports.md).",
)
@click.option("--restart", is_flag=True, help="Do finished images again.")
@click.option(
    "--accept-removed",
    is_flag=True,
    help="Make the tables without images that left the survey, however many. For this run only.",
)
@click.option("--show-config", is_flag=True, help="Print the resolved configuration and stop.")
def run(survey: tuple[str, ...], config_file: Path | None, **options: Any) -> None:
    """Map the cracks of SURVEY: a folder, image files, or a .txt list of them.

    SURVEY may lie in object storage: s3://BUCKET/PREFIX, gs://, az://, or a list of https addresses. It then
    needs --out (docs/use/object_storage.md).

    Run the same command again after an interruption: only what is missing is done.
    Exit codes: 0 done, 3 done with images in quarantine, 66 no image found or finished ones missing, 69 a
    store or scheduler does not answer, 75 output in use, 130/143 interrupted.

    \b
    Example:
      crackpipe run survey_2025/ --gpus 2
      crackpipe run lane1/ lane2/ --out network-cracks --assume-crs EPSG:25832
    """
    from crackpipe.pipeline.console import log
    from crackpipe.pipeline.console.signals import outliving_the_terminal
    from crackpipe.pipeline.request import asked, configured

    flags = {name: options.pop(name) for name in ("dry_run", "graph", "show_config")}
    if flags["graph"] and not flags["dry_run"]:
        raise click.UsageError(f"--graph {flags['graph']} draws what a dry run shows: add --dry-run.")
    options["exports"] = formats_of(options["exports"])
    options["exclude"] = options["exclude"] or None  # not given: the file and the environment decide
    if flags["show_config"]:
        from crackpipe.pipeline.config import as_toml

        click.echo(as_toml(configured(options, config_file)), nl=False)
        return
    request = asked(survey, options, config_file)
    log.talk_to_stderr()
    from crackpipe.pipeline import run as story
    from crackpipe.pipeline.console import closing
    from crackpipe.pipeline.summary import closing_of, summary_lines

    if flags["dry_run"]:
        for line in story.dry_run(request, flags["graph"]):
            click.echo(line)
        return
    with outliving_the_terminal():
        summary = story.run(request)
    if sys.stdout.isatty():
        closing.show(closing_of(request, summary))
    else:
        for line in summary_lines(request, summary):
            click.echo(line)
    if summary.export_error is not None:
        raise summary.export_error
    sys.exit(summary.exit_code)
