"""`crackpipe report`: a finished run as one HTML file."""

from pathlib import Path

import click

from crackpipe.commands.options import finished_run


@click.command()
@finished_run
@click.option(
    "--survey",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="Where the images are now, if not where they were during the run. May be repeated.",
)
def report(out: Path, survey: tuple[Path, ...]) -> None:
    """Write OUT/report.html: map, worst sections, figures and pictures, in one file that needs no network.

    \b
    Example:
      crackpipe report survey_2025-cracks
    """
    from crackpipe.pipeline.console import log
    from crackpipe.pipeline.console.printable import shown
    from crackpipe.pipeline.report import report as story

    log.talk_to_stderr()
    for line in story.summary_lines(story.report(out, survey)):
        click.echo(shown(line))
