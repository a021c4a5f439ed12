"""What a run says while it works: two live lines on a terminal, elsewhere a plain line now and then.

Talk goes to stderr; stdout belongs to results.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from crackpipe.pipeline.console.log import TIMED, log
from crackpipe.pipeline.console.progress import COUNTED, Progress, Tell, sentence, sentence_so_far
from crackpipe.pipeline.every import repeated

_LINE_EVERY_S = 60.0
# How often a timer looks whether it is time: a task, or a stage without tasks, may take longer than a minute.
_LOOK_EVERY_S = 1.0
_LINE_EVERY_SHARE = 0.05
# The rate is that of so many seconds, so that a slow beginning or another kind of image is soon forgotten.
_RATE_OVER_S = 300.0


class Watch:
    """Counts what a run does, and tells it. Another thread may ask for the `progress` meanwhile."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._stage = "survey"
        self._tiles = self._tiles_total = self._images = self._images_total = self._quarantined = 0
        self._road_km = 0.0
        self._counted: deque[tuple[float, int]] = deque()
        """Clock and finished tiles of the last minutes."""

    def enter(self, stage: str) -> None:
        """A key of `STAGES` begins."""
        with self._lock:
            self._stage = stage
        self._tell(self.progress())

    def expect(self, *, tiles: int = 0, images: int = 0, quarantined: int = 0) -> None:
        """So much more is to be done, and so many images are in quarantine already."""
        with self._lock:
            self._tiles_total += tiles
            self._images_total += images
            self._quarantined += quarantined
            self._counted = deque([(time.monotonic(), self._tiles)])

    def advance(self, *, tiles: int = 0, images: int = 0, km: float = 0.0, quarantined: int = 0) -> None:
        """Count finished work."""
        with self._lock:
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
        with self._lock:
            return self._progress()

    def _progress(self) -> Progress:
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
    """A plain line every minute, in any stage, and every 5 % of the tiles. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stage, self._stage_began_s = "", time.monotonic()
        self._last_line_s, self._last_share = self._stage_began_s, 0.0

    def __call__(self, progress: Progress) -> None:
        """Say it if it is time."""
        with self._lock:
            now = time.monotonic()
            if progress.stage != self._stage:
                self._stage, self._stage_began_s = progress.stage, now
            counted = progress.stage in COUNTED
            share = progress.share if counted and progress.tiles else 0.0
            is_further = share - self._last_share >= _LINE_EVERY_SHARE
            if not is_further and now - self._last_line_s < _LINE_EVERY_S - _LOOK_EVERY_S:
                return
            self._last_line_s = now
            if counted:
                self._last_share = share
                said = sentence(progress)
            else:
                said = sentence_so_far(progress, now - self._stage_began_s)
            log.info(said, extra=TIMED)


@contextmanager
def watching(tell: Tell | None = None) -> Iterator[Watch]:
    """A `Watch` that tells `tell`; without it, live lines if stderr is a terminal, else plain lines."""
    if tell is not None:
        yield Watch(tell)
    elif not sys.stderr.isatty():
        lines = Lines()
        watch = Watch(lines)

        def look() -> bool:
            lines(watch.progress())
            return True

        with repeated(look, _LOOK_EVERY_S, "progress lines"):
            yield watch
    else:
        from crackpipe.pipeline.console.screen import Screen

        with Screen() as screen:
            yield Watch(screen)
