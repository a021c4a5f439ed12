"""`crackpipe doctor`: what this machine has and lacks."""

import sys

import click


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
