"""What is done with the output folder of a run: look, examine, try again, clear up."""

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


@click.command()
@finished_run
@click.option("--repair", is_flag=True, help="Let the next run do damaged images and tables again.")
def verify(out: Path, repair: bool) -> None:
    """Compare every file of OUT with what was written, and decode every chunk of masks.zarr.

    Exit codes: 0 sound, 74 damaged or missing files, 75 a run is at work.

    \b
    Example:
      crackpipe verify survey_2025-cracks
    """
    from crackpipe.pipeline.console.printable import shown
    from crackpipe.pipeline.operate import verify as examination

    found = examination.verify(out, repair=repair)
    for line in examination.lines(found):
        click.echo(shown(line))
    found.raise_if_damaged()


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


@click.command()
@finished_run
@click.option("--removed-images", is_flag=True, help="Also results of images that left the survey.")
def clean(out: Path, removed_images: bool) -> None:
    """Remove unfinished work from OUT; finished images and tables stay.

    \b
    Example:
      crackpipe clean survey_2025-cracks --removed-images
    """
    from crackpipe.pipeline.console.printable import shown
    from crackpipe.pipeline.operate import upkeep

    for line in upkeep.clean(out, removed_images=removed_images):
        click.echo(shown(line))


@click.command()
@finished_run
def unlock(out: Path) -> None:
    """Free OUT from a run whose machine is gone; refused (75) while that run is alive.

    \b
    Example:
      crackpipe unlock survey_2025-cracks
    """
    from crackpipe.pipeline.operate import upkeep
    from crackpipe.pipeline.state import lock

    click.echo(lock.unlock(upkeep.output_at(out)))
