"""`crackpipe status`: how far a run has come."""

from pathlib import Path

import click

from crackpipe.commands.options import finished_run


@click.command()
@finished_run
def status(out: Path) -> None:
    """Tell how far the run that writes into OUT has come, and what is in quarantine.

    \b
    Example:
      crackpipe status survey_2025-cracks
    """
    from crackpipe.pipeline.operate import status as report

    for line in report.status_lines(out):
        click.echo(line)
