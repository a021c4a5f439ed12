"""The log of a run: lines on stderr for a person, JSON lines in `logs/` for machines."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crackpipe.pipeline.console.printable import shown
from crackpipe.pipeline.storage.faults import guarding

log = logging.getLogger("crackpipe")

TIMED = {"timed": True}
"""Give it to a message as `extra`, and on stderr the local time of day stands in front."""

_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}\.jsonl")
"""Of the log of a run: when it began, UTC. Other files in the folder are not ours."""


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        entry.update(getattr(record, "fields", {}))
        return json.dumps(entry, ensure_ascii=True)


@contextmanager
def logging_to(folder: Path, keep: int) -> Iterator[Path]:
    """Write the run's log as JSON lines into a new file of `folder`.

    Then remove the oldest logs of earlier runs, so that `keep` remain, this one among them. No other run may
    be going on with that folder.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    file = folder / f"{stamp}.jsonl"
    with guarding(file):
        handler = _LogFile(file, encoding="utf-8")
    handler.setFormatter(_JsonLines())
    log.addHandler(handler)
    try:
        _remove_earlier(file, keep - 1)
        yield file
    finally:
        log.removeHandler(handler)
        with suppress(OSError):  # on a full disk; that the log ends was said before
            handler.close()


def _remove_earlier(current: Path, keep: int) -> None:
    """Remove the oldest logs beside `current` until `keep` of them remain. Names tell when a run began."""
    beside = [path for path in current.parent.glob("*.jsonl") if _NAME.fullmatch(path.name)]
    earlier = sorted(path for path in beside if path != current)
    for path in earlier[: max(0, len(earlier) - keep)]:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.warning(f"the old log {path} cannot be removed: {error.strerror}. Remove it by hand.")
            return  # what hinders one hinders all


class _LogFile(logging.FileHandler):
    """A log file that says once when it can no longer be written, and then ends.

    The run goes on without it. If the disk is full, those who write results notice and stop the run.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  named by logging
        log.removeHandler(self)
        log.warning(f"the log {self.baseFilename} ends here, it cannot be written: {sys.exc_info()[1]}")


class _Stderr(logging.Handler):
    """Takes sys.stderr anew for each message, because a progress bar replaces it while it shows."""

    def emit(self, record: logging.LogRecord) -> None:
        clock = f"{datetime.fromtimestamp(record.created):%H:%M:%S} " if hasattr(record, "timed") else ""
        print(f"{clock}{shown(self.format(record))}", file=sys.stderr, flush=True)


def talk_to_stderr() -> None:
    """Show the log's messages on stderr; calling it again changes nothing."""
    log.setLevel(logging.INFO)
    log.propagate = False
    if not any(isinstance(handler, _Stderr) for handler in log.handlers):
        log.addHandler(_Stderr())
