"""Read the track of a GPX file.

gpxpy is not used: it expands entities, and a track is a handful of names.
"""

import math
from pathlib import Path

import numpy as np

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.positions.table import Fault, Positions, unknown
from crackpipe.pipeline.frames.positions.words import is_no_position, number_of, time_of
from crackpipe.pipeline.frames.positions.xml import read_xml, word


def read_gpx(file: Path) -> Positions:
    """All track points with a time, in the order of the file; `lines` counts points. Raises UsageError."""
    points = read_xml(file).findall(".//{*}trkpt")
    rows: list[tuple[int, float, float, float]] = []
    faults: list[Fault] = []
    zoned = True
    for number, point in enumerate(points, start=1):
        try:
            lon, lat = number_of(point.get("lon", "")), number_of(point.get("lat", ""))
            time_s, has_zone = time_of(word(point, "time"))
            if math.isnan(time_s) or math.isnan(lon) or math.isnan(lat):
                raise ValueError("it has no time, lat or lon")
            if is_no_position(lon, lat):
                raise ValueError(f"lat {lat:g} and lon {lon:g} mean that there was no position")
        except ValueError as error:
            faults.append(Fault(line=number, said=str(error)))
            continue
        zoned &= has_zone
        rows.append((number, lon, lat, time_s))
    if not rows:
        said = f" The first fault: {faults[0].said}." if faults else ""
        raise UsageError(f"{file.name} holds no track point with a time.{said} Give the recorded track.")
    values = np.array(rows)
    return Positions(
        source=file.name,
        lines=[row[0] for row in rows],
        unit="track point",
        xy=values[:, 1:3],
        crs="EPSG:4326",
        crs_from="GPX is WGS 84",
        heading=unknown(len(rows)),
        time_s=values[:, 3],
        faults=faults,
        notes=[] if zoned else [f"times of {file.name} name no zone and were taken as UTC, as GPX says"],
    )
