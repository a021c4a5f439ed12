"""`crackpipe clean`: remove unfinished work."""

from pathlib import Path

import click

from crackpipe.commands.options import finished_run


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
