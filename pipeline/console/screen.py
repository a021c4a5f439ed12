"""The two live lines of a run on a terminal: how far it is, and what it counted.

    inspecting ━━━━━━━━━━━━━━━━━━━━╸━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  41 %  0:39 left
    stage 2/4  64/156 tiles · 2/7 images · 0.013 km · 2.4 tiles/s · 1 in quarantine

What the log says in the meantime scrolls above them. Both are gone when the run ends.
"""

import time
from types import TracebackType

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from crackpipe.pipeline.console.progress import STAGES, Progress, distance

_LABEL_COLUMNS = max(map(len, STAGES))
# Counts of tiles are shown from this width of the terminal on: below it the line would break.
_WIDE_COLUMNS = 100


class Screen:
    """Shows the progress that it is told, until its `with` ends."""

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress()
        self._stage_began = self._told = time.monotonic()
        self._live = Live(self, console=console or Console(stderr=True), transient=True, refresh_per_second=4)

    def __enter__(self) -> "Screen":
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Show this from now on."""
        if progress.stage != self._progress.stage:
            self._stage_began = time.monotonic()
        self._progress, self._told = progress, time.monotonic()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = self._progress
        counted = shown.stage == "inspecting"
        bar = ProgressBar(
            total=shown.tiles_total if counted else None, completed=shown.tiles, pulse=not counted
        )
        first = Table.grid(padding=(0, 1), expand=True)
        first.add_column(width=_LABEL_COLUMNS, no_wrap=True)
        first.add_column(ratio=1)
        first.add_column(no_wrap=True)
        first.add_row(Text(shown.stage, "bold"), bar, self._clock(shown))
        number = list(STAGES).index(shown.stage) + 1
        second = Text(f"{number} of {len(STAGES)}".ljust(_LABEL_COLUMNS + 1), "dim", no_wrap=True)
        second.append(self._counts(shown, options.max_width))
        second.truncate(options.max_width, overflow="ellipsis")
        yield Group(first, second)

    def _clock(self, shown: Progress) -> Text:
        """Share and time left while tiles are counted; else how long the stage takes so far."""
        if shown.stage != "inspecting":
            return Text(f"{clock(time.monotonic() - self._stage_began)} so far")
        passed_s = time.monotonic() - self._told
        left = "--:--" if shown.left_s is None else clock(max(0.0, shown.left_s - passed_s))
        return Text(f"{100 * shown.share:3.0f} %  {left} left")

    @staticmethod
    def _counts(shown: Progress, columns: int) -> Text:
        if not shown.images_total:
            said = [STAGES[shown.stage]]
        else:
            said = [
                *([f"{shown.tiles:,}/{shown.tiles_total:,} tiles"] if columns >= _WIDE_COLUMNS else []),
                f"{shown.images:,}/{shown.images_total:,} images",
                f"{distance(shown.road_km)} of road",
                *([f"{shown.tiles_per_s:.1f} tiles/s"] if shown.left_s is not None else []),
            ]
        counts = Text(" · ".join(said))
        if shown.quarantined:
            counts.append(" · ").append(f"{shown.quarantined:,} in quarantine", "yellow")
        return counts


def clock(seconds: float) -> str:
    """H:MM:SS, without hours where there are none."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
