"""`crackpipe status`: how far a run has come."""

from pathlib import Path

import click

from crackpipe.commands.options import as_json, finished_run


@click.command()
@finished_run
@as_json
def status(out: Path, as_json: bool) -> None:
    """Tell how far the run that writes into OUT has come, and what is in quarantine.

    With --json in the form of docs/use/status.schema.json.

    \b
    Example:
      crackpipe status survey_2025-cracks
    """
    import json

    from crackpipe.pipeline.operate import status as report

    state = report.status(out)
    if as_json:
        click.echo(json.dumps(state, indent=1))
        return
    for line in report.status_lines(state):
        click.echo(line)
