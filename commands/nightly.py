"""`crackpipe nightly`: the crack map of a network, every night."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("network", type=click.Path())
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.option("--until", metavar="HH:MM", help="Stop then, by the clock of the network's time zone.")
@click.option(
    "--from",
    "begin",
    metavar="HH:MM",
    help="With --until: do nothing at other hours, as after a start that comes too late.",
)
@click.option(
    "--forget", metavar="SOURCE/SURVEY", help="Forget a survey whose result is gone for good, and stop."
)
def nightly(
    network: str, options: tuple[str, ...], until: str | None, begin: str | None, forget: str | None
) -> None:
    """Find what is new or changed in the sources of NETWORK, and run it.

    NETWORK is a file, network.toml (docs/use/nightly.md), or a folder of surveys, whose results go beside
    them. Further OPTIONS are those of `crackpipe run`.
    Exit codes: the worst of all surveys; 75 if another night is at work, 77 at an hour that
    --from leaves out.

    \b
    Example:
      crackpipe nightly network.toml --until 06:00
      crackpipe nightly /srv/surveys --gpus 1
    """
    from crackpipe.pipeline.console import log
    from crackpipe.pipeline.console.signals import outliving_the_terminal, telling
    from crackpipe.pipeline.nightly import night
    from crackpipe.pipeline.nightly.facts import budget
    from crackpipe.pipeline.nightly.facts import network as networks
    from crackpipe.pipeline.nightly.telling import summary

    path = Path(network)
    if not network or not path.exists():
        raise click.UsageError(
            f"{network!r} does not exist. Give network.toml, or the folder of the surveys."
        )
    log.talk_to_stderr()
    read = networks.of_folder(path) if path.is_dir() else networks.read(path)
    _refuse(options, read.home)
    for source in read.sources:
        _refuse_sections(source.sections, f"{path}: sources.{source.name}: sections")
    if forget is not None:
        click.echo(night.forget(read, forget))
        return
    until_then = budget.until(until, read.timezone)
    budget.refuse_outside(begin, until, read.timezone)
    click.echo(f"{len(read.sources)} source{'' if len(read.sources) == 1 else 's'}, {until_then.said}")
    with outliving_the_terminal(), telling():
        done = night.night(read, until_then, options)
    for line in summary.lines(done):
        click.echo(line)
    sys.exit(done.code)


def _refuse(options: tuple[str, ...], home: Path) -> None:
    """Refuse options that `run` does not know or that no night may have, before anything runs."""
    reasons = {
        "--accept-removed": "is for a person who has looked; run that survey once by hand",
        "--out": "would put all surveys into one result; network.toml has `results`",
        "--dry-run": "is for `crackpipe run`",
        "--show-config": "is for `crackpipe run`",
    }
    for option in options:
        reason = reasons.get(option.partition("=")[0])
        if reason is not None:
            raise click.UsageError(f"{option} {reason}")
    here = click.get_current_context()
    group = here.find_root().command
    run = group.get_command(here, "run") if isinstance(group, click.Group) else None
    assert run is not None
    with _within(home):  # where `run` finds the files that options name
        surveys = run.make_context("run", ["SURVEY", *options], parent=here.parent).params["survey"]
    if len(surveys) > 1:
        raise click.UsageError(
            f"{str(surveys[1])!r} is no option of `crackpipe run`. Name surveys in network.toml."
        )


def _refuse_sections(values: Mapping[str, Any], where: str) -> None:
    """Refuse options that `sections` does not know or cannot take. Raises ConfigurationError.

    No file is looked for: a share that is away must not keep the other sources from their night.
    """
    from crackpipe.pipeline.errors import ConfigurationError
    from crackpipe.pipeline.nightly.one_survey import as_options

    here = click.get_current_context()
    group = here.find_root().command
    command = group.get_command(here, "sections") if isinstance(group, click.Group) else None
    assert command is not None
    context = click.Context(command, parent=here.parent, info_name="sections")
    try:
        given, _, order = command.make_parser(context).parse_args(list(as_options(values)))
        for param in order:
            if not isinstance(param.type, click.Path):
                param.handle_parse_result(context, given, [])
    except click.UsageError as error:
        raise ConfigurationError(
            f"{where}: {error.format_message()} Keys are the options of `crackpipe sections --help`."
        ) from error


@contextmanager
def _within(home: Path) -> Iterator[None]:
    """Work in the folder `home`. Raises UsageError where this user may not."""
    before = Path.cwd()
    try:
        os.chdir(home)
    except PermissionError as error:
        raise click.UsageError(
            f"{home} may not be entered by this user, and its surveys are run in it. Start from another "
            "folder."
        ) from error
    try:
        yield
    finally:
        # `runuser` starts in root's own folder, which its user may not enter again. By now all paths are
        # absolute.
        with suppress(PermissionError):
            os.chdir(before)
