"""`crackpipe unlock`: free an output from a run whose machine is gone."""

from pathlib import Path

import click

from crackpipe.commands.options import finished_run


@click.command()
@finished_run
def unlock(out: Path) -> None:
    """Free OUT from a run whose machine is gone; refused (75) while that run is alive.

    \b
    Example:
      crackpipe unlock survey_2025-cracks
    """
    from crackpipe.pipeline.state import lock
    from crackpipe.pipeline.state.output import output_at

    click.echo(lock.unlock(output_at(out)))
