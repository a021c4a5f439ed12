"""`crackpipe doctor`: what this machine has and lacks."""

import sys

import click

from crackpipe.commands.options import as_json


@click.command()
@as_json
def doctor(as_json: bool) -> None:
    """Look at this machine: versions, GPUs, cores, memory, disk, and what is missing.

    With --json in the form of docs/use/doctor.schema.json. Exit codes: 0 all is well, 1 something is missing.

    \b
    Example:
      crackpipe doctor
    """
    import json

    from crackpipe.pipeline.operate import doctor as examination

    findings = examination.examine()
    record = examination.record_of(findings)
    if as_json:
        click.echo(json.dumps(record, indent=1))
    else:
        for line in examination.lines(findings):
            click.echo(line)
    sys.exit(0 if record["sound"] else 1)
