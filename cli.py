"""The `crackpipe` command: parse, call, and turn a CrackpipeError into a sentence and an exit code.

The commands themselves are in `commands/`. Heavy imports stay inside their functions so that
`crackpipe --help` answers at once.
"""

import os
import signal
import sys
import threading
import traceback
from types import FrameType, TracebackType

import click

from crackpipe import __version__
from crackpipe.commands import (
    adapt,
    benchmark,
    calibrate,
    clean,
    compare,
    dataset,
    doctor,
    evaluate,
    export,
    frames,
    import_cracks,
    nightly,
    report,
    retry_quarantined,
    run,
    sample,
    sections,
    status,
    train,
    unlock,
    verify,
    weights,
)

_TERMINATE_WITHIN_S = 8.0


class _Commands(click.Group):
    """Commands that end with one line and 130 on Ctrl-C. click itself would print an empty line too."""

    def invoke(self, ctx: click.Context) -> object:
        from crackpipe.pipeline.console import signals

        try:
            return super().invoke(ctx)
        except signals.ToldInterruptError:
            sys.exit(signals.INTERRUPTED)
        except KeyboardInterrupt:
            signals.tell()
            sys.exit(signals.INTERRUPTED)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="crackpipe")
def cli() -> None:
    """Crack maps from survey-vehicle imagery: georeferenced crack lines with widths.

    \b
    Example:
      crackpipe run survey_2025/
    """


for _command in (
    run.run,
    nightly.nightly,
    status.status,
    verify.verify,
    sections.sections,
    export.export,
    report.report,
    retry_quarantined.retry_quarantined,
    clean.clean,
    unlock.unlock,
    frames.frames,
    import_cracks.import_cracks,
    sample.sample,
    dataset.dataset,
    compare.compare,
    adapt.adapt,
    train.train,
    evaluate.evaluate,
    weights.weights,
    calibrate.calibrate,
    benchmark.benchmark,
    doctor.doctor,
):
    cli.add_command(_command)


def _bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Exit code 70 for what nobody foresaw, with everything a report needs."""
    traceback.print_exception(kind, error, trace)
    print(
        "This is a defect of crackpipe. Please report it with the lines above.", file=sys.stderr, flush=True
    )
    os._exit(70)


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    # Whatever hangs, the process is gone within ten seconds; workers end with it, the lock is freed.
    deadline = threading.Timer(_TERMINATE_WITHIN_S, os._exit, [143])
    deadline.daemon = True
    deadline.start()
    sys.exit(143)  # unwinds through every `with`, so that workers stop and locks are freed


def main() -> None:
    """Entry point: translate errors and signals into exit codes (spec: see `crackpipe run --help`)."""
    from crackpipe.pipeline.cluster import limits
    from crackpipe.pipeline.console import signals
    from crackpipe.pipeline.console.printable import shown
    from crackpipe.pipeline.console.streams import outlive_readers
    from crackpipe.pipeline.errors import CrackpipeError, MemoryShortError

    outlive_readers()
    signals.listen()
    sys.excepthook = _bug
    signal.signal(signal.SIGTERM, _terminated)
    try:
        # click hands the code of an Exit back, and does not raise it
        if code := cli.main(standalone_mode=False):
            sys.exit(code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        signals.tell()
        sys.exit(signals.INTERRUPTED)
    except CrackpipeError as error:
        click.echo(f"crackpipe: {shown(str(error))}", err=True)
        sys.exit(error.exit_code)
    except (MemoryError, ImportError) as error:
        why = limits.why_too_short(error)
        if isinstance(error, ImportError) and why is None:
            raise
        remedy = (
            why
            or "Finished images stay: free some, or take fewer --workers, then run the same command again."
        )
        click.echo(
            f"crackpipe: memory is too short ({str(error) or 'allocation failed'}). {remedy}", err=True
        )
        sys.exit(MemoryShortError.exit_code)
