"""`crackpipe retry-quarantined`: another try for images that were given up."""

from pathlib import Path

import click

from crackpipe.commands.options import finished_run


@click.command("retry-quarantined")
@finished_run
@click.option("--reason", help="Only images quarantined for this reason, such as worker-died.")
def retry_quarantined(out: Path, reason: str | None) -> None:
    """Let the next run try again the images of OUT that were quarantined while they were worked on.

    Images that were refused when looked at need no retry: every run looks at them anew.

    \b
    Example:
      crackpipe retry-quarantined survey_2025-cracks --reason worker-died
    """
    from crackpipe.pipeline.console.printable import shown
    from crackpipe.pipeline.operate import upkeep

    for line in upkeep.retry_quarantined(out, reason):
        click.echo(shown(line))
