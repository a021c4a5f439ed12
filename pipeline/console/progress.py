"""What a run says while it works: a bar on a terminal, elsewhere a plain line now and then.

Talk goes to stderr; stdout belongs to results.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from crackpipe.pipeline.console.log import TIMED, log

_LINE_EVERY_S = 60.0
_LINE_EVERY_SHARE = 0.05


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
            log.info(self.sentence(), extra=TIMED)


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
    """A `Progress`: a bar if stderr is a terminal, else plain lines."""
    if not sys.stderr.isatty():
        yield Progress(tiles, images)
        return
    bar = _Bar(tiles, images)
    with bar.rich:
        yield bar
