"""A finished run becomes a folder of tiles for a person to correct.

The story:

    read_run       which images are done, where they lie, what was found there     dataset/finished_run.py
    tiles_of       all tiles of them along the survey                              candidates.py
    candidates_of  how unsure the network was in each, from masks.zarr             candidates.py
    choose         unsure, strange, spread                                         choose.py
    write          pictures, GeoPackage, the steps in words                        files.py
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crackpipe.pipeline.adapt import files
from crackpipe.pipeline.adapt.candidates import candidates_of, tiles_of
from crackpipe.pipeline.adapt.choose import Chosen, choose
from crackpipe.pipeline.adapt.run_weights import threshold_of, weights_of
from crackpipe.pipeline.dataset.finished_run import read_run
from crackpipe.pipeline.errors import OutputDamagedError, OutputNotWritableError, UsageError

SIDE_PX = 768
"""Side of a tile: four cores of the network, which a person can label in some minutes."""
_LEAST_SIDE_PX, _MOST_SIDE_PX = 256, 4096


@dataclass(frozen=True, kw_only=True)
class PickRequest:
    """What the command line asked for."""

    run: Path
    """Output folder of `crackpipe run`."""
    count: int
    to: Path
    """Folder to write."""
    survey: tuple[Path, ...] = ()
    """Where the images are. If empty, they are where they were during the run."""
    side_px: int = SIDE_PX
    """Approximate side of a tile."""
    init: str | None = None
    """The weights of the run, a name or a file, where they are no longer where the run says."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"--pick is {self.count}, but must be at least 1.")
        if not _LEAST_SIDE_PX <= self.side_px <= _MOST_SIDE_PX:
            raise UsageError(
                f"--side is {self.side_px}, but must be from {_LEAST_SIDE_PX} to {_MOST_SIDE_PX} px."
            )


@dataclass(frozen=True)
class Picked:
    """What was written."""

    folder: Path
    chosen: tuple[Chosen, ...]
    asked: int


def pick(request: PickRequest) -> Picked:
    """Write the folder. Raises UsageError, OutputNotWritableError, OutputDamagedError, ImageRejectedError."""
    if request.to.exists():
        raise OutputNotWritableError(f"{request.to} is there already: remove it, or give another --to.")
    run = read_run(request.run, request.survey)
    threshold = threshold_of(request.run, weights_of(request.run, request.init))
    try:
        candidates = candidates_of(request.run, tiles_of(run, request.side_px), threshold)
    except (OSError, ValueError) as error:
        raise OutputDamagedError(
            f"{request.run}: {error}. `crackpipe verify` tells what is damaged; run the survey again."
        ) from error
    if not candidates:
        raise UsageError(f"{request.run}: no tile was inspected at least by half, so there is none to label.")
    chosen = tuple(choose(candidates, request.count))
    try:
        files.write(request.run, run, chosen, request.to)
    except OSError as error:
        raise OutputNotWritableError(f"{request.to} cannot be written: {error.strerror or error}.") from error
    return Picked(request.to, chosen, request.count)


def summary_lines(picked: Picked) -> Iterator[str]:
    """What the command prints."""
    why = Counter(each.why for each in picked.chosen)
    images = {each.candidate.tile.image.image_id for each in picked.chosen}
    counted = ", ".join(f"{count} {word}" for word, count in sorted(why.items()))
    yield f"{len(picked.chosen)} tiles of {len(images)} images: {counted}"
    if len(picked.chosen) < picked.asked:
        yield f"{picked.asked} were asked for, but the run has no more"
    yield f"Next: {picked.folder / files.README} tells the steps in QGIS"
