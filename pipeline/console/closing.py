"""What a person at a terminal sees when a run has ended: a table of what was found, and what to open next.

      inspected    1.2 km of lane · 4,340.0 m2 · 98 % of what the images show
      cracks       458 · 52.5 m
                   tiny    7.1 m  18 %  ━━━━━━━
                   small  31.7 m  82 %  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
      quarantine   1 image
                   lane2/no_crs.tif: no-crs: it names no coordinate reference system. Give ...
      open next    crackpipe report survey_2025-cracks

Elsewhere the same is said in plain lines (`summary.summary_lines`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it takes longer to import than a night takes in which nothing is to do
    from rich.console import Console
    from rich.table import Table

# Told apart also by those who do not see red and green alike (Okabe and Ito), on dark and on light.
_COLOURS = {"tiny": "#56b4e9", "small": "#e69f00", "wide": "#d55e00", "unmeasured": "bright_black"}
_NAMES = {"unmeasured": "not measured"}
_BAR_COLUMNS = 30
# Images in quarantine that are named; the others are counted.
_NAMED = 8


@dataclass(frozen=True, kw_only=True)
class Closing:
    """What the table says. All text is safe to show; file names in it may look like markup."""

    title: str
    rows: Sequence[tuple[str, str]]
    """A word, and what is said of it. Those after `cracks` come below the lengths by class."""
    length_m: Mapping[str, float]
    """By class: `tiny`, `small`, `wide`, `unmeasured`; empty where nobody knows."""
    notes: Sequence[str]
    """Sentences of their own."""
    quarantined: Sequence[str]
    """A line for each image."""
    look: str
    """The command that tells all images in quarantine."""
    next: Sequence[tuple[str, str]]
    """What to open or to run, and what for."""


def show(closing: Closing, console: "Console | None" = None) -> None:
    """Print it on stdout."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = console or Console(highlight=False)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    signs = _Signs.of(console.encoding)
    for word, said in closing.rows:
        table.add_row(word, Text(said.replace(" · ", signs.between)))
        if word == "cracks" and any(closing.length_m.values()):
            table.add_row("", _lengths(closing.length_m, signs))
    for note in closing.notes:
        table.add_row("note", Text(note))
    if closing.quarantined:
        count = len(closing.quarantined)
        table.add_row("quarantine", Text(f"{count:,} image{'s' if count > 1 else ''}", "yellow"))
        more = [f"and {count - _NAMED:,} more: {closing.look}"] if count > _NAMED else []
        for line in [*closing.quarantined[:_NAMED], *more]:
            table.add_row("", Text(line))
    for word, (what, why) in zip(["open next", *[""] * len(closing.next)], closing.next, strict=False):
        table.add_row(word, Text.assemble((what, "cyan"), f"  {why}"))
    console.print()
    console.print(Text(closing.title, "bold"))
    console.print(Padding(table, (0, 0, 0, 2)))


@dataclass(frozen=True)
class _Signs:
    """Signs that a terminal of its encoding can show."""

    between: str
    bar: str

    @classmethod
    def of(cls, encoding: str) -> "_Signs":
        return cls(" · ", "━") if encoding.lower().startswith("utf") else cls(", ", "=")


def _lengths(length_m: Mapping[str, float], signs: _Signs) -> "Table":
    """A row and a bar for each class."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_column()
    total, most = sum(length_m.values()), max(length_m.values())
    for name, metres in length_m.items():
        if name == "unmeasured" and not metres:
            continue
        bar = Text(signs.bar * round(_BAR_COLUMNS * metres / most), _COLOURS[name])
        table.add_row(_NAMES.get(name, name), f"{metres:,.1f} m", f"{100 * metres / total:.0f} %", bar)
    return table
