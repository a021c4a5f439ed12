"""What a run says while it works: two live lines on a terminal, elsewhere a plain line now and then.

Talk goes to stderr; stdout belongs to results.
"""

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from crackpipe.pipeline.console.log import TIMED, log
from crackpipe.pipeline.console.progress import Progress, Tell, sentence

_LINE_EVERY_S = 60.0
_LINE_EVERY_SHARE = 0.05
# The rate is that of so many seconds, so that a slow beginning or another kind of image is soon forgotten.
_RATE_OVER_S = 300.0


class Watch:
    """Counts what a run does, and tells it."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._stage = "survey"
        self._tiles = self._tiles_total = self._images = self._images_total = self._quarantined = 0
        self._road_km = 0.0
        self._counted: deque[tuple[float, int]] = deque()
        """Clock and finished tiles of the last minutes."""

    def enter(self, stage: str) -> None:
        """A key of `STAGES` begins."""
        self._stage = stage
        self._tell(self.progress())

    def expect(self, *, tiles: int = 0, images: int = 0, quarantined: int = 0) -> None:
        """So much more is to be done, and so many images are in quarantine already."""
        self._tiles_total += tiles
        self._images_total += images
        self._quarantined += quarantined
        self._counted = deque([(time.monotonic(), self._tiles)])

    def advance(self, *, tiles: int = 0, images: int = 0, km: float = 0.0, quarantined: int = 0) -> None:
        """Count finished work."""
        self._tiles += tiles
        self._images += images
        self._road_km += km
        self._quarantined += quarantined
        now = time.monotonic()
        while len(self._counted) > 1 and self._counted[0][0] < now - _RATE_OVER_S:
            self._counted.popleft()
        self._counted.append((now, self._tiles))
        if self._stage == "inspecting" and self._tiles >= self._tiles_total:
            self._stage = "tracing"
        self._tell(self.progress())

    def progress(self) -> Progress:
        """How far the run is now."""
        rate = 0.0
        if self._counted:
            (since, before), now = self._counted[0], time.monotonic()
            rate = (self._tiles - before) / (now - since) if now > since else 0.0
        left = self._tiles_total - self._tiles
        return Progress(
            stage=self._stage,
            tiles=self._tiles,
            tiles_total=self._tiles_total,
            images=self._images,
            images_total=self._images_total,
            quarantined=self._quarantined,
            road_km=self._road_km,
            tiles_per_s=rate,
            left_s=left / rate if left > 0 and rate > 0 else None,
        )


class Lines:
    """A plain line every minute or every 5 %."""

    def __init__(self) -> None:
        self._last_line = (time.monotonic(), 0.0)

    def __call__(self, progress: Progress) -> None:
        """Say it if it is time."""
        if progress.stage not in ("inspecting", "tracing") or not progress.tiles:
            return
        now = time.monotonic()
        last_s, last_share = self._last_line
        if now - last_s >= _LINE_EVERY_S or progress.share - last_share >= _LINE_EVERY_SHARE:
            self._last_line = (now, progress.share)
            log.info(sentence(progress), extra=TIMED)


@contextmanager
def watching(tell: Tell | None = None) -> Iterator[Watch]:
    """A `Watch` that tells `tell`; without it, live lines if stderr is a terminal, else plain lines."""
    if tell is not None:
        yield Watch(tell)
    elif not sys.stderr.isatty():
        yield Watch(Lines())
    else:
        from crackpipe.pipeline.console.screen import Screen

        with Screen() as screen:
            yield Watch(screen)
