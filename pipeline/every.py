"""Something that is done again and again beside the work."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeated(act: Callable[[], bool], every_s: float, name: str) -> Iterator[None]:
    """Call `act` every so often in a thread called `name`, until the block ends or it returns False."""
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
