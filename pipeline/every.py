"""A thread that repeats something while the work goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeated(act: Callable[[], bool], every_s: float, name: str) -> Iterator[None]:
    """Call `act` every `every_s` seconds in a thread `name`, until it returns False or the block ends."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(every_s) and act():
            pass

    thread = threading.Thread(target=go_on, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
