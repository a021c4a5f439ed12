"""Several parts of the ground at a time, one on each core.

The results come in the order of the parts, and no part sees another, so that they are the same with any
number of cores. Threads do, and need no copies: nearly all of the time goes into searches of trees and into
numpy, both of which let other threads run.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pyarrow as pa

from crackpipe.pipeline.cluster.limits import cores

_MOST = 4
"""Each thread holds the points of a part."""
_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


def in_threads(function: Callable[[_Part], _Result], parts: Sequence[_Part]) -> Iterator[_Result]:
    """What `function` makes of each part, in their order. The first error ends all."""
    if len(parts) < 2:
        yield from map(function, parts)
        return
    with ThreadPoolExecutor(min(_MOST, cores().processes)) as pool:
        try:
            yield from pool.map(function, parts)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # or they would finish all that was handed out
            raise
    give_back()


def give_back() -> None:
    """Give freed memory back to the system. The C library would keep it, a fifth of all that is held."""
    pa.system_memory_pool().release_unused()
