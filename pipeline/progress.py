"""What a run says while it works: a bar on a terminal, a plain line now and then elsewhere, and a log.

Talk goes to stderr; stdout belongs to results.
"""

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crackpipe.pipeline.durable import guarding
from crackpipe.pipeline.shown import shown

_LINE_EVERY_S = 60.0
_LINE_EVERY_SHARE = 0.05

log = logging.getLogger("crackpipe")


class Progress:
    """Counts tiles, images and kilometres of road against what the plan says."""

    def __init__(self, tiles: int, images: int) -> None:
        self.tiles_total = tiles
        self.images_total = images
        self.tiles = 0
        self.images = 0
        self.km = 0.0
        self.stage = "inspecting"
        self._started = time.monotonic()
        self._last_line = (self._started, 0.0)

    def advance(self, *, tiles: int = 0, images: int = 0, km: float = 0.0) -> None:
        """Count finished work."""
        self.tiles += tiles
        self.images += images
        self.km += km
        if self.tiles >= self.tiles_total and self.images < self.images_total:
            self.stage = "tracing"
        self._show()

    @property
    def share(self) -> float:
        """Finished share of the tiles, 0..1."""
        return self.tiles / self.tiles_total if self.tiles_total else 1.0

    def sentence(self) -> str:
        """One line: counts, rate, time left."""
        elapsed = time.monotonic() - self._started
        rate = self.tiles / elapsed if elapsed > 0 else 0.0
        left = (self.tiles_total - self.tiles) / rate if rate > 0 else float("nan")
        eta = f", {left:.0f} s left" if self.tiles_total > self.tiles and rate > 0 else ""
        return (
            f"{self.stage}: {self.tiles}/{self.tiles_total} tiles, {self.images}/{self.images_total} images, "
            f"{self.km:.2f} km, {rate:.1f} tiles/s{eta}"
        )

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._last_line[0] >= _LINE_EVERY_S or self.share - self._last_line[1] >= _LINE_EVERY_SHARE:
            self._last_line = (now, self.share)
            log.info(self.sentence())


class _Bar(Progress):
    """The same counts as a bar."""

    def __init__(self, tiles: int, images: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        super().__init__(tiles, images)
        self.rich = RichProgress(
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self.rich.add_task("starting", total=max(tiles, 1))

    def _show(self) -> None:
        self.rich.update(self._task, completed=self.tiles, description=self.sentence())


@contextmanager
def showing(tiles: int, images: int) -> Iterator[Progress]:
    """A `Progress` fit for where stderr goes."""
    if not sys.stderr.isatty():
        yield Progress(tiles, images)
        return
    bar = _Bar(tiles, images)
    with bar.rich:
        yield bar


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
def logging_to(folder: Path) -> Iterator[Path]:
    """Write the run's log as JSON lines into a new file of `folder`."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    file = folder / f"{stamp}.jsonl"
    with guarding(file):
        handler = _LogFile(file, encoding="utf-8")
    handler.setFormatter(_JsonLines())
    log.addHandler(handler)
    try:
        yield file
    finally:
        log.removeHandler(handler)
        with suppress(OSError):  # a full disk: what could not be flushed was told
            handler.close()


class _LogFile(logging.FileHandler):
    """A log that cannot be written is told once; whether the run can go on, those who write results know."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  named by logging
        log.removeHandler(self)
        log.warning(f"the log {self.baseFilename} ends here, it cannot be written: {sys.exc_info()[1]}")


class _Stderr(logging.Handler):
    """Looks sys.stderr up at each message, because a live progress bar replaces it for its time."""

    def emit(self, record: logging.LogRecord) -> None:
        print(shown(self.format(record)), file=sys.stderr, flush=True)


def talk_to_stderr() -> None:
    """Show the log's messages on stderr; calling it again changes nothing."""
    log.setLevel(logging.INFO)
    log.propagate = False
    if not any(isinstance(handler, _Stderr) for handler in log.handlers):
        log.addHandler(_Stderr())
