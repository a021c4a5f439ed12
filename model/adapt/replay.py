"""Rendered roads that train along while weights learn a strange camera, so that they keep the others."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from crackpipe.model.render.cameras.pairs import write_camera_pair

SET_NAME = "rendered_cameras"
SEED = 1906
"""Of these pictures. The embedded weights saw pictures of other seeds, so these are new to them."""

SECONDS_PER_PICTURE = 0.5
"""Of one core, about."""

_FEWEST, _MOST = 8, 160
_TILES_PER_PICTURE = 15


def pictures_for(tiles: float) -> int:
    """How many pictures a training of about so many tiles replays: 8 to 160, each seen some five times."""
    return int(min(_MOST, max(_FEWEST, tiles // _TILES_PER_PICTURE)))


def draw(folder: Path, count: int, processes: int = 1) -> Path:
    """Draw `count` pictures with masks into a set of `folder`, and return the folder of the set.

    A picture that is there is kept. The same count gives the same bytes, whatever the number of processes.
    """
    target = folder / SET_NAME
    for part in ("images", "masks"):
        (target / part).mkdir(parents=True, exist_ok=True)
    one = partial(write_camera_pair, target, SEED)
    if processes == 1:
        for index in range(count):
            one(index)
        return target
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(one, range(count), chunksize=4))
    return target
