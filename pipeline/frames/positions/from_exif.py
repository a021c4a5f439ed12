"""Positions that frames carry in their EXIF."""

from collections.abc import Sequence

import numpy as np

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.positions.table import Positions
from crackpipe.pipeline.frames.positions.words import is_no_position

SOURCE = "EXIF"


def positions_of(frames: Sequence[Frame], *, take_magnetic: bool) -> Positions:
    """A position for each frame whose EXIF names one; `lines` counts frames.

    Directions from magnetic north are left out unless `take_magnetic` (the declination was said). Raises
    UsageError where no frame has a position.
    """
    places = np.array([[each.exif.longitude_deg, each.exif.latitude_deg] for each in frames])
    nowhere = np.array([is_no_position(*place) for place in places.tolist()])
    if nowhere.all():
        raise UsageError(
            f"none of {len(frames)} frames names a position in its EXIF. Give a file of positions."
        )
    places[nowhere] = np.nan
    heading = np.array([each.exif.direction_deg for each in frames])
    magnetic = np.array([each.exif.magnetic for each in frames]) & np.isfinite(heading)
    notes = []
    if magnetic.any() and not take_magnetic:
        heading = np.where(magnetic, np.nan, heading)
        notes = [
            f"directions of {int(magnetic.sum())} frames count from magnetic north and were not taken; write "
            "heading_add_deg = DECLINATION into camera.toml to take them"
        ]
    times = np.array([each.exif.gps_time_s for each in frames])
    if not np.isfinite(times).all():
        times = np.array([each.exif.time_s for each in frames])
    return Positions(
        source=SOURCE,
        lines=list(range(1, len(frames) + 1)),
        unit="frame",
        names=[each.name for each in frames],
        xy=places,
        crs="EPSG:4326",
        crs_from="EXIF is WGS 84",
        heading=heading,
        time_s=times,
        notes=notes,
    )
