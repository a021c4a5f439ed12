"""Read a smoothed trajectory as Applanix POSPac and others write it (SBET).

A record is 17 doubles, little-endian: time (s of the week), latitude and longitude (rad), height (m), three
velocities, roll, pitch, platform heading and wander angle (rad), three accelerations, three angular rates.
"""

from pathlib import Path

import numpy as np

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.files.camera import HEADING_UNITS, Camera
from crackpipe.pipeline.frames.positions.table import Fault, Positions, unknown

_RECORD = 17
_TIME, _LAT, _LON, _HEADING, _WANDER = 0, 1, 2, 9, 10
_WEEK_S = 604_800.0
# 200 records a second are more than a vehicle's way needs
_STEP_S = 0.05
# a heading counts from true north only where the wander angle is none
_NO_WANDER = np.radians(0.01)


def read_sbet(file: Path, camera: Camera, crs: str | None) -> Positions:
    """The places of a trajectory, about 20 a second; `lines` counts records, times are of the week.

    Raises UsageError where the file is none, and where camera.toml does not say in which time it counts.
    """
    if camera.trajectory_time is None:
        raise UsageError(
            f"{file.name} does not say whether it counts GPS or UTC seconds, which differ by 18 s: 270 m at "
            '15 m/s. Write trajectory_time = "gps" or "utc" into camera.toml, as it was exported.'
        )
    count, rest = divmod(file.stat().st_size, 8 * _RECORD)
    if not count:
        raise UsageError(f"{file.name} holds no record of 136 bytes. Give the trajectory that was exported.")
    records = np.memmap(file, "<f8", "r", shape=(count, _RECORD))
    times = np.array(records[:, _TIME])
    sound = np.isfinite(times).all() and (np.diff(times) > 0).all() and 0 <= times[0] <= 2 * _WEEK_S
    if not sound or np.abs(records[[0, -1], _LAT]).max() > np.pi / 2:
        raise UsageError(
            f"{file.name} is no SBET file: its records of 17 doubles do not hold rising seconds of the week "
            "and a latitude in radians. Export the trajectory as SBET, or as CSV."
        )
    usual_s = float(np.median(np.diff(times))) if count > 1 else _STEP_S
    every = max(1, int(_STEP_S / usual_s + 0.5))
    taken = np.arange(0, count, every)
    part = np.array(records[taken][:, [_LAT, _LON, _HEADING, _WANDER]])
    wanders = bool((np.abs(part[:, 3]) > _NO_WANDER).any())
    notes = [f"of {count} records of {file.name} every {every}. was taken"] if every > 1 else []
    if wanders:
        notes.append(f"headings of {file.name} count from a wander angle and were not taken")
    return Positions(
        source=file.name,
        lines=(taken + 1).tolist(),
        unit="record",
        xy=np.degrees(part[:, [1, 0]]),
        crs=crs or "EPSG:4326",
        crs_from="--positions-crs" if crs else "SBET is taken as WGS 84",
        heading=unknown(len(taken))
        if wanders
        else part[:, 2] / np.radians(HEADING_UNITS[camera.heading_unit]),
        time_s=times[taken],
        time_from=camera.trajectory_time,
        faults=[Fault(line=count + 1, said=f"it ends after {rest} of 136 bytes")] if rest else [],
        notes=notes,
    )
