"""`crackpipe verify`: is every file still what was written?"""

from pathlib import Path

import click

from crackpipe.commands.options import finished_run


@click.command()
@finished_run
@click.option("--repair", is_flag=True, help="Let the next run do again what is damaged.")
def verify(out: Path, repair: bool) -> None:
    """Compare every file of OUT with what was written, and decode every chunk of masks.zarr.

    Exit codes: 0 sound, 74 damaged or missing files, 75 a run is at work.

    \b
    Example:
      crackpipe verify survey_2025-cracks
    """
    from crackpipe.pipeline.console.printable import shown
    from crackpipe.pipeline.operate import findings
    from crackpipe.pipeline.operate import verify as examination

    found = examination.verify(out, repair=repair)
    for line in findings.lines(found):
        click.echo(shown(line))
    found.raise_if_damaged()
