"""How a process spends its time: wall clock and CPU seconds by stage, summed over its threads.

    waiting     the network's thread waits for pixels
    decoding    files -> pixels                     (room 1)
    copying     pixels -> tiles, tiles -> blocks
    computing   the network                         (room 2)
    writing     blocks -> Zarr                      (room 3)
    tracing     masks -> lines, widths, rows        (rooms 4 to 6)

If threads share a core, the wall clock of each also counts the time of the others. CPU seconds do not.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

STAGES = ("waiting", "decoding", "copying", "computing", "writing", "tracing")


@dataclass(frozen=True)
class Spent:
    """Time that went into one stage."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.wall_s - other.wall_s, self.cpu_s - other.cpu_s)


_spent = dict.fromkeys(STAGES, Spent())
_adding = threading.Lock()


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Count the time of the `with` block, in this thread, for one of `STAGES`. Blocks must not nest."""
    wall_s, cpu_s = time.perf_counter(), time.thread_time()
    try:
        yield
    finally:
        took = Spent(time.perf_counter() - wall_s, time.thread_time() - cpu_s)
        with _adding:
            _spent[name] += took


def spent() -> dict[str, Spent]:
    """What this process has spent on each stage since it began."""
    with _adding:
        return dict(_spent)
